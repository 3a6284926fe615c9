"""Keeps the tests of a verification as rows, and says how the verification ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rallyflow.masking import Mask
from rallyflow.model.secret import Secret
from rallyflow.model.states import StepState
from rallyflow.model.step import Outcome, StepContext
from rallyflow.verifiers.case import Case, summary, totals
from rallyflow.verifiers.verifier import VerifyOutputs

_LONGEST = 300
"""Characters of the first failure's message that the outcome names."""


def book(cases: Sequence[Case], context: StepContext) -> None:
    """Write the tests as one part of the table `tests`, and book it. Raises DiskFull or StorageError."""
    from rallyflow.results.parts import write_part

    count = len(cases)
    columns: dict[str, Sequence[object]] = {
        "run": [context.run] * count,
        "step": [context.step] * count,
        "attempt": [context.attempt] * count,
        "name": [case.name for case in cases],
        "state": [case.state.value for case in cases],
        "started_ns": [case.started_ns for case in cases],
        "duration_ns": [case.duration_ns for case in cases],
        "message": [case.message for case in cases],
        "detail": [case.detail or None for case in cases],
        "tags": [",".join(case.tags) or None for case in cases],
        "worker": [case.worker or None for case in cases],
        "attempts": [case.attempts for case in cases],
    }
    context.parts.add([write_part(context.results, "tests", "tests", columns)])


def masked(cases: Sequence[Case], secrets: Sequence[Secret]) -> list[Case]:
    """Return the tests without secrets in what they say."""
    mask = Mask(secrets)
    if not mask:
        return list(cases)
    return [
        replace(
            case,
            name=mask.text(case.name),
            message=mask.text(case.message),
            detail=mask.text(case.detail),
        )
        for case in cases
    ]


def outcome(
    cases: Sequence[Case],
    context: StepContext,
    versions: Mapping[str, str] | None = None,
    *,
    cut: str = "",
    what: str = "tests",
) -> Outcome[VerifyOutputs]:
    """Book the tests and return how the verification ended: failed when any test is bad.

    `cut` says why it came to no end of its own: `stop`, then it was interrupted, or `timeout`.
    """
    cases = masked(cases, context.secrets)
    book(cases, context)
    verification = totals(context.step, cases, **(versions or {}))
    outputs = VerifyOutputs(verification=verification)
    text = summary(verification, what)
    if cut == "stop":
        return Outcome(outputs, StepState.INTERRUPTED, f"stopped early: {text}")
    if cut == "timeout":
        text = f"ended by its timeout: {text}"
    first = next((case for case in cases if case.state.bad), None)
    if first is None and cut != "timeout":
        return Outcome(outputs, reason=text)
    named = f"; {first.name}: {' '.join(first.message.split())[:_LONGEST]}" if first else ""
    return Outcome(outputs, StepState.FAILED, f"{text}{named}")
