"""What every exporter is: a step type that turns measurements into a file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rallyflow.model.step import InputsT, StepModel, StepType


class ReportOutputs(StepModel):
    """What later steps refer to as `steps.NAME.…`."""

    path: Path = Field(description="The file that was written")


class Exporter(StepType[InputsT, ReportOutputs]):
    """Base of the plugins behind `uses: report/…`."""

    Outputs = ReportOutputs
