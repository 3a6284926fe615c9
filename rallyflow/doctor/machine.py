"""Checks of this machine and this home: each says how it is, and what to do where it is not well."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from rallyflow.journal.filesystem import network_filesystem
from rallyflow.journal.schema import MIGRATIONS
from rallyflow.journal.store import read_only
from rallyflow.model.fitness import Check, Health
from rallyflow.settings import Home
from rallyflow.units import format_duration

_OLDEST_PYTHON = (3, 11)
_LITTLE_SPACE, _NO_SPACE = 1 << 30, 100 << 20  # bytes
_SLOW_SYNC = 0.05  # seconds
_SYNCS = 15
_EARLIEST = 1767225600  # 2026-01-01, seconds: before that there was no rallyflow
_SKEW = 60.0  # seconds
_PLACES = (Path("clouds.yaml"), Path("~/.config/openstack/clouds.yaml"), Path("/etc/openstack/clouds.yaml"))


def checks(home: Home) -> Iterator[Check]:
    """Yield every check; raises nothing, whatever is wrong."""
    for name, look in CHECKS.items():
        try:
            state, text, hint = look(home)
        except Exception as error:  # noqa: BLE001 - a doctor who faints helps nobody
            state, text, hint = Health.FAIL, f"{type(error).__name__}: {error}", ""
        yield Check(name, state, text, hint)


def _python(_home: Home) -> tuple[Health, str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= _OLDEST_PYTHON:
        return Health.OK, version, ""
    return Health.FAIL, version, f"Python {'.'.join(map(str, _OLDEST_PYTHON))} or newer is needed"


def _libcurl(_home: Home) -> tuple[Health, str, str]:
    try:
        import pycurl
    except ImportError as error:
        return Health.WARN, f"not there: {error}", "loads cost more CPU without it: install pycurl"
    return Health.OK, str(pycurl.version_info()[1]), ""


def _space(home: Home) -> tuple[Health, str, str]:
    free = shutil.disk_usage(_nearest(home.root)).free
    text = f"{free / (1 << 30):.1f} GiB free in {home.root}"
    if free < _NO_SPACE:
        return Health.FAIL, text, "free some space: nothing starts whose outcome can't be booked"
    if free < _LITTLE_SPACE:
        return Health.WARN, text, "a load of ten million rows takes about a gigabyte"
    return Health.OK, text, ""


def _sync(home: Home) -> tuple[Health, str, str]:
    folder = _nearest(home.root)
    if not os.access(folder, os.W_OK):
        return (
            Health.WARN,
            f"{folder} can't be written",
            "what only reads still works; for the rest give another --home",
        )
    seconds = _sync_seconds(folder)
    text = f"{seconds * 1000:.2f} ms for each durable commit in {folder}"
    if seconds > _SLOW_SYNC:
        return Health.WARN, text, "steps and objects wait for several of these: a disk nearer by is faster"
    return Health.OK, text, ""


def _sync_seconds(folder: Path) -> float:
    """Return the median time that a page takes to the disk."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - start)
    return statistics.median(took)


def _filesystem(home: Home) -> tuple[Health, str, str]:
    kind = network_filesystem(home.root)
    if not kind:
        return Health.OK, "on this machine", ""
    text = f"on a network file system ({kind}): the journal does without a write-ahead log"
    return Health.WARN, text, "commits are slower, and readers wait for writers: a local disk is better"


def _clock(home: Home) -> tuple[Health, str, str]:
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    hint = "set it, best by NTP: ids, ages and times to live go by it"
    if now < _EARLIEST:
        return Health.FAIL, f"it is {shown}, before rallyflow was there", hint
    ahead = _last_event(home) - now
    if ahead > _SKEW:
        return Health.WARN, f"it is {shown}, and an event of the journal is {format_duration(ahead)} later", hint
    return Health.OK, shown, ""


def _last_event(home: Home) -> float:
    """Return when the last event of the journal was, in seconds; 0 when it tells none."""
    if not home.journal.exists():
        return 0.0
    try:
        with closing(sqlite3.connect(read_only(home.journal), uri=True)) as connection:
            (last,) = connection.execute("SELECT coalesce(max(time_ns), 0) FROM event").fetchone()
    except sqlite3.Error:
        return 0.0  # another check tells what is wrong with it
    return float(last) / 1e9


def _journal(home: Home) -> tuple[Health, str, str]:
    if not home.journal.exists():
        return Health.OK, f"none yet in {home.root}", ""
    try:
        with closing(sqlite3.connect(read_only(home.journal), uri=True)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return Health.FAIL, f"damaged: {error}", "rallyflow doctor --salvage NEW.db"
    if version > len(MIGRATIONS):
        return Health.FAIL, f"of a newer rallyflow (version {version})", "upgrade rallyflow, or use another --home"
    if version < len(MIGRATIONS):
        return Health.WARN, f"version {version}", f"becomes version {len(MIGRATIONS)} when it is used next"
    return Health.OK, f"version {version}", ""


def _clouds(_home: Home) -> tuple[Health, str, str]:
    import yaml

    given = os.environ.get("OS_CLIENT_CONFIG_FILE")
    found = next((path for path in ((Path(given),) if given else map(Path.expanduser, _PLACES)) if path.exists()), None)
    if found is None:
        return Health.OK, "none", "" if not given else f"OS_CLIENT_CONFIG_FILE names {given}, which is not there"
    try:
        data = yaml.safe_load(found.read_text(encoding="utf-8"))
        names = sorted(data["clouds"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        return Health.WARN, f"{found} can't be read: {type(error).__name__}", "deploy/existing needs it"
    text = f"{found}: {', '.join(names) or 'no cloud'}"
    if found.stat().st_mode & 0o077:
        return Health.WARN, text, f"others can read its passwords: chmod 600 {found}"
    return Health.OK, text, ""


def _nearest(folder: Path) -> Path:
    """Return the folder, or what there is of the way to it."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


CHECKS: dict[str, Callable[[Home], tuple[Health, str, str]]] = {
    "python": _python,
    "libcurl": _libcurl,
    "disk space": _space,
    "disk speed": _sync,
    "file system": _filesystem,
    "clock": _clock,
    "journal": _journal,
    "clouds.yaml": _clouds,
}
"""Every check by name, in the order in which they are shown."""
