"""The table of steps: when each ran, as shares of the run's time. Large matrices are one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from rallyflow.model.records import StepRecord
from rallyflow.report.content import StepRow

MOST_CELLS = 12


def rows(steps: Sequence[StepRecord]) -> list[StepRow]:
    """Return the rows in the plan's order; the cells of a matrix with more than twelve are put together."""
    starts = [step.started_ns for step in steps if step.started_ns]
    ends = [step.ended_ns or step.started_ns for step in steps]
    first, last = min(starts, default=0), max(ends, default=0)
    found: list[StepRow] = []
    for _name, members in groupby(steps, key=lambda step: step.name):
        group = list(members)
        sets = [group] if len(group) > MOST_CELLS else [[step] for step in group]
        found += [_row(together, first, max(last - first, 1)) for together in sets]
    return found


def _row(steps: Sequence[StepRecord], first: int, length: int) -> StepRow:
    started = min((step.started_ns for step in steps if step.started_ns), default=0)
    ended = max((step.ended_ns for step in steps), default=0)
    measurable = bool(started and ended >= started)
    reasons = [str(step.error.get("what") or step.reason) for step in steps if step.error or step.reason]
    return StepRow(
        steps[0].id if len(steps) == 1 else f"{steps[0].name} ({len(steps)} cells)",
        steps[0].uses,
        dict(Counter(str(step.state) for step in steps)),
        max(step.attempt for step in steps),
        started,
        (ended - started) / 1e9 if measurable else None,
        (started - first) / length if started else 0.0,
        (ended - started) / length if measurable else 0.0,
        reasons[0] if reasons else "",
    )
