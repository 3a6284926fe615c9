"""What there is beside servers: the one compute host, services, availability zones."""

from __future__ import annotations

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.services.nova.life import HOST
from rallyflow.clouds.embedded.services.nova.service import SERVICE
from rallyflow.clouds.embedded.store import Row
from rallyflow.clouds.embedded.web import Fault, Request, Response

_BINARIES = ("nova-conductor", "nova-scheduler", "nova-compute")


@SERVICE.route("GET", "/os-hypervisors", "list_hypervisors")
def list_hypervisors(request: Request) -> Response:
    """List the one hypervisor."""
    request.need_admin("os_compute_api:os-hypervisors:list")
    return Response({"hypervisors": [{"id": _id(request), **_SHORT}]})


@SERVICE.route("GET", "/os-hypervisors/detail", "list_hypervisors")
def list_hypervisors_detail(request: Request) -> Response:
    """List the one hypervisor with all that is known of it."""
    request.need_admin("os_compute_api:os-hypervisors:list-detail")
    return Response({"hypervisors": [_hypervisor(request)]})


@SERVICE.route("GET", "/os-hypervisors/{}", "get_hypervisor")
def get_hypervisor(request: Request) -> Response:
    """Show a hypervisor."""
    request.need_admin("os_compute_api:os-hypervisors:show")
    if request.args[0] != str(_id(request)):
        raise Fault(404, f"Hypervisor with ID '{request.args[0]}' could not be found.")
    return Response({"hypervisor": _hypervisor(request)})


@SERVICE.route("GET", "/os-hypervisors/statistics", "list_hypervisors")
def hypervisor_statistics(request: Request) -> Response:
    """Show the sums over all hypervisors."""
    request.need_admin("os_compute_api:os-hypervisors:statistics")
    return Response({"hypervisor_statistics": {"count": 1, **_used(request)}})


@SERVICE.route("GET", "/os-services", "list_services")
def list_services(request: Request) -> Response:
    """List the processes that a real cloud would have."""
    request.need_admin("os_compute_api:os-services:list")
    wanted = request.query.get("binary")
    rows = [
        {
            "id": f"00000000-0000-0000-0000-00000000000{number}" if request.version >= (2, 53) else number,
            "binary": binary,
            "host": HOST if binary == "nova-compute" else "embedded-controller",
            "zone": "nova" if binary == "nova-compute" else "internal",
            "status": "enabled",
            "state": "up",
            "updated_at": clock.precisely().rstrip("Z"),
            "disabled_reason": None,
            "forced_down": False,
        }
        for number, binary in enumerate(_BINARIES, 1)
    ]
    return Response({"services": [row for row in rows if wanted in (None, row["binary"])]})


@SERVICE.route("GET", "/os-availability-zone", "list_availability_zones")
def list_zones(_request: Request) -> Response:
    """List the one availability zone."""
    return Response({"availabilityZoneInfo": [_ZONE | {"hosts": None}]})


@SERVICE.route("GET", "/os-availability-zone/detail", "list_availability_zones")
def list_zones_detail(request: Request) -> Response:
    """List the one availability zone with its host."""
    request.need_admin("os_compute_api:os-availability-zone:detail")
    services = {"nova-compute": {"active": True, "available": True, "updated_at": None}}
    return Response({"availabilityZoneInfo": [_ZONE | {"hosts": {HOST: services}}]})


@SERVICE.route("GET", "/extensions", "list_extensions")
def list_extensions(_request: Request) -> Response:
    """List the extensions: microversions have replaced them."""
    return Response({"extensions": []})


@SERVICE.route("GET", "/os-aggregates", "list_aggregates")
def list_aggregates(request: Request) -> Response:
    """List the aggregates: none."""
    request.need_admin("os_compute_api:os-aggregates:index")
    return Response({"aggregates": []})


@SERVICE.route("GET", "/os-server-groups", "list_server_groups")
def list_server_groups(_request: Request) -> Response:
    """List the server groups: none."""
    return Response({"server_groups": []})


_ZONE: Row = {"zoneName": "nova", "zoneState": {"available": True}}
_SHORT: Row = {"hypervisor_hostname": HOST, "state": "up", "status": "enabled"}


def _id(request: Request) -> int | str:
    return "00000000-0000-0000-0000-000000000001" if request.version >= (2, 53) else 1


def _hypervisor(request: Request) -> Row:
    return {
        "id": _id(request),
        **_SHORT,
        "hypervisor_type": "embedded",
        "hypervisor_version": 1,
        "host_ip": "127.0.0.1",
        "service": {"host": HOST, "id": _id(request), "disabled_reason": None},
        **({} if request.version >= (2, 88) else _used(request) | {"cpu_info": ""}),
    }


def _used(request: Request) -> Row:
    rows = [row["flavor"] for row in request.cloud.store.rows("servers") if row["host"]]
    vcpus, memory, disk = (sum(flavor[name] for flavor in rows) for name in ("vcpus", "ram", "disk"))
    return {
        "vcpus": 100_000,
        "vcpus_used": vcpus,
        "memory_mb": 400_000_000,
        "memory_mb_used": memory,
        "free_ram_mb": 400_000_000 - memory,
        "local_gb": 1_000_000,
        "local_gb_used": disk,
        "free_disk_gb": 1_000_000 - disk,
        "disk_available_least": 1_000_000 - disk,
        "current_workload": 0,
        "running_vms": len(rows),
    }
