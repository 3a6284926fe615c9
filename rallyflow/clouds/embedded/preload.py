"""What a new cloud has: the admin, an image, flavors and two networks."""

from __future__ import annotations

import base64

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.glance import data, images
from rallyflow.clouds.embedded.services.keystone import people, roles
from rallyflow.clouds.embedded.services.neutron import networks, subnets
from rallyflow.clouds.embedded.services.nova import flavors
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row

_FLAVORS = (
    ("1", "m1.tiny", 512, 1, 1),
    ("2", "m1.small", 2048, 1, 20),
    ("3", "m1.medium", 4096, 2, 40),
    ("4", "m1.large", 8192, 4, 80),
)
_IMAGE = base64.b64decode("UUZJ+wAAAAI=") + bytes(504)
"""The start of a qcow2 file: enough to be downloaded and compared, nothing that boots."""


def preload(cloud: Simulation) -> None:
    """Fill a cloud that was never filled to the end; what is there already stays as it is."""
    if cloud.store.get("cloud", "preloaded"):
        return
    for table in ("domains", "projects", "users", "roles", "flavors", "images", "networks", "subnets"):
        for row in list(cloud.store.rows(table)):
            cloud.store.remove(table, row["id"])
    project = _identity(cloud)
    for key, name, ram, vcpus, disk in _FLAVORS:
        flavors.make(cloud, {"id": key, "name": name, "ram": ram, "vcpus": vcpus, "disk": disk})
    content = {"name": "cirros", "visibility": "public", "container_format": "bare", "disk_format": "qcow2"}
    data.write(cloud, images.make(cloud, project, content), _IMAGE)
    _network(cloud, project, {"name": "public", "router:external": True}, "172.24.0.0/16")
    _network(cloud, project, {"name": "private", "shared": True}, "10.1.0.0/16")
    volume_type: Row = {"name": "embedded", "description": "simulated", "is_public": True, "extra_specs": {}}
    cloud.store.put("volume_types", {"id": clock.new_id(), **volume_type})
    cloud.store.put("cloud", {"id": "preloaded", "made_at": clock.now()})


def _identity(cloud: Simulation) -> str:
    """Make the admin; returns the id of the project admin."""
    domain = {"id": "default", "name": "Default", "description": "The default domain", "enabled": True}
    cloud.store.put("domains", domain)
    project = people.make(cloud, "projects", {"name": "admin"})
    password = cloud.settings.password.get_secret_value()
    content = {"name": "admin", "password": password, "default_project_id": project["id"]}
    user = people.make(cloud, "users", content)
    for name in ("admin", "member", "reader"):
        row: Row = {
            "id": clock.new_hex(),
            "name": name,
            "domain_id": None,
            "description": None,
            "options": {},
        }
        cloud.store.put("roles", row)
        if name == "admin":
            for target in (project["id"], "default"):
                roles.assign(cloud, user=user["id"], target=target, role=row["id"])
    return str(project["id"])


def _network(cloud: Simulation, project: str, content: Row, cidr: str) -> None:
    network = networks.NETWORKS.insert(cloud, project, networks.completed(content))
    fields = {"name": f"{content['name']}-subnet", "network_id": network["id"], "cidr": cidr}
    subnets.SUBNETS.insert(cloud, project, subnets.completed(cloud, fields))
