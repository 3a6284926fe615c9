"""Sets of Debian packages that are named by one word, so that an image can be made with all that a deployer needs."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from rallyflow.errors import InputsInvalid
from rallyflow.hints import did_you_mean

MARK = "@"

SETS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {
        "openstack": (
            "mariadb-server",
            "rabbitmq-server",
            "memcached",
            "keystone",
            "glance",
            "placement-api",
            "nova-api",
            "nova-conductor",
            "nova-scheduler",
            "nova-compute",
            "nova-compute-ironic",  # nova-compute wants a nova-compute-HYPERVISOR: this one brings none, see _INSTEAD
            "neutron-api",
            "neutron-rpc-server",
            "neutron-common",  # has the linuxbridge agent itself: the package of that name only starts it
            "cinder-api",
            "cinder-scheduler",
            "cinder-volume",
            "uwsgi-plugin-python3",
            "python3-openstacksdk",
            "python3-pymysql",
            "crudini",
        ),
        "openstack-controllers": ("haproxy",),
        "openstack-libvirt": ("nova-compute-kvm", "libvirt-daemon-system", "libvirt-clients"),  # has qemu, too
        "openstack-openvswitch": ("openvswitch-switch",),  # neutron's agent is in neutron-common
        "openstack-heat": ("heat-api", "heat-engine"),
        "openstack-swift": ("swift-proxy", "swift-account", "swift-container", "swift-object"),
    }
)
"""Each set by its name, which is written with an at sign among the packages: `@openstack`."""

_INSTEAD = {"nova-compute-kvm": "nova-compute-ironic"}  # Debian lets only one of them be installed


def sets_with(packages: Iterable[str]) -> tuple[str, ...]:
    """Return the sets, as they are written, that have some of the packages in them."""
    wanted = set(packages)
    return tuple(MARK + name for name, those in SETS.items() if wanted.intersection(those))


def expanded(packages: Iterable[str]) -> tuple[str, ...]:
    """Return the names of packages with the sets among them unfolded, each once; InputsInvalid for an unknown set."""
    found: dict[str, None] = {}
    for name in packages:
        if name.startswith(MARK) and name[1:] not in SETS:
            raise InputsInvalid(
                f"there is no set of packages {name!r}", hint=did_you_mean(name, [MARK + known for known in SETS])
            )
        found.update(dict.fromkeys(SETS[name[1:]] if name.startswith(MARK) else (name,)))
    replaced = {_INSTEAD[name] for name in found if name in _INSTEAD}
    return tuple(name for name in found if name not in replaced)
