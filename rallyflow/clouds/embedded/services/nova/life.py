"""The lives of servers: what happens to them after the API has answered, and what goes on after a restart."""

from __future__ import annotations

from functools import partial
from typing import Any

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.conductor import Work
from rallyflow.clouds.embedded.services.cinder import attachments
from rallyflow.clouds.embedded.services.glance import snapshots
from rallyflow.clouds.embedded.services.neutron import nics
from rallyflow.clouds.embedded.services.nova import views
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row

HOST = "embedded-compute"


def change(cloud: Simulation, row: Row, **fields: Any) -> Row:
    """Replace some fields of a server."""
    return cloud.store.put("servers", row | fields | {"updated": clock.now()})


def build(cloud: Simulation, server: str) -> None:
    """Start building a server that is in BUILD."""
    cloud.conductor.start(Work.BUILD, partial(_built, cloud, server), entered=partial(_spawning, cloud, server))


def delete(cloud: Simulation, row: Row) -> None:
    """Start removing a server; it is gone when that is done."""
    row = change(cloud, row, task_state="deleting")
    cloud.conductor.start(Work.DELETE, partial(_deleted, cloud, row["id"]))


def snapshot(cloud: Simulation, row: Row, image: str) -> None:
    """Start making an image of a server."""
    change(cloud, row, task_state="image_snapshot", snapshot=image)
    snapshots.begin(cloud, image)
    cloud.conductor.start(Work.SNAPSHOT, partial(_snapshotted, cloud, row["id"], image))


def act(cloud: Simulation, row: Row, *, task: str, then: Row, during: str = "") -> None:
    """Start an action: the server has the status `during`, and at the end the fields `then`."""
    pending = {"task_state": task, "then": then}
    change(cloud, row, **(pending | {"status": during} if during else pending))
    cloud.conductor.start(Work.ACTION, partial(_acted, cloud, row["id"]))


def resume(cloud: Simulation) -> None:
    """Go on with everything that was under way when the process ended."""
    for row in list(cloud.store.rows("servers")):
        if row["task_state"] == "deleting":
            cloud.conductor.start(Work.DELETE, partial(_deleted, cloud, row["id"]))
        elif row["status"] == "BUILD":
            build(cloud, row["id"])
        elif row["task_state"] == "image_snapshot":
            cloud.conductor.start(Work.SNAPSHOT, partial(_snapshotted, cloud, row["id"], row["snapshot"]))
        elif row["task_state"]:
            cloud.conductor.start(Work.ACTION, partial(_acted, cloud, row["id"]))


def _living(cloud: Simulation, server: str) -> Row | None:
    """Return a server unless it is gone or going."""
    row = cloud.store.get("servers", server)
    return None if row is None or row["task_state"] == "deleting" else row


def _spawning(cloud: Simulation, server: str) -> None:
    row = _living(cloud, server)
    if row:
        change(cloud, row, task_state="spawning", host=HOST)


def _built(cloud: Simulation, server: str) -> None:
    row = _living(cloud, server)
    if row is None:
        return
    if cloud.conductor.fails(Work.BUILD):
        message = "Build of instance aborted: the failure_rate of the embedded cloud asks for it"
        fault = {"code": 500, "message": message, "created": clock.now()}
        change(cloud, row, status="ERROR", vm_state="error", task_state=None, fault=fault)
        return
    launched = clock.precisely().rstrip("Z")
    change(cloud, row, status="ACTIVE", vm_state="active", task_state=None, launched_at=launched)


def _deleted(cloud: Simulation, server: str) -> None:
    row = cloud.store.get("servers", server)
    if row is None:
        return
    nics.unplug(cloud, row)
    attachments.detach_all(cloud, row)
    cloud.store.remove("servers", server)
    views.forget(cloud, server)


def _snapshotted(cloud: Simulation, server: str, image: str) -> None:
    row = _living(cloud, server)
    if row is None or cloud.conductor.fails(Work.SNAPSHOT):
        snapshots.fail(cloud, image)
    else:
        snapshots.finish(cloud, image, row["flavor"]["disk"])
    if row:
        change(cloud, row, task_state=None, snapshot="")


def _acted(cloud: Simulation, server: str) -> None:
    row = _living(cloud, server)
    if row:
        change(cloud, row, **({"task_state": None, "then": {}} | row["then"]))
