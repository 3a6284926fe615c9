"""Writes docs/crash-matrix.md from what the crash matrix found: `python docs/crash_matrix.py DIR`.

DIR has the lines of JSON that `RALLYFLOW_CRASH_TABLE=DIR ./dev test-slow` writes, one for each trial.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("crash-matrix.md")
FAULTS = {
    "kill": "SIGKILL for the engine and whoever wrote the event, once it is on the disk",
    "kill-before": "the same, just before it would be on the disk",
    "kill-worker": "SIGKILL for the worker process that wrote the event; the engine goes on",
    "stop-worker": "SIGSTOP for that worker, for longer than its heartbeat; the engine goes on",
}
KINDS = (
    *("run_created", "intent", "resource_intended", "resource_created", "parts_booked", "resource_deleted"),
    *("expanded", "outcome", "teardown", "run_ended"),
)
BY_WORKERS = KINDS[2:6]
STEPS = ("", "servers", "own", "outside", "health", "list", "each", "idle", "boot", "report")
OUTCOMES = {
    "resumed": "one `rallyflow resume` led to the end",
    "tried again": "the run itself tried the step again, as its `retry:` says, and came to the end",
    "was done": "everything was done already: `resume` said so",
    "nothing had begun": "the run was not in the journal yet, and nothing was anywhere",
}
INTRODUCTION = """\
<!-- written by docs/crash_matrix.py: change that instead -->

# The crash matrix

What is promised is that a run can be killed at any instant, that one `rallyflow resume` leads to the same end, that
nothing finished runs again, and that nothing created is forgotten. Here is how that is tried, and what came out.

Whatever a run does to the world lies between two events of its journal. So a run of twelve steps,
[crash.yaml](../tests/e2e/crash.yaml), is hit at **every** event in turn. It makes a cloud of its own, uses one that
outlives it, checks an API, runs commands, becomes several steps by a list, measures with and without a cloud, and
writes a report. For each event a run is begun, hit by a fault, resumed where it has died, and compared with one
without a fault.

{faults}

After each trial:

- all twelve steps have succeeded, and the report is there;
- no step that had finished before the fault has run again;
- every iteration of every benchmark is there exactly once;
- the cloud that outlives the run shows, through its own API, no server, volume, image, network, router, port, user or
  project of it;
- nothing is open in the ledger, and no lock is held;
- no process of the run is left;
- `rallyflow doctor --fsck` finds no damage: the tables are what the events say, and each stored part has the rows that
  are booked.

A trial that misses one of these fails the test, and has no row here. To do it again, which takes some ten minutes on
two cores, and to write this page:

```sh
mkdir table
RALLYFLOW_CRASH_TABLE=$PWD/table ./dev test-slow tests/e2e/test_crash_matrix.py
python docs/crash_matrix.py table
```

The test is [test_crash_matrix.py](../tests/e2e/test_crash_matrix.py). It also kills one run again and again,
resume after resume, until it comes to its end; and [test_prefixes.py](../tests/unit/engine/test_prefixes.py)
resumes every prefix of the events of generated workflows. `RALLYFLOW_FAULT=kill:17` in front of `rallyflow apply`
kills a run of yours at event 17 of the journal.

## Every event

How many trials had which outcome, by the kind of the event and the step that it is about. Where a kind occurs several
times for a step, each is a trial. Every number of an event is tried. Steps run side by side, and parts are booked as
time goes by, so that a number is not the same event in each run: some cells have two, and a few have none. For
`kill-before`, the point is what had that number in the run without a fault. A fault for a worker that came to an event
of the engine has hit nobody, and is not counted.
"""
OTHERS = (
    (
        "test_faults",
        (
            (
                "a file of measurements is cut, emptied, removed or overwritten",
                "`resume` books it as dropped and measures its iterations again",
            ),
            ("a file of measurements that was never booked, or is half written", "it does not count"),
            (
                "the journal's log is cut, or a bit of it is flipped, at random places",
                "the last events are lost and no more; `resume` comes to the same end",
            ),
            (
                "pages of the journal are overwritten",
                "every verb that reads them says so in one error, `RF0503`, with what to do",
            ),
            ("a home of an older version, with a killed run", "it is brought up to date, and the run is resumed"),
            ("a home of a newer version", "it is refused, and stays as it is"),
            (
                "the clock is stepped by 400 days, forwards or backwards, in a run or before its resume",
                "durations and order stay right; only the dates move",
            ),
            (
                "the disk is full, at sizes from 16 KiB to the size that is enough, in steps of 24 KiB",
                "the run ends with exit code 4 and says what is missing; with space, `resume` comes to the same end",
            ),
            ("the terminal goes away", "the run ends, no process is left, and `resume` goes on"),
        ),
    ),
    (
        "test_attempts",
        (
            (
                "a worker is stopped for longer than its heartbeat",
                "it is killed (`RF0604`), and the step tried again as its `retry:` says",
            ),
            ("the engine is stopped for longer than a heartbeat", "it goes on, and no worker is taken for dead"),
            (
                "another process asks the run to stop, in either way",
                "it comes to a safe point, or is cancelled; no process is left",
            ),
            (
                "a kill in a command that must not simply be repeated",
                "`resume` pauses with exit code 7, as often as it is called, until a person has answered",
            ),
            ("a second kill of the same command", "it is asked about anew"),
        ),
    ),
    (
        "test_adoption",
        (
            (
                "a kill once a cloud exists whose making has not ended",
                "`resume` takes the cloud over when all of it is there and it is what is wanted",
            ),
            (
                "the same, and what it needs is damaged, or the file wants another cloud meanwhile",
                "it is removed and made anew",
            ),
            ("a kill between the booking of an object and the call that makes it", "it is looked for by its name"),
        ),
    ),
    (
        "test_leases",
        (
            ("the process of a run that holds a lock is killed", "the lock is free at once for the run that waits"),
            (
                "that process is only stopped, and its lease expires",
                "the lock stays its own, and nobody else comes to hold it",
            ),
            ("a run is killed while it waits for a lock", "it keeps nobody waiting, and queues again when resumed"),
            ("a run is stopped while it waits for a lock", "it ends at once, and queues again when resumed"),
        ),
    ),
    (
        "test_network_home",
        (
            ("the home is on a network file system", "the journal does without a write-ahead log, and says so"),
            ("a run with such a home is killed", "`resume` comes to the same end"),
        ),
    ),
    (
        "test_read_only",
        (
            (
                "the home of an ended or killed run can't be written",
                "verbs that only read work and change nothing; others say so in one error",
            ),
        ),
    ),
)


class Trial(NamedTuple):
    """One row of what the test wrote."""

    fault: str
    kind: str
    step: str
    outcome: str


def read(folder: Path) -> list[Trial]:
    """Return the trials that the files of a folder have, without those whose fault has hit nobody."""
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()]
    trials = [Trial(**json.loads(line)) for line in lines]
    return [trial for trial in trials if trial.kind in BY_WORKERS or not trial.fault.endswith("-worker")]


def page(trials: Sequence[Trial]) -> Iterator[str]:
    """Yield the page, line by line."""
    yield INTRODUCTION.format(faults="\n".join(_table(("fault", ""), [(f"`{a}`", b) for a, b in FAULTS.items()])))
    yield from _matrix(trials)
    yield "\nWhat the words mean:\n"
    yield from (f"- **{outcome}**: {meaning}" for outcome, meaning in OUTCOMES.items())
    yield "\n## Other faults\n"
    rows = [
        (fault, outcome, f"[{test}](../tests/e2e/{test}.py)") for test, faults in OTHERS for fault, outcome in faults
    ]
    yield from _table(("fault", "what rallyflow does", "test"), rows)


def _matrix(trials: Sequence[Trial]) -> Iterator[str]:
    points = sorted({(trial.kind, trial.step) for trial in trials}, key=_order)
    rows = [
        (f"`{kind}`", f"`{step}`" if step else "the run", *(_cell(trials, fault, (kind, step)) for fault in FAULTS))
        for kind, step in points
    ]
    total = [_counts(trial for trial in trials if trial.fault == fault) for fault in FAULTS]
    yield from _table(("event", "of", *(f"`{fault}`" for fault in FAULTS)), [*rows, ("**all**", "", *total)])
    yield f"\n{len(trials)} trials: {_counts(trials)}."


def _cell(trials: Sequence[Trial], fault: str, point: tuple[str, str]) -> str:
    return _counts(trial for trial in trials if (trial.fault, trial.kind, trial.step) == (fault, *point))


def _counts(trials: Iterator[Trial] | Sequence[Trial]) -> str:
    counts = Counter(trial.outcome for trial in trials)
    unknown = counts.keys() - OUTCOMES.keys()
    if unknown:
        raise SystemExit(f"no page is made of trials that ended with: {', '.join(sorted(unknown))}")
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if outcome in counts)


def _order(point: tuple[str, str]) -> tuple[int, int, str]:
    kind, step = point
    return KINDS.index(kind), STEPS.index(step.partition("[")[0]), step


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    """Write the page from the folder that is named on the command line."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python docs/crash_matrix.py DIR\n")
        return 1
    trials = read(Path(sys.argv[1]))
    if not trials:
        sys.stderr.write(f"there are no trials in {sys.argv[1]}\n")
        return 1
    PAGE.write_text("\n".join(page(trials)) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
