"""The page of the reference about catalogs: their files, where they come from, how versions match, the verbs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from tables import fields_of, row, rows

from rallyflow import catalogs
from rallyflow.catalogs import locking, models, sources, versions
from rallyflow.cli.catalog import command
from rallyflow.errors import FILE_CODES


def page() -> Iterator[str]:
    """Yield the page."""
    yield f"# Catalogs\n\n{inspect.getdoc(catalogs)}\n\nThe guide: [sharing workflows](../guides/catalogs.md).\n"
    for title, model in (
        ("catalog.yaml", models.Catalog),
        ("workflows.NAME", models.CatalogWorkflow),
        ("requirements", models.Requirements),
        ("catalog.lock", models.Lock),
        ("catalogs.NAME", models.Pin),
    ):
        yield f"## {title}\n\n{inspect.getdoc(model)}\n"
        if model is models.Lock:
            yield f"{inspect.getdoc(locking)}\n"
        yield from fields_of(model)
    yield f"## Sources\n\n{inspect.getdoc(sources)}\n\n`{sources.FORMS}`\n"
    for source in (sources.FolderSource, sources.PackageSource, sources.GitSource):
        yield f"- {inspect.getdoc(source)}"
    yield f"\n## Versions\n\n{inspect.getdoc(versions.Version)}\n\n{inspect.getdoc(versions.Version.fits)}\n"
    yield from rows(("asked for", *_HAD))
    for wanted in _WANTED:
        yield row(f"`{wanted}`", *("yes" if versions.Version.parse(had).fits(wanted) else "no" for had in _HAD))
    yield "\n## Verbs\n"
    for name, verb in command.commands.items():  # type: ignore[attr-defined]
        yield f"- `rallyflow catalog {name}`: {verb.get_short_help_str(100)}"
    yield "\nAll options: [the command line](cli.md#rallyflow-catalog).\n\n## Errors\n"
    for code, text in FILE_CODES.items():
        if code.startswith("RF025"):
            yield f"- [`{code}`](errors.md#{code.lower()}): {text}"


_HAD = ("1.0.0", "1.2.0", "1.2.3", "2.0.0", "2.0.0-rc.1")
_WANTED = ("1", "1.2", "1.2.3", "2", "2.0.0-rc.1")
