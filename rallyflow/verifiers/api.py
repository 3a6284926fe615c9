"""The verifier of the built-in API checks: a minute that tells whether a cloud is worth a benchmark."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from rallyflow.errors import CloudUnreachable, RallyflowError
from rallyflow.hints import did_you_mean
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel
from rallyflow.model.values import Cloud, Verification
from rallyflow.verifiers.checks import CHECKS, NotHere, Subject, Unfit
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs

if TYPE_CHECKING:
    from rallyflow.clouds.resources import OpenStackObjects


class ApiInputs(StepModel):
    """The inputs of `uses: verify/api`."""

    cloud: Cloud = Field(description="The cloud to check")
    checks: tuple[str, ...] = Field(tuple(CHECKS), description="Which checks to run; default: all of them")
    image: str = Field("", description="Image to boot from; default: the smallest active one")
    flavor: str = Field("", description="Flavor to boot with; default: the one with the least memory")

    @field_validator("checks")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in CHECKS:
                raise PydanticCustomError(
                    "rallyflow_check",
                    "there is no check '{name}'",
                    {"name": name, "hint": did_you_mean(name, CHECKS)},
                )
        return names


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check ended."""

    name: str
    state: str  # passed, failed, skipped
    started_ns: int
    duration_ns: int
    message: str = ""


class ApiChecks(Verifier[ApiInputs]):
    """Check that a cloud's APIs do what every benchmark relies on."""

    Inputs = ApiInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: ApiInputs, context: StepContext) -> Outcome[VerifyOutputs]:
        from rallyflow.clouds.connection import connect, translated
        from rallyflow.clouds.resources import OpenStackObjects

        prefix = f"{context.tag}-v-"
        with translated(f"signing in to the cloud {inputs.cloud.name}"):
            connection = connect(inputs.cloud)
            connection.authorize()
        row = context.ledger.intend(
            "openstack.objects",
            prefix,
            inside=inputs.cloud.ledger_id,
            detail={"cloud": inputs.cloud.model_dump(mode="json"), "projects": []},
        )
        subject = Subject(inputs.cloud, connection, prefix, inputs.image, inputs.flavor)
        try:
            findings = _run_checks(inputs.checks, subject, context)
        finally:
            connection.close()
            _remove(OpenStackObjects(), row, context)
        _book(findings, context)
        return _outcome(findings, context)


def _run_checks(names: Sequence[str], subject: Subject, context: StepContext) -> list[Finding]:
    findings: list[Finding] = []
    for number, name in enumerate(names):
        context.report(Progress(number, len(names), name))
        finding = _run_check(name, subject)
        context.log.info("%s %s %s", finding.state, name, finding.message)
        findings.append(finding)
    return findings


def _run_check(name: str, subject: Subject) -> Finding:
    from rallyflow.clouds.connection import translated

    started, clock = time.time_ns(), time.perf_counter_ns()

    def finding(state: str, message: str = "") -> Finding:
        return Finding(name, state, started, time.perf_counter_ns() - clock, message)

    try:
        with translated(name):
            CHECKS[name](subject)
    except NotHere as reason:
        return finding("skipped", str(reason))
    except Unfit as reason:
        return finding("failed", str(reason))
    except CloudUnreachable:
        raise
    except RallyflowError as error:
        return finding("failed", error.what)
    return finding("passed")


def _remove(objects: OpenStackObjects, row: int, context: StepContext) -> None:
    """Remove what the checks left; what can't go now stays in the ledger, and is no verdict on the cloud."""
    mine = next(resource for resource in context.ledger.open() if resource.id == row)
    try:
        objects.delete(mine)
    except RallyflowError as error:
        context.log.warning("what the checks made is not all removed yet: %s", error)
    else:
        context.ledger.deleted(row)


def _book(findings: Sequence[Finding], context: StepContext) -> None:
    from rallyflow.results.parts import write_part

    count = len(findings)
    columns: dict[str, Sequence[object]] = {
        "run": [context.run] * count,
        "step": [context.step] * count,
        "attempt": [context.attempt] * count,
        "name": [finding.name for finding in findings],
        "state": [finding.state for finding in findings],
        "started_ns": [finding.started_ns for finding in findings],
        "duration_ns": [finding.duration_ns for finding in findings],
        "message": [finding.message for finding in findings],
    }
    context.parts.add([write_part(context.results, "tests", "tests", columns)])


def _outcome(findings: Sequence[Finding], context: StepContext) -> Outcome[VerifyOutputs]:
    counts = {state: sum(finding.state == state for finding in findings) for state in ("passed", "failed", "skipped")}
    outputs = VerifyOutputs(verification=Verification(step=context.step, **counts))
    summary = f"{counts['passed']} of {len(findings)} checks passed"
    if not counts["failed"]:
        return Outcome(outputs, reason=summary)
    first = next(finding for finding in findings if finding.state == "failed")
    return Outcome(outputs, StepState.FAILED, f"{summary}; {first.name}: {first.message}")
