"""The built-in API checks: each proves that a cloud does one thing that every benchmark relies on.

A check gets a `Subject` and returns when all is well. It raises `Unfit` with a sentence when the cloud answers
wrongly, and `NotHere` when the cloud does not have what the check is about. What it makes begins with the subject's
prefix, so that it is found and removed whatever happens.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openstack.connection import Connection

    from rallyflow.model.values import Cloud

NEEDED_SERVICES = ("identity", "compute", "image", "network")
_PATIENCE = 300  # seconds


class Unfit(Exception):  # noqa: N818 - what a check says of a cloud
    """The cloud does not do what it should."""


class NotHere(Exception):  # noqa: N818 - what a check says of a cloud
    """The cloud does not have what the check is about."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The cloud under test, and what checks may use of it."""

    cloud: Cloud
    connection: Connection
    prefix: str
    image: str = ""
    flavor: str = ""

    def name(self, what: str) -> str:
        """Return a name for something that a check makes."""
        return f"{self.prefix}{what}"


def authenticate(subject: Subject) -> None:
    """A token is issued, and the catalogue names the services that everything else needs."""
    missing = [service for service in NEEDED_SERVICES if not subject.connection.has_service(service)]
    if missing:
        raise Unfit(f"the catalogue has no endpoint for: {', '.join(missing)}")


def refuse_wrong_password(subject: Subject) -> None:
    """Keystone answers 401 to a wrong password."""
    from keystoneauth1.exceptions import Unauthorized
    from keystoneauth1.identity import Password
    from keystoneauth1.session import Session

    from rallyflow.clouds.session import HttpSession

    auth = subject.connection.config.config["auth"]
    if "username" not in auth or "user_domain_name" not in auth:
        raise NotHere("clouds.yaml signs in without a user name")
    names = {name: auth[name] for name in ("auth_url", "username", "user_domain_name")}
    wrong = Password(**names, password=os.urandom(12).hex())
    verify, cert = subject.connection.config.get_requests_verify_args()
    try:
        Session(auth=wrong, session=HttpSession(), verify=verify, cert=cert).get_token()
    except Unauthorized:
        return
    raise Unfit("a wrong password was accepted")


def list_flavors(subject: Subject) -> None:
    """There is at least one flavor, with memory and a processor."""
    flavors = list(subject.connection.compute.flavors())
    if not flavors:
        raise Unfit("there is no flavor")
    odd = next((flavor.name for flavor in flavors if not flavor.ram or not flavor.vcpus), None)
    if odd:
        raise Unfit(f"the flavor {odd} has no memory or no processor")


def upload_image(subject: Subject) -> None:
    """An uploaded image becomes active, and its bytes come back."""
    content = os.urandom(64 * 1024)
    image = subject.connection.image.create_image(
        name=subject.name("image"), disk_format="raw", container_format="bare", data=content, wait=True
    )
    shown = subject.connection.image.get_image(image.id)
    if shown.status != "active":
        raise Unfit(f"the image is {shown.status} after its upload")
    if subject.connection.image.download_image(image.id).content != content:
        raise Unfit("the image's bytes are not those that were uploaded")
    subject.connection.image.delete_image(image.id)


def create_network(subject: Subject) -> None:
    """A network with a subnet can be made, found by name, and removed."""
    network = subject.connection.network
    made = network.create_network(name=subject.name("network"))
    network.create_subnet(network_id=made.id, ip_version=4, cidr="10.254.7.0/24", name=subject.name("subnet"))
    found = network.find_network(subject.name("network"))
    if found is None or found.id != made.id:
        raise Unfit("the network that was just made is not found by its name")
    network.delete_network(made.id)
    if network.find_network(subject.name("network")) is not None:
        raise Unfit("the network is still there after it was deleted")


def create_volume(subject: Subject) -> None:
    """A volume becomes available, and can be removed."""
    if not subject.connection.has_service("block-storage"):
        raise NotHere("the cloud has no block storage")
    storage = subject.connection.block_storage
    volume = storage.create_volume(size=1, name=subject.name("volume"))
    storage.wait_for_status(volume, "available", failures=["error"], interval=0.2, wait=_PATIENCE)
    storage.delete_volume(volume)
    storage.wait_for_delete(volume, interval=0.2, wait=_PATIENCE)


def boot_server(subject: Subject) -> None:
    """A server becomes ACTIVE, is in the list, and is gone after it was deleted."""
    compute = subject.connection.compute
    image = _image(subject)
    flavor = _flavor(subject, image)
    server = compute.create_server(name=subject.name("server"), image_id=image.id, flavor_id=flavor.id, networks="none")
    compute.wait_for_server(server, interval=0.2, wait=_PATIENCE)
    if server.id not in {found.id for found in compute.servers(details=False)}:
        raise Unfit("an ACTIVE server is not in the list of servers")
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.2, wait=_PATIENCE)


def answer_not_found(subject: Subject) -> None:
    """Asking for a server that does not exist gives 404, and not an error of the service."""
    from openstack.exceptions import NotFoundException

    try:
        subject.connection.compute.get_server("00000000-0000-4000-8000-000000000000")
    except NotFoundException:
        return
    raise Unfit("a server that does not exist was shown")


def _image(subject: Subject) -> Any:
    """Return the image that is named, or the smallest active one: another project's only if there is nothing else."""
    images = [
        image
        for image in subject.connection.image.images(status="active")
        if subject.image in ("", image.id, image.name) and not (image.name or "").startswith(subject.prefix)
    ]
    if not images:
        raise NotHere(f"there is no active image {subject.image}".rstrip())
    project = subject.connection.current_project_id

    def cost(image: Any) -> tuple[bool, float]:
        foreign = image.visibility != "public" and image.owner != project  # an admin is shown everybody's
        return foreign, image.size or math.inf  # a snapshot of a volume has no size

    return min(images, key=cost)


def _flavor(subject: Subject, image: Any) -> Any:
    """Return the flavor that is named, or the one with the least memory of those in which the image boots."""
    flavors = [
        flavor for flavor in subject.connection.compute.flavors() if subject.flavor in ("", flavor.id, flavor.name)
    ]
    if not flavors:
        raise NotHere(f"there is no flavor {subject.flavor}".rstrip())

    def cost(flavor: Any) -> tuple[bool, int]:
        ram, disk = flavor.ram or 0, flavor.disk or 0
        too_small = ram < (image.min_ram or 0) or 0 < disk < (image.min_disk or 0)  # 0 is as large as the image
        return too_small, ram

    return min(flavors, key=cost)


CHECKS: dict[str, Callable[[Subject], None]] = {
    "identity.authenticate": authenticate,
    "identity.refuse_wrong_password": refuse_wrong_password,
    "compute.list_flavors": list_flavors,
    "compute.answer_not_found": answer_not_found,
    "image.upload_and_download": upload_image,
    "network.create_and_delete": create_network,
    "volume.create_and_delete": create_volume,
    "compute.boot_and_delete": boot_server,
}
"""Every check by name, in the order in which they run."""
