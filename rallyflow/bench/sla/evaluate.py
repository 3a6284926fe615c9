"""Judges a benchmark that has ended, and books the verdicts as a part, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rallyflow.bench.load.owner import Owner
from rallyflow.bench.sla.criteria import Samples, Verdict
from rallyflow.bench.sla.spec import Named
from rallyflow.model.step import PartBook
from rallyflow.results.parts import write_part


def judge(criteria: Sequence[Named], samples: Samples) -> list[Verdict]:
    """Return the verdict of every criterion, in their order."""
    return [named.criterion.judge(named.name, samples) for named in criteria]


def book(verdicts: Sequence[Verdict], owner: Owner, folder: Path, parts: PartBook) -> None:
    """Write the verdicts as one part of the table `sla`, unless an earlier attempt has done so."""
    if not verdicts or parts.mine("sla"):
        return
    parts.add([write_part(folder, "sla", "sla", _columns(verdicts, owner))])


def _columns(verdicts: Sequence[Verdict], owner: Owner) -> Mapping[str, Any]:
    return owner.columns(len(verdicts)) | {
        "criterion": [verdict.criterion for verdict in verdicts],
        "action": [verdict.action for verdict in verdicts],
        "wanted": [verdict.wanted for verdict in verdicts],
        "measured": [verdict.measured for verdict in verdicts],
        "passed": [verdict.passed for verdict in verdicts],
        "detail": [verdict.detail for verdict in verdicts],
    }
