"""Dask distributed, two worker processes: results are in the workers' memory, nothing is kept."""

from __future__ import annotations

import logging

from distributed import Client, LocalCluster
from peers.timing import COUNT, SHAPE, timed


def noop(value: int, *_before: int) -> int:
    return value


def chain(client):
    value = client.submit(noop, 1, pure=False)
    for _ in range(COUNT - 1):
        value = client.submit(noop, value, pure=False)
    return value


def fan_out(client):
    first = client.submit(noop, 1, pure=False)
    cells = client.map(noop, [first] * COUNT, pure=False)
    return client.submit(sum, cells, pure=False)


if __name__ == "__main__":
    logging.disable()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(noop, 1).result()
        with timed():
            {"chain": chain, "fan-out": fan_out}[SHAPE](client).result()
