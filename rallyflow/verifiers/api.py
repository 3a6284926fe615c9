"""The verifier of the built-in API checks: a minute that tells whether a cloud is worth a benchmark."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from rallyflow.errors import CloudUnreachable, RallyflowError
from rallyflow.hints import did_you_mean
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel
from rallyflow.model.values import Cloud
from rallyflow.verifiers.booking import outcome
from rallyflow.verifiers.case import Case, CaseState
from rallyflow.verifiers.checks import CHECKS, NotHere, Subject, Unfit
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs

if TYPE_CHECKING:
    from rallyflow.clouds.resources import OpenStackObjects


class ApiInputs(StepModel):
    """The inputs of `uses: verify/api`."""

    cloud: Cloud = Field(description="The cloud to check")
    checks: tuple[str, ...] = Field(tuple(CHECKS), description="Which checks to run; default: all of them")
    image: str = Field("", description="Name or id of the image to boot from; default: the smallest active one")
    flavor: str = Field(
        "",
        description="Name or id of the flavor to boot with; default: the smallest that the image boots in",
    )

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
            cases = _run_checks(inputs.checks, subject, context)
        finally:
            connection.close()
            _remove(OpenStackObjects(), row, context)
        return outcome(cases, context, what="checks")


def _run_checks(names: Sequence[str], subject: Subject, context: StepContext) -> list[Case]:
    cases: list[Case] = []
    for number, name in enumerate(names):
        context.report(Progress(number, len(names), name))
        case = _run_check(name, subject)
        context.log.info("%s %s %s", case.state, name, case.message)
        cases.append(case)
    return cases


def _run_check(name: str, subject: Subject) -> Case:
    from rallyflow.clouds.connection import translated

    started, clock = time.time_ns(), time.perf_counter_ns()

    def case(state: CaseState, message: str = "") -> Case:
        return Case(name, state, started, time.perf_counter_ns() - clock, message)

    try:
        with translated(name):
            CHECKS[name](subject)
    except NotHere as reason:
        return case(CaseState.SKIPPED, str(reason))
    except Unfit as reason:
        return case(CaseState.FAILED, str(reason))
    except CloudUnreachable:
        raise
    except RallyflowError as error:
        return case(CaseState.FAILED, error.what)
    return case(CaseState.PASSED)


def _remove(objects: OpenStackObjects, row: int, context: StepContext) -> None:
    """Remove what the checks left; what can't go now stays in the ledger, and is no verdict on the cloud."""
    mine = next(resource for resource in context.ledger.open() if resource.id == row)
    try:
        objects.delete(mine)
    except RallyflowError as error:
        context.log.warning("what the checks made is not all removed yet: %s", error)
    else:
        context.ledger.deleted(row)
