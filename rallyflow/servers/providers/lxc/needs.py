"""What a machine lacks to be a host of containers, for the step itself and for whoever asks beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from rallyflow.errors import HostUnfit, SudoRefused
from rallyflow.model.fitness import Check, Health
from rallyflow.servers.machine import Machine
from rallyflow.servers.providers.lxc.hosts import survey
from rallyflow.servers.providers.lxc.images import THIS_MACHINE, agent_of
from rallyflow.servers.providers.lxc.inputs import LxcInputs


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is missing, and what to do about it; `package` is the Debian package that has it."""

    what: str
    hint: str = ""
    package: str = ""


def problems(machine: Machine, inputs: LxcInputs | None = None) -> list[Problem]:
    """Return what a machine lacks for `provision/lxc`, for these inputs or for the plainest ones.

    Raises ServerUnreachable and the like when the machine can't be asked.
    """
    try:
        found = survey(agent_of(machine), inputs or LxcInputs(count=1))
    except SudoRefused as error:
        return [Problem(f"containers need root: {error.what}", error.hint)]
    except HostUnfit as error:
        return [Problem(error.what, error.hint, "python3")]
    return [Problem(each["what"], each["hint"], each.get("package", "")) for each in found["problems"]]


def examined(inputs: Mapping[str, Any]) -> Iterator[Check]:
    """Say how fit this machine is for the inputs of a file, and whether their image has to be made first."""
    try:
        wanted = LxcInputs.model_validate(inputs)
    except ValidationError:  # some of it is known to the run only
        wanted = LxcInputs(count=1)
    with Machine(THIS_MACHINE) as machine:
        found = problems(machine, wanted)
        for problem in found:
            yield Check("containers", Health.FAIL, problem.what, problem.hint)
        if not found:
            yield Check("containers", Health.OK, "this machine can have them")
            yield _image(machine, wanted)


def _image(machine: Machine, wanted: LxcInputs) -> Check:
    found = survey(agent_of(machine), wanted)
    if found["chain"]:
        return Check("image", Health.OK, "is there")
    if wanted.image:
        return Check(
            "image", Health.FAIL, f"there is no image {wanted.image!r}", "rallyflow images lists those there are"
        )
    return Check("image", Health.OK, "is made first, once: Debian's packages are fetched for that")
