"""What contexts prepare for a load, and how each object that they make is booked before and after."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from rallyflow.bench.load.plan import ActorPlan
from rallyflow.clouds.resources import remove_named
from rallyflow.clouds.rest import CloudSession, Login
from rallyflow.errors import TransientError
from rallyflow.model.step import Ledger, StepModel
from rallyflow.model.values import Cloud

WORKERS = 10

ItemT = TypeVar("ItemT")
MadeT = TypeVar("MadeT")


@dataclass(slots=True)
class Tenant:
    """A project with its users. `temporary` ones were made by us, and whatever is in them may go."""

    id: str
    name: str
    temporary: bool
    users: list[Login] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """What a load finds ready. Names of what contexts make begin with `prefix`."""

    cloud: Cloud
    admin: CloudSession
    ledger: Ledger
    prefix: str
    tenants: list[Tenant] = field(default_factory=list)
    prepared: dict[str, str] = field(default_factory=dict)  # `Image:NAME` and the like -> id
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, kind: str, name: str, call: Callable[[str], str]) -> str:
        """Make one object: book that it is about to be made, call, book its id; return the id.

        `call` gets the full name. When the cloud did not answer it is tried again, after what the unanswered
        call made all the same has been removed.
        """
        full = f"{self.prefix}{name}"
        row = self.book(kind, full)
        identity = self._persistently(kind, full, call)
        self.ledger.created(row, identity)
        return identity

    def book(self, kind: str, name: str, **detail: Any) -> int:
        """Book that something is about to be made in the cloud; return its row in the ledger."""
        detail["cloud"] = self.cloud.model_dump(mode="json")
        return self.ledger.intend(f"openstack.{kind}", name, inside=self.cloud.ledger_id, detail=detail)

    def actors(self) -> tuple[ActorPlan, ...]:
        """Return the users in the order of their turns: the first of each tenant, then the second, ..."""
        most = max((len(tenant.users) for tenant in self.tenants), default=0)
        return tuple(
            ActorPlan(tenant.users[turn], tuple(tenant.networks))
            for turn in range(most)
            for tenant in self.tenants
            if turn < len(tenant.users)
        )

    def _persistently(self, kind: str, name: str, call: Callable[[str], str]) -> str:
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(4),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    remove_named(self.admin, kind, name)
                return call(name)
        raise AssertionError("tenacity returns or raises")


class Context(StepModel):
    """What every context is: its settings, as a workflow gives them, and how it sets itself up."""

    order: ClassVar[int]  # contexts with a lower one come first

    @abstractmethod
    def set_up(self, scene: Scene) -> None:
        """Add to the scene, everything made booked in the ledger; raises StepError."""


def in_parallel(do: Callable[[ItemT], MadeT], items: Iterable[ItemT]) -> Sequence[MadeT]:
    """Do something to every item, some at once, in order; raises the first error after all have ended."""
    listed = list(items)
    if not listed:
        return []
    with ThreadPoolExecutor(min(WORKERS, len(listed))) as pool:
        futures = [pool.submit(do, item) for item in listed]
    return [future.result() for future in futures]
