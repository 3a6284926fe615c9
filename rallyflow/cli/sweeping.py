"""`rallyflow cleanup --cloud NAME`: what a cloud shows of runs, whoever ran them, is shown, removed and booked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyflow.cli.cleanup import agreed, ended, say_live
from rallyflow.cli.options import open_reader
from rallyflow.cli.output import colour, print_json, print_table, say
from rallyflow.cli.resources import shown_age, shown_expiry
from rallyflow.errors import Exit, NotFound, RunLocked
from rallyflow.model.ids import RunId, Tag, parse_tag
from rallyflow.model.records import Resource
from rallyflow.settings import Home

if TYPE_CHECKING:
    from rallyflow.clouds.rest import CloudSession
    from rallyflow.clouds.tagged import Found, Scan, Stayed

_NAMES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A cloud, and how it is named on the command line."""

    session: CloudSession
    auth_url: str
    option: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are meant: by id, by the seconds since they began, by their time to live."""

    run: str | None
    older_than: float | None
    expired: bool

    def has(self, tag: Tag, now_ns: int) -> bool:
        """Whether what carries a tag is meant."""
        return (
            (not self.run or tag.run.startswith(self.run) or tag.run.endswith(self.run))
            and (self.older_than is None or tag.started_ns <= now_ns - self.older_than * 1e9)
            and (not self.expired or 0 < tag.expires_ns <= now_ns)
        )


def target(name: str, clouds_yaml: Path | None) -> Target:
    """Return the cloud of an entry of clouds.yaml, as `deploy/existing` finds it; NotFound and the like."""
    from rallyflow.clouds.rest import CloudSession
    from rallyflow.deployers.probe import probe

    found = probe(name, clouds_yaml.absolute() if clouds_yaml else None)
    where = f" --clouds-yaml {clouds_yaml}" if clouds_yaml else ""
    return Target(CloudSession(found.login), found.auth_url, f"--cloud {name}{where}")


def target_of_run(home: Home, run: str) -> Target:
    """Return the cloud that a run made something in; NotFound when it made nothing, or the cloud's file is gone."""
    from rallyflow.clouds.connection import login_of
    from rallyflow.clouds.rest import CloudSession
    from rallyflow.model.values import Cloud

    reader = open_reader(home)
    record = reader.find(run)
    clouds = [row.detail["cloud"] for row in reader.resources(record.id, open_only=False) if "cloud" in row.detail]
    if not clouds:
        raise NotFound(f"the run {record.id} has made nothing in a cloud", hint="name the cloud: --cloud NAME")
    cloud = Cloud.model_validate(clouds[-1])
    return Target(CloudSession(login_of(cloud)), cloud.auth_url, f"--cloud-of {record.id}")


def sweep(home: Home, target: Target, wanted: Wanted, *, dry_run: bool, yes: bool, as_json: bool) -> Exit:
    """Look through a cloud, show what was found, ask, and remove it; returns the exit code."""
    from rallyflow.clouds.tagged import scan
    from rallyflow.engine.locks import is_live

    seen = scan(target.session)
    now = time.time_ns()
    meant = [each for each in seen.objects if wanted.has(each.tag, now)]
    live = sorted({each.tag.run for each in meant if is_live(home.run(each.tag.run))})
    found = [each for each in meant if each.tag.run not in live]
    if not as_json:
        _show(home, found, seen, now)
        say_live(live)
    if not dry_run:
        agreed(len(found), yes=yes, as_json=as_json)
    done = _Swept(live=live) if dry_run else _sweep_runs(home, target, found, _Swept(live=live), seen.everything)
    left = [{**_plain(each.object), "error": each.error.what} for each in done.stayed]
    if as_json:
        about = {"cloud": target.auth_url, "everything": seen.everything, "dry_run": dry_run, "live": done.live}
        print_json({**about, "found": [_plain(each) for each in found], "removed": done.removed, "left": left})
    elif not found:
        say("nothing in this cloud carries the tag of a run that is meant")
    if dry_run or not found:
        return Exit.OK
    return ended(left, done.removed, f"rallyflow cleanup {target.option}", as_json=as_json)


@dataclass(slots=True)
class _Swept:
    live: list[RunId]
    removed: int = 0
    stayed: list[Stayed] = field(default_factory=list)


def _sweep_runs(home: Home, target: Target, found: Sequence[Found], done: _Swept, everything: bool) -> _Swept:
    """Remove what was found, the newest run first; a run that has become live meanwhile is left alone."""
    for run in sorted({each.tag.run for each in found}, reverse=True):
        mine = [each for each in found if each.tag.run == run]
        try:
            stayed = _remove(home, target, run, mine, everything=everything)
        except RunLocked:
            done.live.append(run)
            continue
        done.stayed += stayed
        done.removed += len(mine) - len(stayed)
    return done


def _remove(home: Home, target: Target, run: RunId, found: Sequence[Found], *, everything: bool) -> list[Stayed]:
    """Remove what was found of a run, and book what the ledger has of it; returns what stayed."""
    from rallyflow.clouds.tagged import remove_found
    from rallyflow.engine.cleanup import book_gone, held

    with held(home, run):
        stayed = remove_found(target.session, found)
        left = [each.object for each in stayed]
        removed = [each for each in found if each not in left]
        tags = {each.tag for each in found}

        def gone(row: Resource) -> bool:
            cloud = row.detail.get("cloud") or {}
            if not row.kind.startswith("openstack.") or cloud.get("auth_url") != target.auth_url:
                return False
            if everything and parse_tag(row.name) in tags:
                return not any(_is_about(row, each) for each in left)
            return row.kind != "openstack.objects" and any(_is_about(row, each) for each in removed)

        book_gone(home, run, gone)
    return stayed


def _is_about(row: Resource, found: Found) -> bool:
    """Whether a row of the ledger stands for an object, alone or among others."""
    if row.kind == "openstack.objects":
        return parse_tag(row.name) == found.tag
    same = row.external_id == found.id if row.external_id else row.name == found.name
    return same and row.kind == f"openstack.{found.kind}"


def _show(home: Home, found: Sequence[Found], seen: Scan, now_ns: int) -> None:
    groups: dict[tuple[Tag, str], list[str]] = {}
    for each in sorted(found, key=lambda each: each.tag.run, reverse=True):
        name = each.name.removeprefix(f"{each.tag}-")  # the rest of the table says what the tag does
        groups.setdefault((each.tag, each.kind), []).append(name or each.id)
    if groups:
        print_table(
            ("run", "home", "age", "expires", "kind", "count", "names"),
            [
                (
                    *(tag.run, "this" if home.run(tag.run).is_dir() else "another", shown_age(tag.started_ns, now_ns)),
                    *(shown_expiry(tag.expires_ns, now_ns), kind, len(names), _some(names)),
                )
                for (tag, kind), names in groups.items()
            ],
        )
    if not seen.everything:
        say("note: these credentials are shown their own project only: what other projects have is not found")
    strangers = {tag.run for tag, _ in groups if not home.run(tag.run).is_dir()}
    if strangers:
        what = "a run" if len(strangers) == 1 else f"{len(strangers)} runs"
        say(colour(f"note: {what} of another home may still be going on there; nobody can tell from here", "yellow"))


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _plain(found: Found) -> dict[str, Any]:
    tag = found.tag
    return {"run": tag.run, "kind": found.kind, "id": found.id, "name": found.name, "expires_ns": tag.expires_ns}
