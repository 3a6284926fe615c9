"""Reads the tests of earlier verifications from what a home has kept."""

from __future__ import annotations

from rallyflow.errors import NotFound
from rallyflow.model.records import StepRecord
from rallyflow.model.step import History
from rallyflow.verifiers.case import BAD


def failed_of(place: str, history: History) -> set[str]:
    """Return the tests that failed in an earlier verification, named as RUN or RUN:STEP.

    Raises NotFound when there is no such verification, or when nothing failed in it.
    """
    step, run = verification_of(place, history), place.partition(":")[0]
    names = _bad_names(run, step, history)
    if not names:
        raise NotFound(f"no test failed in {step.id} of run {run}", hint="there is nothing to run again")
    return names


def verification_of(place: str, history: History) -> StepRecord:
    """Return the step that RUN or RUN:STEP names. Raises NotFound when there is none, or more than one."""
    run, _, wanted = place.partition(":")
    steps = [step for step in history.steps(run) if step.outputs.get("verification")]
    chosen = [step for step in steps if wanted in ("", step.id)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(step.id for step in steps)
    if not steps:
        raise NotFound(f"run {run} has no verification")
    what = f"run {run} has no verification {wanted!r}" if wanted else f"run {run} has {len(steps)} verifications"
    raise NotFound(what, hint=f"there are: {names}; name one as {run}:STEP")


def _bad_names(run: str, step: StepRecord, history: History) -> set[str]:
    import pyarrow.parquet as pq

    parts = [part for part in history.parts(run) if part.table == "tests" and part.step == step.id]
    last = max((part.attempt for part in parts), default=0)
    names: set[str] = set()
    for part in parts:
        if part.attempt == last:
            table = pq.read_table(part.path, columns=["name", "state"])
            rows = zip(table["name"].to_pylist(), table["state"].to_pylist(), strict=True)
            names |= {name for name, state in rows if state in BAD}
    return names
