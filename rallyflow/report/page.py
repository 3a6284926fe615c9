"""Turns a `Report` into one HTML file without network: style, script, chart library and data are inside.

Whatever came from a cloud or a file is text: Jinja escapes it, data for scripts cannot end its element, and
the page's own policy lets a browser run only the two scripts that we put there, and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rallyflow.model.step import History
from rallyflow.model.values import BenchmarkResults
from rallyflow.report import words
from rallyflow.report.choices import ChartChoice
from rallyflow.report.content import Report
from rallyflow.report.figures import Figure
from rallyflow.report.gather import gather
from rallyflow.report.verifications import STATES, WORDS

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent
TRACEBACKS = 200
"""Failed tests of a verification that are shown with their traceback."""


def render(
    history: History,
    run_id: str,
    *,
    of: Sequence[BenchmarkResults] | None = None,
    charts: Sequence[ChartChoice] = (),
    title: str = "",
) -> str:
    """Return the report of a run as HTML; see `gather.gather` for what it may hold and raise."""
    return page(gather(history, run_id, of=of, charts=charts, title=title))


def page(report: Report) -> str:
    """Return the HTML of a report."""
    script = read("templates/page.js")
    tests = read("templates/tests.js") if report.verifications else ""
    library = read("assets/vega-embed.js") if report.figure_count() else ""
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            style=markup(read("templates/page.css")),
            script=markup(script),
            library=markup(library),
            tests=markup(tests),
            hashes=[hash_of(text) for text in (library, script, tests) if text],
            said=WORDS,
            states=STATES,
            kept=TRACEBACKS,
            words=words,
        )
    )


def embed(figure: Figure) -> Markup:
    """Return a figure as JSON that is safe inside of a `<script type="application/json">` element."""
    import orjson

    text = orjson.dumps({"spec": figure.spec, "data": figure.data}).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return markup(text)


def environment() -> Environment:
    """Return what fills in our templates: everything is escaped that is not marked as ours."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embed"] = embed
    return environment


def read(name: str) -> str:
    """Return one of our own files."""
    return (FOLDER / name).read_text(encoding="utf-8")


def markup(text: str) -> Markup:
    """Mark text as ours: it goes into the page as it is."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own files, or JSON without any character of markup


def hash_of(script: str) -> str:
    """Return what lets a script run under the page's own policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
