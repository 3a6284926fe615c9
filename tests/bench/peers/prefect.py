"""Prefect 3 with the server that it starts for itself, whose SQLite database has the states of all tasks."""

from __future__ import annotations

import logging
import os
import tempfile

os.environ["PREFECT_HOME"] = tempfile.mkdtemp()
os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from peers.timing import COUNT, SHAPE, timed
from prefect import flow, task

RECORDED = "SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'"


@task
def noop(value, *_before):
    return value


@flow
def chain():
    with timed():  # the server runs by now
        value = 1
        for _ in range(COUNT):
            value = noop(value)
        await_recorded(COUNT)


@flow
def fan_out():
    with timed():
        first = noop(1)
        cells = noop.map([first] * COUNT)
        noop(sum(cells.result()))
        await_recorded(COUNT + 2)


def await_recorded(count: int) -> None:
    """Wait for the server, which takes states from a stream of events behind the flow's back."""
    path = Path(os.environ["PREFECT_HOME"]) / "prefect.db"
    while True:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            if database.execute(RECORDED).fetchone()[0] >= count:
                return
        time.sleep(0.2)


if __name__ == "__main__":
    logging.disable()
    {"chain": chain, "fan-out": fan_out}[SHAPE]()
