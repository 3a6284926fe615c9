"""Reads the journal: runs, steps, events, resources and parts, as records. Implements the `History` of a step."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rallyflow.errors import UsageError
from rallyflow.journal.attempts import KINDS, attempts_of
from rallyflow.journal.event import Event
from rallyflow.journal.portable import local
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Attempt, Part, Reading, Resource, RunRecord, StepRecord
from rallyflow.model.states import ResourceState, RunState, StepState
from rallyflow.model.step import Answer

_RUNS = "SELECT id, name, state, workflow, created_ns, ended_ns, params, provenance, sessions, parent, plan FROM run "
_STEPS = (
    "SELECT run, id, name, uses, state, attempt, started_ns, ended_ns, matrix, outputs, error, reason, took_ns, cpu_s, "
    "memory_bytes, origin, fingerprint FROM step "
    "WHERE run = ? ORDER BY position, cell"
)
_EVENTS = (
    "SELECT seq, kind, run, step, attempt, state, time_ns, body FROM event "
    "WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?"
)
_EVENTS_OF_STEP = (
    "SELECT seq, kind, run, step, attempt, state, time_ns, body FROM event WHERE run = ? AND step = ? ORDER BY seq"
)
_DURATIONS = (
    "SELECT step.id, step.name, step.uses, took_ns FROM step WHERE state = 'succeeded' AND took_ns > 0 "
    "AND run IN (SELECT id FROM run WHERE name = ? ORDER BY rowid DESC LIMIT 10)"
)
_ANSWERS = (
    "SELECT step, attempt, time_ns, body FROM event AS answer WHERE run = ? AND seq > ? AND kind = 'answered' "
    "AND NOT EXISTS (SELECT 1 FROM event WHERE run = answer.run AND step = answer.step AND seq > answer.seq "
    "AND kind = 'reopened' AND json_extract(body, '$.anew')) ORDER BY seq"
)
_CUT_OFF = (
    "SELECT event.step, kind, json_extract(body, '$.fingerprint') FROM event JOIN ("
    "SELECT event.step, max(seq) AS last FROM event WHERE run = ?1 AND kind IN ('intent', 'outcome') AND step IN ("
    "SELECT step FROM resource WHERE run = ?1 AND state <> 'deleted') GROUP BY event.step) ON seq = last"
)
_PROGRESS = "SELECT step, attempt, done, total, note, cpu_s, memory_bytes, heard_ns FROM progress WHERE run = ?"
_SESSION = "SELECT coalesce(max(seq), 0) FROM event WHERE run = ? AND kind IN ('run_created', 'run_resumed')"
_RESOURCES = (
    "SELECT id, run, step, attempt, kind, name, state, external_id, inside, detail, created_ns, expires_ns "
    "FROM resource "
    "WHERE (?1 IS NULL OR run = ?1) AND (?2 IS NULL OR step = ?2) AND (NOT ?3 OR state <> 'deleted') ORDER BY id"
)
_PARTS = (
    "SELECT run, step, attempt, tbl, path, rows FROM part "
    "WHERE run = ?1 AND (?2 IS NULL OR step = ?2) AND (?3 IS NULL OR tbl = ?3) ORDER BY rowid"
)


class JournalReader:
    """Reads one journal."""

    def __init__(self, journal: Journal, root: Path) -> None:
        """Take a journal; relative paths of parts are below `root`, the home."""
        self.journal = journal
        self.root = root

    def runs(self) -> list[RunRecord]:
        """Return every run in the order in which they were made, whatever the clock said."""
        return [_run(row) for row in self.journal.query(_RUNS + "ORDER BY rowid")]

    def run(self, run: str) -> RunRecord:
        """Return one run by its full id; UsageError when there is none."""
        rows = self.journal.query(_RUNS + "WHERE id = ?", (run,))
        if not rows:
            raise UsageError(f"there is no run {run!r}", hint="`rallyflow runs` lists them")
        return _run(rows[0])

    def find(self, reference: str) -> RunRecord:
        """Return the run of an id, of a unique beginning or end of one, or `@latest`; UsageError when it is not one."""
        runs = self.runs()
        if not runs:
            raise UsageError("there is no run yet", hint="start one: rallyflow apply workflows/quickstart.yaml")
        if reference == "@latest":
            return runs[-1]
        found = [run for run in runs if run.id == reference] or [
            run for run in runs if reference and (run.id.startswith(reference) or run.id.endswith(reference))
        ]
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(f"there is no run {reference!r}", hint="`rallyflow runs` lists them")
        raise UsageError(
            f"{reference!r} fits {len(found)} runs",
            hint="give more of the id: " + ", ".join(run.id for run in found[:5]),
        )

    def steps(self, run: str) -> list[StepRecord]:
        """Return the steps of a run, in the plan's order."""
        return [_step(row) for row in self.journal.query(_STEPS, (run,))]

    def origins(self, run: str) -> dict[StepId, RunId]:
        """Return, for the steps of a run whose outcomes were taken over, the runs that they are of."""
        rows = self.journal.query("SELECT id, origin FROM step WHERE run = ? AND origin <> ''", (run,))
        return {StepId(step): RunId(origin) for step, origin in rows}

    def cut_off(self, run: str) -> dict[StepId, str]:
        """Return the steps with something outside whose last attempt has no outcome, with its fingerprint."""
        rows = self.journal.query(_CUT_OFF, (run,))
        return {StepId(step): fingerprint for step, kind, fingerprint in rows if kind == "intent"}

    def standing(self, run: str) -> dict[StepId, tuple[StepState, int]]:
        """Return the state of each step of a run, and when its last attempt began: what is cheap to read often."""
        rows = self.journal.query("SELECT id, state, started_ns FROM step WHERE run = ?", (run,))
        return {StepId(step): (StepState(state), started) for step, state, started in rows}

    def durations(self, workflow: str) -> dict[tuple[str, str], float]:
        """Return the median seconds that steps took in the last runs of workflows of a name, when they succeeded.

        Keys are (id, uses), and (name, uses) for all cells of a matrix together.
        """
        found: dict[tuple[str, str], list[float]] = {}
        for step, name, uses, nanoseconds in self.journal.query(_DURATIONS, (workflow,)):
            for key in {(step, uses), (name, uses)}:
                found.setdefault(key, []).append(nanoseconds / 1e9)
        return {key: median(values) for key, values in found.items()}

    def events(self, run: str, after: int = 0, *, most: int = -1) -> list[tuple[int, Event]]:
        """Return the events of a run behind sequence number `after`, with their numbers; at most so many, or all."""
        rows = self.journal.query(_EVENTS, (run, after, most))
        return [(row[0], _event(*row)) for row in rows]

    def last_event(self) -> int:
        """Return the number of the last event of all runs; 0 when there is none."""
        return int(self.journal.query("SELECT coalesce(max(seq), 0) FROM event")[0][0])

    def session_began(self, run: str) -> int:
        """Return the number of the event by which the last session of a run began; 0 for none."""
        return int(self.journal.query(_SESSION, (run,))[0][0])

    def asked(self, run: str, kinds: Collection[str], after: int) -> list[tuple[int, Event]]:
        """Return the events of some kinds that a run has behind a sequence number, with their numbers."""
        sql = _EVENTS_OF_STEP.replace("step = ?", f"seq > ? AND kind IN ({', '.join('?' * len(kinds))})")
        return [(row[0], _event(*row)) for row in self.journal.query(sql, (run, after, *kinds))]

    def progress(self, run: str) -> dict[StepId, Reading]:
        """Return how far the attempts of a live run are, by step."""
        return {StepId(step): Reading(StepId(step), *rest) for step, *rest in self.journal.query(_PROGRESS, (run,))}

    def events_of(self, run: str, step: str) -> list[tuple[int, Event]]:
        """Return the events of one step of a run, with their numbers."""
        return [(row[0], _event(*row)) for row in self.journal.query(_EVENTS_OF_STEP, (run, step))]

    def attempts(self, run: str) -> list[Attempt]:
        """Return every attempt of the steps of a run, in the order in which they began."""
        marks = ", ".join("?" * len(KINDS))
        rows = self.journal.query(
            f"SELECT seq, kind, run, step, attempt, state, time_ns, body FROM event "  # noqa: S608 - question marks
            f"WHERE run = ? AND kind IN ({marks}) ORDER BY seq",
            (run, *KINDS),
        )
        return attempts_of(_event(*row) for row in rows)

    def answers(self, run: str, *, after: int = 0) -> dict[StepId, Answer]:
        """Return the last answer of a person to each step that has one, behind a sequence number.

        None to a step that was changed since: it was another question.
        """
        rows = self.journal.query(_ANSWERS, (run, after))
        found = ((step, attempt, time_ns, json.loads(body)) for step, attempt, time_ns, body in rows)
        return {
            StepId(step): Answer(bool(body["approved"]), body["values"], str(body.get("by", "")), time_ns, attempt)
            for step, attempt, time_ns, body in found
        }

    def resources(self, run: str | None = None, *, step: str | None = None, open_only: bool = True) -> list[Resource]:
        """Return booked resources, oldest first: of a run or of all, of a step or of all."""
        return [_resource(row, self.root) for row in self.journal.query(_RESOURCES, (run, step, open_only))]

    def parts(self, run: str, *, step: str | None = None, table: str | None = None) -> Sequence[Part]:
        """Return the booked parts of a run, oldest first."""
        rows = self.journal.query(_PARTS, (run, step, table))
        return [
            Part(RunId(run), StepId(step), attempt, table, self.root / path, count)
            for run, step, attempt, table, path, count in rows
        ]


def _event(_seq: int, kind: str, run: str, step: str, attempt: int, state: str, time_ns: int, body: str) -> Event:
    return Event(kind, RunId(run), StepId(step), attempt, state, time_ns, json.loads(body))


def _run(row: tuple[Any, ...]) -> RunRecord:
    identity, name, state, workflow, created, ended, params, provenance, sessions, parent, plan = row
    return RunRecord(
        RunId(identity),
        name,
        RunState(state),
        Path(workflow),
        created,
        ended,
        json.loads(params),
        json.loads(provenance),
        sessions,
        RunId(parent) if parent else None,
        plan,
    )


def _step(row: tuple[Any, ...]) -> StepRecord:
    run, identity, name, uses, state, attempt, started, ended, matrix, outputs, error, reason, *rest = row
    took, cpu, memory, origin, fingerprint = rest
    return StepRecord(
        RunId(run),
        StepId(identity),
        name,
        uses,
        StepState(state),
        attempt,
        started,
        ended,
        json.loads(matrix),
        json.loads(outputs),
        json.loads(error),
        reason,
        took,
        cpu,
        memory,
        RunId(origin) if origin else None,
        fingerprint,
    )


def _resource(row: tuple[Any, ...], root: Path) -> Resource:
    identity, run, step, attempt, kind, name, state, external_id, inside, detail, created, expires = row
    return Resource(
        identity,
        RunId(run),
        StepId(step),
        attempt,
        kind,
        name,
        ResourceState(state),
        external_id,
        inside,
        local(json.loads(detail), root),
        created,
        expires,
    )
