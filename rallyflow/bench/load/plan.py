"""What a load process is told: everything it needs, once, as JSON over its standard input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, compress, count, cycle, islice
from typing import Any

import orjson

from rallyflow.bench.load.owner import Owner
from rallyflow.clouds.rest import Login

FLUSH_AFTER = 2.0
"""Seconds after which finished iterations are written, however few: what a crash costs at most."""


@dataclass(frozen=True, slots=True)
class ActorPlan:
    """A user of the load. `login` is None in a load without a cloud."""

    login: Login | None
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of a load that one process runs.

    The iterations still to run are dealt, in order, to `concurrency` lanes in turn; `lanes` are those of this
    process, a thread each. `ranges` are [first, end) numbers; without an end (None) numbers go on until
    `seconds` have passed.
    """

    process: int
    lanes: tuple[int, ...]
    concurrency: int
    ranges: tuple[tuple[int, int | None], ...]
    seconds: float | None = None

    def numbers(self) -> Iterator[int]:
        """Return an iterator over the numbers of this shard's iterations that threads may share.

        It is made of itertools alone: their `next` is not interrupted by other threads, without a lock.
        """
        mine = [lane in self.lanes for lane in range(self.concurrency)]
        runs = (range(first, end) if end is not None else count(first) for first, end in self.ranges)
        return compress(chain.from_iterable(list(runs)), cycle(mine))

    def turns(self, users: int) -> list[int]:
        """Return which of so many users, who take turns by the numbers of iterations, have one in this shard."""
        return sorted({number % users for number in islice(self.numbers(), users * self.concurrency)})


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a load process needs."""

    owner: Owner
    directory: str  # of the run
    folder: str  # for its parts
    guardian: int  # the process it works for and ends with
    clock_offset_ns: int  # from the machine's monotonic clock to the epoch
    shard: Shard
    modules: tuple[str, ...]  # that hold the actions
    names: tuple[str, ...]  # of the actions
    operations: list[dict[str, Any]] = field(default_factory=list)
    slots: int = 0
    services: tuple[str, ...] = ()
    actors: tuple[ActorPlan, ...] = ()
    prefix: str = ""
    wait_timeout: float = 600.0
    flush_after: float = FLUSH_AFTER
    secrets: tuple[str, ...] = ()  # that may stand in what an action says when it fails; never written anywhere

    def to_json(self) -> bytes:
        """Return the plan on one line."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, line: bytes) -> Plan:
        """Read a plan that `to_json` wrote."""
        given = orjson.loads(line)
        shard = given["shard"]
        return cls(
            **given
            | {
                "owner": Owner(**given["owner"]),
                "shard": Shard(
                    **shard
                    | {
                        "lanes": tuple(shard["lanes"]),
                        "ranges": tuple((first, end) for first, end in shard["ranges"]),
                    }
                ),
                "actors": tuple(_actor(one) for one in given["actors"]),
            }
        )


def _actor(given: dict[str, Any]) -> ActorPlan:
    login = given["login"]
    return ActorPlan(Login(**login) if login else None, tuple(given["networks"]))
