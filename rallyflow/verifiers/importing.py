"""`verify/import`: the results of a verification that something else has run."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from rallyflow.model.step import OnResume, Outcome, StepContext, StepModel
from rallyflow.verifiers.booking import outcome
from rallyflow.verifiers.formats import Format, read_results
from rallyflow.verifiers.lists import ReasonsOrFile, all_judged, reasons_of
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs


class ImportInputs(StepModel):
    """The file's `with:`."""

    file: Path = Field(description="The file of results, seen from where rallyflow was started")
    format: Format = Field("auto", description="What it is; `auto` looks at its beginning")
    xfail: ReasonsOrFile = Field(
        default_factory=dict,
        description="Tests that are expected to fail: name or pattern to reason, or a YAML file with that",
    )


class Import(Verifier[ImportInputs]):
    """Take the tests of a subunit stream or a JUnit file as a verification of this run."""

    Inputs = ImportInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: ImportInputs, context: StepContext) -> Outcome[VerifyOutputs]:
        expected = reasons_of(inputs.xfail)
        cases = all_judged(read_results(inputs.file, inputs.format), expected, context.log)
        context.log.info("%d tests are in %s", len(cases), inputs.file)
        return outcome(cases, context)
