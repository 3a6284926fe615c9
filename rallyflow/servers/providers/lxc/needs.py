"""What a machine lacks to be a host of containers, for the step itself and for whoever asks beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from rallyflow.errors import HostUnfit, SudoRefused
from rallyflow.servers.machine import Machine
from rallyflow.servers.providers.lxc.hosts import survey
from rallyflow.servers.providers.lxc.images import agent_of
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
