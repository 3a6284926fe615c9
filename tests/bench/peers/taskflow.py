"""TaskFlow, serial engine: states are kept in memory by default; with `sqlite` as third word, in a file."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing

from peers.timing import COUNT, SHAPE, timed
from taskflow import engines, task
from taskflow.patterns import linear_flow, unordered_flow
from taskflow.persistence import backends


class Noop(task.Task):
    def execute(self, **values):
        return next(iter(values.values()), 1)


def chain(count):
    steps = [Noop("s0", provides="v0")]
    steps += [Noop(f"s{i}", requires=[f"v{i - 1}"], provides=f"v{i}") for i in range(1, count)]
    return linear_flow.Flow("chain").add(*steps)


def fan_out(count):
    cells = [Noop(f"c{i}", requires=["v"], provides=f"v{i}") for i in range(count)]
    last = Noop("last", requires=[f"v{i}" for i in range(count)])
    return linear_flow.Flow("fan").add(Noop("first", provides="v"), unordered_flow.Flow("cells").add(*cells), last)


def kept_in_sqlite():
    backend = backends.fetch({"connection": f"sqlite:///{tempfile.mkdtemp()}/taskflow.db"})
    with closing(backend.get_connection()) as connection:
        connection.upgrade()
    return backend


if __name__ == "__main__":
    backend = kept_in_sqlite() if "sqlite" in sys.argv[3:] else None
    flow = chain(COUNT) if SHAPE == "chain" else fan_out(COUNT)
    engine = engines.load(flow, engine="serial", backend=backend)
    engine.compile()
    engine.prepare()
    with timed():
        engine.run()
