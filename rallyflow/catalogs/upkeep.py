"""Changes catalog.lock, and says whether it holds: the one place that uses the network, for git repositories."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rallyflow.catalogs import git, locking, sources
from rallyflow.catalogs.locking import LockFile
from rallyflow.catalogs.models import Pin
from rallyflow.catalogs.problem import CatalogProblem
from rallyflow.catalogs.shelf import Opened, Shelf, look
from rallyflow.errors import RallyflowError, UsageError
from rallyflow.hints import did_you_mean


@dataclass(frozen=True, slots=True)
class Change:
    """What an update did to one pin."""

    name: str
    before: Pin
    after: Pin

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the content of one pin is what was pinned and can be used here."""

    name: str
    source: str
    problem: RallyflowError | None = None


def add(text: str, path: Path, name: str | None = None) -> tuple[str, Pin]:
    """Pin a catalog in a lock, and return its name and pin.

    A relative folder is relative to the working directory. Raises CatalogProblem when there is no catalog, and
    UsageError when the name is taken.
    """
    source = _from_lock(sources.parse_source(text), path.parent)
    with locking.changing(path) as lock:
        opened = _fetched(name or str(source), source, lock)
        name = name or opened.catalog.name
        _check_free(name, source, lock)
        pin = _pin(opened)
        locking.write_lock(replace(lock, pins={**lock.pins, name: pin}))
    return name, pin


def update(path: Path, names: Sequence[str]) -> list[Change]:
    """Pin what the sources of catalogs (of all, when none is named) have now; UsageError for one that is not pinned."""
    with locking.changing(path) as lock:
        _check_pinned(names, lock)
        changes = [
            Change(name, pin, _pin(_fetched(name, sources.parse_source(pin.source), lock)))
            for name, pin in lock.pins.items()
            if not names or name in names
        ]
        if any(change.changed for change in changes):
            after = {change.name: change.after for change in changes}
            locking.write_lock(replace(lock, pins={**lock.pins, **after}))
    return changes


def fetch(lock: LockFile, names: Sequence[str] = ()) -> list[str]:
    """Bring what a lock pins in git repositories to this machine, and return what was not here before.

    The lock stays as it is: a branch that has moved is of no interest. Raises UsageError for a catalog that is not
    pinned, CatalogProblem when a pinned commit can't be had or is not what was pinned.
    """
    _check_pinned(names, lock)
    fetched = []
    for name, pin in lock.pins.items():
        source = sources.parse_source(pin.source)
        if (names and name not in names) or not isinstance(source, sources.GitSource) or git.cached(pin.commit):
            continue
        git.fetch(source.url, pin.commit, source.subfolder)
        Shelf(lock).open(name)
        fetched.append(name)
    return fetched


def verify(lock: LockFile) -> Iterator[Check]:
    """Say of every pin whether it holds."""
    for name, pin in lock.pins.items():
        try:
            Shelf(lock).open(name)
        except CatalogProblem as problem:
            yield Check(name, pin.source, problem)
        else:
            yield Check(name, pin.source)


def _check_pinned(names: Sequence[str], lock: LockFile) -> None:
    for name in names:
        if name not in lock.pins:
            hint = did_you_mean(name, lock.pins, "pinned are: {}") or "`rallyflow catalog add` adds one"
            raise UsageError(f"no catalog {name!r} is pinned in {lock.path}", hint=hint)


def _fetched(name: str, source: sources.Source, lock: LockFile) -> Opened:
    commit = ""
    if isinstance(source, sources.GitSource):
        commit = git.fetch(source.url, source.ref, source.subfolder)
    return look(name, source, lock, commit)


def _pin(opened: Opened) -> Pin:
    return Pin(source=opened.source, version=opened.catalog.version, commit=opened.commit, sha256=opened.sha256)


def _from_lock(source: sources.Source, folder: Path) -> sources.Source:
    """Return a source as the lock has to have it: a relative folder as seen from there."""
    if isinstance(source, sources.FolderSource) and not source.path.is_absolute():
        return sources.FolderSource(Path(os.path.relpath(source.path, folder.absolute())))
    return source


def _check_free(name: str, source: sources.Source, lock: LockFile) -> None:
    if name in lock.pins:
        hint = f"`rallyflow catalog update {name}` renews it, --name gives another name"
        raise UsageError(f"a catalog {name!r} is pinned already, from {lock.pins[name].source}", hint=hint)
    if name in sources.installed() and not isinstance(source, sources.PackageSource):
        raise UsageError(f"an installed package has a catalog {name!r} already", hint="--name gives another name")
