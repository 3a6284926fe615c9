"""What the volume backend does after the API has answered: rows become available, or go."""

from __future__ import annotations

from functools import partial

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.conductor import Work
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.store import Row

TABLES = ("volumes", "volume_snapshots")


def change(cloud: Simulation, table: str, row: Row, **fields: object) -> Row:
    """Replace some fields of a volume or a snapshot."""
    return cloud.store.put(table, row | fields | {"updated_at": clock.precisely().rstrip("Z")})


def make(cloud: Simulation, table: str, key: str) -> None:
    """Start making a row's volume or snapshot."""
    cloud.conductor.start(Work.VOLUME, partial(_made, cloud, table, key))


def remove(cloud: Simulation, table: str, row: Row) -> None:
    """Start removing a volume or a snapshot."""
    change(cloud, table, row, status="deleting")
    cloud.conductor.start(Work.VOLUME, partial(cloud.store.remove, table, row["id"]))


def resume(cloud: Simulation) -> None:
    """Go on with everything that was under way when the process ended."""
    for table in TABLES:
        for row in list(cloud.store.rows(table)):
            if row["status"] in ("creating", "extending"):
                make(cloud, table, row["id"])
            elif row["status"] == "deleting":
                remove(cloud, table, row)


def _made(cloud: Simulation, table: str, key: str) -> None:
    row = cloud.store.get(table, key)
    if row is not None and row["status"] in ("creating", "extending"):
        change(cloud, table, row, status="in-use" if row.get("attachments") else "available")
