"""The sentence at the top of a report: what ran, and did it hold."""

from __future__ import annotations

from collections.abc import Sequence

from rallyflow.model.records import RunRecord, StepRecord
from rallyflow.model.states import RunState, StepState
from rallyflow.report.content import Benchmark, Verdict, Verification
from rallyflow.report.words import count, percent, plural

_WORST = (
    StepState.ERRORED,
    StepState.FAILED,
    StepState.INTERRUPTED,
    StepState.CANCELLED,
    StepState.INCONCLUSIVE,
    StepState.SUCCEEDED,
)


def verdict(
    run: RunRecord,
    steps: Sequence[StepRecord],
    benchmarks: Sequence[Benchmark],
    verifications: Sequence[Verification],
) -> Verdict:
    """Return the verdict of a run; of its steps so far while it is open, as it is for its own report."""
    state = run.state.value if run.state is not RunState.RUNNING else _state_of(steps)
    sentences = [_trouble(state, steps), _benchmarks(benchmarks), _tests(verifications)]
    return Verdict(state, " ".join(sentence for sentence in sentences if sentence) or _done(run, steps))


def _state_of(steps: Sequence[StepRecord]) -> str:
    present = {step.state for step in steps}
    return next((state.value for state in _WORST if state in present), RunState.RUNNING.value)


def _trouble(state: str, steps: Sequence[StepRecord]) -> str:
    """Return what went wrong first, beyond what benchmarks and verifications say themselves."""
    if state in (StepState.CANCELLED, StepState.INTERRUPTED):
        done = count(sum(step.state.final for step in steps))
        return f"The run was stopped before its end: {done} of {plural(len(steps), 'step')} are done."
    bad = [step for step in steps if step.state.value == state and state != StepState.SUCCEEDED]
    if state == StepState.ERRORED and bad:
        more = f" (and {plural(len(bad) - 1, 'more step')})" if len(bad) > 1 else ""
        return f"{bad[0].id} could not be done{more}: {_why(bad[0])}."
    if state == StepState.INCONCLUSIVE and bad:
        return f"{bad[0].id} ran, but its figures can't be trusted: {_why(bad[0])}."
    return _failed(bad) if state == StepState.FAILED else ""


def _failed(bad: Sequence[StepRecord]) -> str:
    """Say it for steps that are neither benchmarks nor verifications: those have sentences of their own."""
    others = [step for step in bad if step.uses != "benchmark" and not step.uses.startswith("verify/")]
    return f"{others[0].id} failed: {_why(others[0])}." if others else ""


def _benchmarks(benchmarks: Sequence[Benchmark]) -> str:
    measured = [benchmark for benchmark in benchmarks if benchmark.summary.count]
    if not measured:
        return ""
    judged = [benchmark for benchmark in measured if benchmark.held is not None]
    missed = [benchmark for benchmark in judged if not benchmark.held]
    total = sum(benchmark.summary.count for benchmark in measured)
    failed = sum(benchmark.summary.failed for benchmark in measured)
    load = f"{plural(total, 'iteration')}, {_of_them_failed(failed, total)}"
    if not judged:
        return f"{plural(len(measured), 'benchmark')} ran without a service level to hold: {load}."
    if not missed:
        subject = "The benchmark" if len(judged) == 1 else f"All {count(len(judged))} benchmarks"
        return f"{subject} held {'its' if len(judged) == 1 else 'their'} service level: {load}."
    first = next(criterion for criterion in missed[0].criteria if not criterion.passed)
    subject = "The benchmark" if len(judged) == 1 else f"{count(len(missed))} of {plural(len(judged), 'benchmark')}"
    which = f"{missed[0].record.id}: " if len(judged) > 1 else ""
    return f"{subject} missed the service level: {load}. {which}{_sentence(first.detail)}"


def _of_them_failed(failed: int, total: int) -> str:
    return f"{count(failed)} of them failed ({percent(failed / total)})" if failed else "none failed"


def _tests(verifications: Sequence[Verification]) -> str:
    passed, skipped = (
        sum(verification.counted(state) for verification in verifications) for state in ("passed", "skipped")
    )
    failed = sum(verification.bad for verification in verifications)
    if not any(verification.tests for verification in verifications):
        return ""
    text = f"{plural(passed, 'test')} passed, {count(failed) if failed else 'none'} failed"
    return f"{text}, {count(skipped)} skipped." if skipped else f"{text}."


def _done(run: RunRecord, steps: Sequence[StepRecord]) -> str:
    """Return what there is to say of a run that neither measured anything nor has trouble."""
    done = [step for step in steps if step.state is StepState.SUCCEEDED]
    return f"{run.name} did {plural(len(done), 'step')}, and nothing failed."


def _why(step: StepRecord) -> str:
    return str(step.error.get("what") or step.reason or "no reason was recorded").rstrip(".")


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text}." if text and not text.endswith((".", "!")) else text
