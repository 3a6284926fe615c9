"""The loads that a workflow can ask for."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, model_validator

from rallyflow.model.step import StepModel
from rallyflow.units import Duration


@dataclass(frozen=True, slots=True)
class Shape:
    """A closed load: `concurrency` iterations at once, for so many iterations or so many seconds.

    Exactly one of `iterations` and `duration` is set.
    """

    concurrency: int
    iterations: int | None = None
    duration: float | None = None


class Serial(StepModel):
    """One iteration after another."""

    iterations: int = Field(default=1, ge=1, description="How many iterations")


class Constant(StepModel):
    """A constant number of iterations at once: as one ends, the next begins."""

    iterations: int | None = Field(default=None, ge=1, description="How many iterations in all")
    duration: Duration | None = Field(default=None, description="For how long iterations are started")
    concurrency: int = Field(default=1, ge=1, le=10_000, description="How many iterations run at once")

    @model_validator(mode="after")
    def _agrees(self) -> Constant:
        if (self.iterations is None) == (self.duration is None):
            raise ValueError("give either iterations or duration")
        if self.duration == 0:
            raise ValueError("a duration of nothing measures nothing")
        if self.iterations is not None and self.concurrency > self.iterations:
            raise ValueError(f"concurrency {self.concurrency} is more than {self.iterations} iterations")
        return self


class Load(StepModel):
    """How iterations are started. Exactly one of its keys."""

    serial: Serial | None = Field(default=None, description="One iteration after another")
    constant: Constant | None = Field(default=None, description="A constant number of iterations at once")

    @model_validator(mode="after")
    def _one_of(self) -> Load:
        if (self.serial is None) == (self.constant is None):
            raise ValueError("give one load: serial or constant")
        return self

    def shape(self) -> Shape:
        """Return what the load asks for, whichever key it was written with."""
        if self.constant is not None:
            given = self.constant
            return Shape(given.concurrency, given.iterations, given.duration)
        return Shape(1, iterations=self.serial.iterations if self.serial else 1)
