"""What the author of a workflow may ask of the charts: the models behind `charts:`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rallyflow.model.step import StepModel

Measure = Literal["mean", "median", "p90", "p95", "p99", "max", "throughput", "failure_rate"]


class Line(StepModel):
    """A line chart over the cells of a matrix."""

    x: str | None = Field(
        None, description="The matrix axis along the bottom; by default the numeric one with most values"
    )
    y: Measure = Field("mean", description="What is drawn: a duration, iterations per second, or the share that failed")
    by: str | None = Field(None, description="The matrix axis with a line for each value; by default all other axes")
    action: str | None = Field(None, description="One action, such as nova.boot_server; by default the whole iteration")


class ChartChoice(StepModel):
    """One chart."""

    line: Line = Field(description="A line chart over the cells of a matrix")
