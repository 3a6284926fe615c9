"""Reads verifications of a home, with their tests, for what shows and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rallyflow.errors import UsageError
from rallyflow.model.records import RunRecord, StepRecord
from rallyflow.model.step import History
from rallyflow.results import catalogue, queries
from rallyflow.results.queries import Test

STATES = ("passed", "failed", "errored", "uxsuccess", "xfail", "skipped")
WORDS = {
    "errored": "without a result",
    "uxsuccess": "passed unexpectedly",
    "xfail": "failed as expected",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A verification with its tests, those that failed first."""

    run: RunRecord
    step: StepRecord
    tests: Sequence[Test] = ()

    @property
    def place(self) -> str:
        """What it is called on the command line: RUN:STEP."""
        return f"{self.run.id}:{self.step.id}"

    @property
    def counts(self) -> dict[str, int]:
        """How many tests are in each state, as its outputs have it."""
        given = self.step.outputs.get("verification") or {}
        return {state: int(given.get(state) or 0) for state in STATES}

    @property
    def flaky(self) -> int:
        """How many tests passed only when they were run again."""
        return int((self.step.outputs.get("verification") or {}).get("flaky") or 0)

    @property
    def seconds(self) -> float:
        """How long the step took."""
        return self.step.took_ns / 1e9

    @property
    def versions(self) -> dict[str, str]:
        """What verified."""
        return dict((self.step.outputs.get("verification") or {}).get("versions") or {})


def of_run(history: History, run: RunRecord) -> list[Loaded]:
    """Return the verifications of a run without their tests, in the order of its plan."""
    steps = history.steps(run.id)
    return [Loaded(run, step) for step in steps if isinstance(step.outputs.get("verification"), dict)]


def load(history: History, chosen: Sequence[Loaded]) -> list[Loaded]:
    """Return verifications with their tests. Raises StorageError when the measurements can't be read."""
    wanted = {(each.run.id, each.step.id) for each in chosen}
    parts = [
        part
        for run in dict.fromkeys(each.run.id for each in chosen)
        for part in history.parts(run)
        if part.table == "tests" and (part.run, part.step) in wanted
    ]
    with catalogue.connect([], [], parts) as connection:
        tests = queries.tests(connection)
    return [Loaded(each.run, each.step, tests.get((each.run.id, each.step.id), [])) for each in chosen]


def chosen_of(history: History, run: RunRecord, step: str, reference: str) -> list[Loaded]:
    """Return the verification of a step of a run, or all of the run without one. Raises UsageError without any."""
    found = of_run(history, run)
    chosen = [each for each in found if step in ("", each.step.id, each.step.name)]
    if chosen:
        return chosen
    if not found:
        raise UsageError(
            f"run {run.id} has no verification", hint="`rallyflow verification list` lists those that there are"
        )
    names = ", ".join(each.step.id for each in found)
    raise UsageError(f"{reference}: there is no verification {step!r} in run {run.id}", hint=f"there are: {names}")
