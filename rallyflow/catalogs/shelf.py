"""The catalogs that a folder's workflows can use: those that the nearest lock pins, and those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rallyflow.catalogs import sources
from rallyflow.catalogs.content import sha256_of
from rallyflow.catalogs.locking import LockFile, find_lock
from rallyflow.catalogs.models import Catalog, Pin
from rallyflow.catalogs.problem import CHANGED, INVALID, NOT_FOUND, UNMET, CatalogProblem
from rallyflow.catalogs.reading import as_problem, read_catalog
from rallyflow.catalogs.versions import unmet
from rallyflow.errors import UsageError, WorkflowInvalid
from rallyflow.hints import did_you_mean


@dataclass(frozen=True, slots=True)
class Opened:
    """A catalog that is on this machine, with the checksum of its content."""

    name: str  # as workflows call it
    folder: Path
    source: str
    catalog: Catalog
    sha256: str
    commit: str = ""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a folder's workflows can use."""

    lock: LockFile | None

    @classmethod
    def of(cls, base: Path) -> Shelf:
        """Return the shelf of a folder; CatalogProblem when its lock can't be used."""
        try:
            return cls(find_lock(base))
        except WorkflowInvalid as invalid:
            raise as_problem(invalid) from invalid
        except UsageError as error:
            raise CatalogProblem(INVALID, error.what) from error

    @property
    def pins(self) -> Mapping[str, Pin]:
        """The pinned catalogs by name."""
        return self.lock.pins if self.lock else {}

    def names(self) -> list[str]:
        """Return the names of all catalogs."""
        return sorted({*self.pins, *sources.installed()})

    def open(self, name: str) -> Opened:
        """Return a catalog whose content is what was pinned; CatalogProblem when it is not, or can't be had."""
        found = self.look(name)
        pin = self.pins.get(name)
        if pin is not None and pin.sha256 != found.sha256:
            raise CatalogProblem(
                CHANGED,
                f"the content of the catalog {name!r} has changed since it was pinned ({found.folder})",
                f"if that is wanted: `rallyflow catalog update {name}`",
            )
        missing = unmet(found.catalog.requirements)
        if missing:
            what = f"the catalog {name!r} needs {', '.join(missing)}"
            raise CatalogProblem(UNMET, what, "install what is missing, or use another version of the catalog")
        return found

    def look(self, name: str) -> Opened:
        """Return a catalog as it is now, whatever was pinned; CatalogProblem when it can't be had."""
        pin = self.pins.get(name)
        if pin is not None and self.lock is not None:
            return look(name, sources.parse_source(pin.source), self.lock, pin.commit, pinned=True)
        if name not in sources.installed():
            hint = did_you_mean(name, self.names(), "the catalogs are: {}")
            raise CatalogProblem(
                NOT_FOUND, f"there is no catalog {name!r}", f"`rallyflow catalog add SOURCE` adds one; {hint}"
            )
        return look(name, sources.PackageSource(name))


def look(
    name: str, source: sources.Source, lock: LockFile | None = None, commit: str = "", *, pinned: bool = False
) -> Opened:
    """Return the catalog that a source has on this machine; CatalogProblem when it has none, or it can't be read."""
    base = lock.folder if lock else Path.cwd()
    folder = sources.folder_of(source, base, commit, name)
    sha256 = sha256_of(folder, without=lock.path if lock else None)
    try:
        catalog = read_catalog(folder)
    except WorkflowInvalid as invalid:
        raise as_problem(invalid) from invalid
    except UsageError as error:
        raise CatalogProblem(INVALID, error.what) from error
    return Opened(name, folder, str(source), catalog, sha256, commit, pinned)
