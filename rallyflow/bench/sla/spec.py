"""Reads the list `sla:` of a workflow: each entry is a mapping with one key, the name of a criterion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rallyflow import plugins
from rallyflow.bench.scenarios.linker import closest
from rallyflow.bench.scenarios.model import Problem
from rallyflow.bench.sla.criteria import Criterion, DurationCriterion, FailureRate, Percentile

_PERCENTILES: Mapping[str, float] = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
"""Short names: `p95: {max: 2s}` is `percentile: {p: 95, max: 2s}`."""


@dataclass(frozen=True, slots=True)
class Named:
    """A criterion with the name that it has in the file."""

    name: str
    criterion: Criterion


def criteria_names() -> list[str]:
    """Return everything that an entry's key can be."""
    return sorted({*_PERCENTILES, *plugins.names("sla")})


def read_sla(entries: Sequence[Mapping[str, Any]]) -> list[Named]:
    """Return the criteria of entries that `validate_sla` found right; without any, nothing may fail."""
    if not entries:
        return [Named("failure_rate", FailureRate(max=0))]
    return [_read(name, settings) for entry in entries for name, settings in entry.items()]


def validate_sla(entries: Any, actions: Sequence[str] | None) -> list[Problem]:
    """Return what is wrong with `sla:`. `actions` are those of the scenario, None when it is not known."""
    if not isinstance(entries, list | tuple):
        return []
    return [problem for index, entry in enumerate(entries) for problem in _wrong(index, entry, actions)]


def _read(name: str, settings: Any) -> Named:
    if name in _PERCENTILES:
        return Named(name, Percentile.model_validate({"p": _PERCENTILES[name], **settings}))
    criterion: Criterion = plugins.load("sla", name).model_validate(settings)
    return Named(f"p{criterion.p:g}" if isinstance(criterion, Percentile) else name, criterion)


def _wrong(index: int, entry: Any, actions: Sequence[str] | None) -> list[Problem]:
    if not isinstance(entry, Mapping):
        return []
    if len(entry) != 1:
        return [Problem(("sla", index), "must have one key, the name of a criterion")]
    name, settings = next(iter(entry.items()))
    if name not in criteria_names():
        hint = closest(str(name), criteria_names())
        return [Problem(("sla", index, name), f"there is no criterion {name!r}", hint)]
    if not isinstance(settings, Mapping):
        return [Problem(("sla", index, name), "must be a mapping such as {max: 30s}")]
    return [
        Problem(("sla", index, name, *problem.loc), problem.what, problem.hint)
        for problem in _wrong_settings(name, settings, actions)
    ]


def _wrong_settings(name: str, settings: Mapping[str, Any], actions: Sequence[str] | None) -> list[Problem]:
    if name in _PERCENTILES and "p" in settings:
        return [Problem(("p",), f"{name} is a percentile already", "write `percentile: {p: ..., max: ...}`")]
    try:
        criterion = _read(name, settings).criterion
    except ValidationError as error:
        return [Problem(tuple(found["loc"]), found["msg"]) for found in error.errors()]
    action = criterion.action if isinstance(criterion, DurationCriterion) else None
    if action is not None and actions is not None and action not in actions:
        return [Problem(("action",), f"the scenario has no action {action!r}", closest(action, actions))]
    return []
