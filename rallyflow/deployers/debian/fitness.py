"""Says no, before anything is changed, where a server can't do what the workflow has chosen."""

from __future__ import annotations

from collections.abc import Collection

from rallyflow.deployers.debian.inputs import DebianInputs
from rallyflow.deployers.debian.layout import Placed, Role
from rallyflow.errors import ServerUnfit


def check_kernel(inputs: DebianInputs, server: Placed, features: Collection[str]) -> None:
    """Raise ServerUnfit when the kernel lacks what the drivers of the server's roles need."""
    if _has_lvm(inputs, server) and "device-mapper" not in features:
        raise ServerUnfit(
            f"{server.name}: its kernel has no device-mapper, which `volume_driver: lvm` needs",
            hint="take a server whose kernel has dm_mod (a container has that of its host), or `volume_driver: fake`",
        )
    if (
        inputs.driver == "libvirt"
        and inputs.virt_type == "kvm"
        and Role.COMPUTE in server.roles
        and "kvm" not in features
    ):
        raise ServerUnfit(
            f"{server.name}: there is no /dev/kvm, which `virt_type: kvm` needs",
            hint="switch virtualisation on where the server runs (for a container: on its host), or `virt_type: qemu`",
        )


def check_volume_group(inputs: DebianInputs, server: Placed, there: Collection[str]) -> None:
    """Raise ServerUnfit when a storage server has not the volume group that volumes are to be made in."""
    if _has_lvm(inputs, server) and inputs.volume_group not in there:
        found = f"it has {', '.join(sorted(there))}" if there else "it has none"
        raise ServerUnfit(
            f"{server.name}: there is no volume group {inputs.volume_group!r}: {found}",
            hint=f"make it there (`vgcreate {inputs.volume_group} DEVICE`), or name another one with `volume_group`",
        )


def _has_lvm(inputs: DebianInputs, server: Placed) -> bool:
    return inputs.volume_driver == "lvm" and Role.STORAGE in server.roles
