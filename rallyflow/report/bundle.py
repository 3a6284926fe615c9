"""Makes `assets/vega-embed.js`, the chart library of every report: `python -m rallyflow.report.bundle`.

Needs vl-convert-python (dependency group `bundle`), which carries Vega, Vega-Lite and Vega-Embed; no network.
The file is checked in, so that users need none of this. It leaves `vegaEmbed` in the page, and nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path

VEGA_LITE = "6.4"  # the series that altair 6.3 writes its specifications for
ASSETS = Path(__file__).with_name("assets")
SNIPPET = "window.vegaEmbed = vegaEmbed;"


def bundle() -> str:
    """Return the JavaScript, safe inside of a `<script>` element."""
    import vl_convert

    script: str = vl_convert.javascript_bundle(SNIPPET, vl_version=VEGA_LITE)
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def main() -> None:
    """Write the bundle beside the licences."""
    path = ASSETS / "vega-embed.js"
    path.write_text(bundle(), encoding="utf-8")
    sys.stderr.write(f"{path}: {path.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
