"""Where a catalog comes from: a folder, an installed package, or a git repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from urllib.parse import urlsplit

from rallyflow.catalogs import git
from rallyflow.catalogs.models import inner_path
from rallyflow.catalogs.problem import INVALID, NOT_FOUND, CatalogProblem
from rallyflow.hints import did_you_mean

GROUP = "rallyflow.catalogs"
FORMS = "./folder, package:NAME, or git+https://HOST/REPOSITORY[@REF][#SUBFOLDER]"
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")
_PROTOCOLS = ("https", "ssh", "file")


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder; a relative one is relative to the folder of the lock."""

    path: Path

    def __str__(self) -> str:
        if self.path.is_absolute() or self.path.parts[:1] == ("..",):
            return str(self.path)
        return f"./{self.path}"


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A Python package that is installed, by its own name or by that of its entry point."""

    name: str

    def __str__(self) -> str:
        return f"package:{self.name}"


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository; `ref` is a branch, a tag or a commit, and empty for the repository's own choice."""

    url: str
    ref: str = ""
    subfolder: str = ""

    def __str__(self) -> str:
        ref = f"@{self.ref}" if self.ref else ""
        return f"git+{self.url}{ref}{'#' + self.subfolder if self.subfolder else ''}"


Source = FolderSource | PackageSource | GitSource


def parse_source(text: str) -> Source:
    """Return a source as it stands in a lock; CatalogProblem for what is none."""
    if text.startswith("git+"):
        return _git_source(text.removeprefix("git+"))
    if text.startswith("package:"):
        return PackageSource(text.removeprefix("package:"))
    if "://" in text:
        raise CatalogProblem(INVALID, f"{text!r} is no source of a catalog", f"for a git repository write git+{text}")
    if not text or not text.isprintable():
        raise CatalogProblem(INVALID, f"{text!r} is no source of a catalog", f"one of: {FORMS}")
    return FolderSource(Path(text))


def _git_source(text: str) -> GitSource:
    address, _, subfolder = text.partition("#")
    parts = urlsplit(address)
    path, at, ref = parts.path.rpartition("@")
    url = address.removesuffix(f"@{ref}") if at and path else address
    ref = ref if at and path else ""
    if parts.scheme not in _PROTOCOLS or parts.query or not address.isprintable() or " " in address:
        raise CatalogProblem(INVALID, f"{address!r} is no address of a git repository", f"one of: {FORMS}")
    if parts.password is not None:
        raise CatalogProblem(
            INVALID,
            "the address of the git repository holds a password, which would stand in catalog.lock",
            "leave it out: git asks its credential helper, or use ssh",
        )
    if (parts.hostname or "").startswith("-") or (ref and not _is_ref(ref)):
        raise CatalogProblem(INVALID, f"git+{text} names no branch, tag or commit of a repository", f"one of: {FORMS}")
    try:
        return GitSource(url, ref, inner_path(subfolder) if subfolder else "")
    except ValueError as error:
        raise CatalogProblem(INVALID, f"git+{text}: {error}") from None


def _is_ref(ref: str) -> bool:
    return bool(_REF.fullmatch(ref)) and ".." not in ref and not ref.endswith((".lock", "/", "."))


def folder_of(source: Source, base: Path, commit: str, name: str) -> Path:
    """Return the folder of a catalog's content, as far as it is on this machine; CatalogProblem when it is not.

    `base` is the folder of the lock, `name` what the lock calls the catalog.
    """
    match source:
        case FolderSource(path):
            folder = base / path
            if not folder.is_dir():
                raise CatalogProblem(
                    NOT_FOUND, f"the folder of the catalog {name!r} is not there: {folder}", "was it moved?"
                )
        case PackageSource(package):
            folder = installed_folder(package)
        case GitSource(_, _, subfolder):
            if not commit:
                raise CatalogProblem(
                    INVALID, f"no commit is pinned for {source}", f"`rallyflow catalog update {name}` pins one"
                )
            root = git.cached(commit)
            if root is None:
                raise CatalogProblem(
                    NOT_FOUND,
                    f"the catalog {name!r} has not been fetched to this machine ({source}, commit {commit[:10]})",
                    f"`rallyflow catalog fetch {name}` brings it here",
                )
            folder = root / subfolder
            if not folder.is_dir():
                raise CatalogProblem(NOT_FOUND, f"the repository has no folder {subfolder!r} at commit {commit[:10]}")
            if not folder.resolve().is_relative_to(root.resolve()):
                raise CatalogProblem(INVALID, f"the folder {subfolder!r} of the repository leads out of it")
    return folder


@cache
def installed() -> dict[str, list[EntryPoint]]:
    """Return the catalogs of installed packages by name; more than one where two packages use the same name."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(entry)
    return found


def installed_folder(name: str) -> Path:
    """Return the folder of an installed catalog, named as its entry point or its package."""
    known = installed()
    entries = known.get(name) or [entry for group in known.values() for entry in group if _package_of(entry) == name]
    if not entries:
        packages = {_package_of(entry) for group in known.values() for entry in group}
        raise CatalogProblem(
            NOT_FOUND, f"no installed package {name!r} has a catalog", did_you_mean(name, {*known, *packages})
        )
    if len(entries) > 1:
        which = " and ".join(sorted(_package_of(entry) for entry in entries))
        raise CatalogProblem(
            INVALID,
            f"more than one installed catalog answers to {name!r}: {which}",
            "pin one of them under a name of its own: `rallyflow catalog add package:PACKAGE --name NAME`",
        )
    return _folder(entries[0])


def _package_of(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _folder(entry: EntryPoint) -> Path:
    """Return what the entry point's module names as PATH, or else the module's own folder."""
    try:
        module = entry.load()
    except Exception as error:
        what = f"the catalog {entry.name!r} ({entry.value}) can't be loaded: {error}"
        raise CatalogProblem(INVALID, what, "is the package that it comes from complete?") from error
    path = getattr(module, "PATH", None) or getattr(module, "__file__", None)
    if not path:
        raise CatalogProblem(INVALID, f"the catalog {entry.name!r} ({entry.value}) says not where it is", "add PATH")
    path = Path(path)
    return path if path.is_dir() else path.parent
