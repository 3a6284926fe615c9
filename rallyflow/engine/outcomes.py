"""What the journal keeps of the end of an attempt, and of the steps that a foreach step becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rallyflow.engine.attempt import Result
from rallyflow.masking import Mask
from rallyflow.model.plan import PlannedStep
from rallyflow.units import format_duration


def masked(result: Result, mask: Mask) -> Result:
    """Return a result without secrets."""
    if not mask:
        return result
    outputs, error = mask.data(result.outputs), mask.data(result.error)
    return replace(result, outputs=outputs, reason=mask.text(result.reason), error=error)


def without_time(result: Result, planned: PlannedStep) -> Result:
    """Return the result of an attempt that would be repeated, had the step time for that, with a word about it."""
    limit = format_duration(planned.deadline or 0)
    what = f"{result.error['what']}; its timeout of {limit} in all leaves no time to try again"
    return replace(result, error={**result.error, "what": what})


def outcome_body(result: Result, took_s: float) -> dict[str, Any]:
    """Return the body of the event `outcome`."""
    body: dict[str, Any] = {"reason": result.reason, "took_s": took_s, "cpu_s": round(result.cpu_s, 6)}
    if result.memory_bytes:
        body["memory_bytes"] = result.memory_bytes
    if result.outputs is not None:
        body["outputs"] = result.outputs
    if result.error:
        body["error"] = result.error
    return body


def expanded_body(items: Sequence[Any], cells: Sequence[PlannedStep], took_s: float) -> dict[str, Any]:
    """Return the body of the event `expanded`, with all that the journal keeps of steps that no plan file has."""
    return {"outputs": {"items": items}, "cells": [_row(cell) for cell in cells], "took_s": took_s}


def _row(step: PlannedStep) -> Mapping[str, Any]:
    return {
        "id": step.id,
        "name": step.name,
        "uses": step.uses,
        "matrix": dict(step.matrix),
        "fingerprint": step.fingerprint,
    }
