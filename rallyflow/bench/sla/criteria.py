"""The criteria that a benchmark can be held to. Each measures one number and compares it with its limit."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from rallyflow.model.step import StepModel
from rallyflow.units import Duration, Percent, format_duration


class Samples(Protocol):
    """What was measured, as criteria ask for it. `action` None is the whole iteration."""

    def iterations(self) -> tuple[int, int]:
        """Return how many iterations ended, and how many of them failed."""

    def count(self, action: str | None) -> int:
        """Return how many durations there are: of iterations or actions that succeeded."""

    def mean(self, action: str | None) -> float | None:
        """Return their mean in seconds; None when there are none."""

    def quantile(self, action: str | None, fraction: float) -> float | None:
        """Return their exact quantile in seconds; None when there are none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One criterion's answer: a row of the table `sla`. `measured` is seconds or a fraction."""

    criterion: str
    action: str | None
    wanted: str
    measured: float | None
    passed: bool
    detail: str


class Criterion(StepModel):
    """Base of all criteria: its fields are its settings in a workflow."""

    @abstractmethod
    def judge(self, name: str, samples: Samples) -> Verdict:
        """Compare what was measured with the limit; no data never passes. `name` is the file's key."""


class FailureRate(Criterion):
    """At most a share of the iterations may fail."""

    max: Percent = Field(description="The largest share of failed iterations, such as 1%")
    min_samples: int = Field(default=1, ge=1, description="Iterations without which it is missed")

    def judge(self, name: str, samples: Samples) -> Verdict:
        total, failed = samples.iterations()
        wanted = f"<= {self.max:.4g}"
        if total < self.min_samples:
            return _too_few(name, None, wanted, total, self.min_samples)
        rate = failed / total
        detail = f"{failed} of {total} iterations failed ({rate:.2%}), at most {self.max:.2%} may"
        return Verdict(name, None, wanted, rate, rate <= self.max, detail)


class DurationCriterion(Criterion):
    """Base of the criteria that hold a duration to a limit."""

    max: Duration = Field(description="The longest that it may take, such as 30s")
    action: str | None = Field(default=None, description="An action of the scenario; the whole iteration without it")
    min_samples: int = Field(default=1, ge=1, description="Durations without which it is missed")

    @abstractmethod
    def measure(self, samples: Samples) -> float | None:
        """Return the number to compare, in seconds."""

    def judge(self, name: str, samples: Samples) -> Verdict:
        wanted = f"<= {format_duration(self.max)}"
        count = samples.count(self.action)
        measured = self.measure(samples)
        if measured is None or count < self.min_samples:
            return _too_few(name, self.action, wanted, count, self.min_samples)
        of = self.action or "an iteration"
        detail = f"{name} of {of} is {format_duration(measured)}, at most {format_duration(self.max)} is wanted"
        return Verdict(name, self.action, wanted, measured, measured <= self.max, detail)


class Mean(DurationCriterion):
    """The mean of what succeeded."""

    def measure(self, samples: Samples) -> float | None:
        return samples.mean(self.action)


class Percentile(DurationCriterion):
    """An exact percentile of what succeeded."""

    p: float = Field(gt=0, le=100, description="Which one, in percent: 99.9")

    def measure(self, samples: Samples) -> float | None:
        return samples.quantile(self.action, self.p / 100)


def _too_few(name: str, action: str | None, wanted: str, count: int, needed: int) -> Verdict:
    of = action or "the scenario"
    detail = f"{name} of {of} can't be judged: {count} succeeded, at least {needed} must have"
    return Verdict(name, action, wanted, None, passed=False, detail=detail)
