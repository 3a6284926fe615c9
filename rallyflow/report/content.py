"""What a report says, before it is a page: plain values, complete, and ready to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rallyflow.model.records import RunRecord, StepRecord
from rallyflow.report.figures import Figure
from rallyflow.report.words import SECONDS, Unit, count, plural
from rallyflow.results.queries import Criterion, Failure, Session, Test
from rallyflow.stats.cells import Cell
from rallyflow.stats.summary import ActionSummary, Summary

NOTHING = Summary(0, 0, None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run stands: a state's name, and one sentence that a manager understands."""

    state: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Health:
    """A sentence about the load generator; `good` is False when the figures may be its own."""

    sentence: str
    good: bool = True


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark, or one cell of a benchmark's matrix."""

    cell: Cell
    record: StepRecord
    scenario: str = ""
    summary: Summary = NOTHING
    actions: Sequence[ActionSummary] = ()
    criteria: Sequence[Criterion] = ()
    failures: Sequence[Failure] = ()
    sessions: Sequence[Session] = ()
    trends: Sequence[str] = ()
    health: Sequence[Health] = ()
    figures: Sequence[Figure] = ()
    unit: Unit = SECONDS

    @property
    def seconds(self) -> float:
        """For how long there was load, without the gaps between sessions of a resumed run."""
        return sum(session.seconds for session in self.sessions)

    @property
    def throughput(self) -> float | None:
        """Successful iterations per second of load; None without any."""
        return self.summary.ok / self.seconds if self.seconds > 0 and self.summary.ok else None

    @property
    def failure_rate(self) -> float | None:
        """The share of iterations that failed, 0 to 1; None without iterations."""
        return self.summary.failed / self.summary.count if self.summary.count else None

    @property
    def trouble(self) -> str:
        """Why the benchmark did not simply succeed; empty when it did."""
        return str(self.record.error.get("what") or self.record.reason)

    @property
    def held(self) -> bool | None:
        """Whether every criterion of the service level was met; None when none was evaluated."""
        return all(criterion.passed for criterion in self.criteria) if self.criteria else None


@dataclass(frozen=True, slots=True)
class Group:
    """The cells of one benchmark step; a benchmark without a matrix is a group of one."""

    name: str
    cells: Sequence[Benchmark]
    axes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    unit: Unit = SECONDS
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """A verification with its tests."""

    record: StepRecord
    tests: Sequence[Test]

    def counted(self, state: str) -> int:
        """Return how many tests are in a state: passed, failed, skipped, ..."""
        return sum(test.state == state for test in self.tests)

    def counts(self, states: Sequence[str]) -> dict[str, int]:
        """Return how many tests are in each state."""
        return {state: self.counted(state) for state in states}

    @property
    def bad(self) -> int:
        """How many tests count as failures."""
        return sum(self.counted(state) for state in ("failed", "errored", "uxsuccess"))

    @property
    def flaky(self) -> int:
        """How many tests passed only when they were run again."""
        return sum(test.state == "passed" and test.attempts > 1 for test in self.tests)

    @property
    def sentence(self) -> str:
        """How the tests ended."""
        texts = [f"{plural(self.counted('passed'), 'test')} passed"]
        texts += [f"{count(self.flaky)} of them only when run again"] if self.flaky else []
        texts += [f"{count(self.counted('failed'))} failed"]
        named = {"errored": "without a result", "uxsuccess": "passed unexpectedly", "xfail": "failed as expected"}
        texts += [f"{count(self.counted(state))} {name}" for state, name in named.items() if self.counted(state)]
        texts += [f"{count(self.counted('skipped'))} skipped"]
        return f"{', '.join(texts)}."


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step, or all cells of a large matrix. `offset` and `width` are shares of the run's time."""

    name: str
    uses: str
    states: Mapping[str, int]
    attempts: int
    started_ns: int
    seconds: float | None
    offset: float
    width: float
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page."""

    title: str
    run: RunRecord
    verdict: Verdict
    simulated: str  # which clouds are simulated; empty when none is
    facts: Sequence[tuple[str, str]]
    provenance: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, Sequence[tuple[str, str]]]]  # clouds that have the same, and what of each package
    seams: Sequence[str]
    steps: Sequence[StepRow]
    verifications: Sequence[Verification]
    groups: Sequence[Group]
    workflow: str
    made: str

    def figure_count(self) -> int:
        """Return how many charts the page has."""
        cells = [cell for group in self.groups for cell in group.cells]
        return sum(len(group.figures) for group in self.groups) + sum(len(cell.figures) for cell in cells)


def clouds(steps: Sequence[StepRecord]) -> dict[str, Mapping[str, Any]]:
    """Return the clouds that steps gave, by the step's id."""
    return {
        step.id: cloud for step in steps if isinstance(cloud := step.outputs.get("cloud"), Mapping) and "kind" in cloud
    }
