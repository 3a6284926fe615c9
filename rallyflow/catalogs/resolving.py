"""Finds the file that `uses: CATALOG/WORKFLOW@VERSION` names, on this machine alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rallyflow.catalogs.problem import NO_WORKFLOW, NOT_FOUND, OTHER_VERSION, CatalogProblem
from rallyflow.catalogs.shelf import Opened, Shelf
from rallyflow.catalogs.versions import Version, shortest
from rallyflow.hints import did_you_mean

_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)/([A-Za-z_][A-Za-z0-9_-]*)@([^@/\s]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Located:
    """A workflow of a catalog: its file, and what it has to be called in messages and in a plan."""

    path: Path
    catalog: str
    version: str
    sha256: str  # of the whole catalog
    name: str  # catalog/workflow@version
    root: Path  # the folder of the catalog: only what is in it is pinned
    pinned: bool  # by a lock; only a catalog of an installed package can go without


def is_catalog_reference(uses: str) -> bool:
    """Whether `uses:` names a workflow of a catalog, or is meant to: it has an `@` behind a slash, and is no path."""
    return not uses.startswith(("./", "../", "/")) and "@" in uses.partition("/")[2]


def resolve(uses: str, base: Path, *, root: Path | None = None) -> Located:
    """Return the workflow of a catalog that a file in the folder `base` uses; CatalogProblem when it can't be had.

    Content that a lock pins is compared with what was pinned, each time. What the nearest lock does not pin is looked
    for in that of the folder `root`: a workflow of a catalog may use others that only the file which is run has pinned.
    """
    match = _REFERENCE.fullmatch(uses)
    if not match:
        raise CatalogProblem(
            NOT_FOUND,
            f"{uses!r} names no workflow of a catalog",
            "write CATALOG/WORKFLOW@VERSION, as in rallyflow/boot@1",
        )
    name, workflow, wanted = match.groups()
    shelf = Shelf.of(base)
    if root is not None and name not in shelf.pins:
        shelf = Shelf.of(root)
    opened = shelf.open(name)
    _check_version(opened, wanted)
    known = opened.catalog.workflows
    if workflow not in known:
        what = f"the catalog {name!r} has no workflow {workflow!r}"
        raise CatalogProblem(NO_WORKFLOW, what, did_you_mean(workflow, known, "its workflows are: {}"))
    version = opened.catalog.version
    return Located(
        path=opened.folder / known[workflow].file,
        catalog=name,
        version=version,
        sha256=opened.sha256,
        name=f"{name}/{workflow}@{version}",
        root=opened.folder,
        pinned=opened.pinned,
    )


def _check_version(opened: Opened, wanted: str) -> None:
    version = opened.catalog.version
    try:
        fits = Version.parse(version).fits(wanted)
    except ValueError as error:
        raise CatalogProblem(OTHER_VERSION, str(error), f"the catalog {opened.name!r} has version {version}") from None
    if not fits:
        what = f"the catalog {opened.name!r} has version {version}, which is not {wanted}"
        hint = f"write @{shortest(version)}"
        if opened.pinned:
            hint += f", or pin another version: `rallyflow catalog update {opened.name}`"
        raise CatalogProblem(OTHER_VERSION, what, hint)
