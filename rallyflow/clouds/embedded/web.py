"""Requests, answers, faults and the routing table: all that the simulated services need of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from rallyflow.clouds.embedded.store import Row

if TYPE_CHECKING:
    from rallyflow.clouds.embedded.simulation import Simulation

Version = tuple[int, int]
"""A microversion."""


class Fault(Exception):  # noqa: N818 - what OpenStack calls an error answer
    """An error answer, as a handler raises it; the service gives it its shape."""

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind  # neutron's exception class


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, from the token; `project` is empty for an unscoped token."""

    token: str
    user: str
    project: str
    admin: bool

    def sees(self, row: Row) -> bool:
        """Whether the row is the asker's own, or everybody's."""
        return self.admin or row.get("project_id") == self.project


NOBODY = Identity(token="", user="", project="", admin=False)


@dataclass
class Request:
    """One request that was routed, and let in."""

    cloud: Simulation
    method: str
    args: tuple[str, ...]  # what stood at the placeholders of the route's path
    query_string: bytes
    headers: dict[bytes, bytes]
    body: bytes
    identity: Identity = NOBODY
    version: Version = (0, 0)

    @cached_property
    def query(self) -> dict[str, str]:
        """The query, the last value where a name is repeated."""
        return dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The body as a JSON object; Fault 400 for anything else."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Fault(400, "Malformed request body: it is not JSON") from None
        if not isinstance(document, dict):
            raise Fault(400, "Malformed request body: it is not a JSON object")
        return document

    def content(self, name: str) -> dict[str, Any]:
        """Return the object that the body wraps as `name`; Fault 400 when it is missing."""
        content = self.document.get(name)
        if not isinstance(content, dict):
            raise Fault(400, f"Invalid input for field/attribute {name}: it is a required object")
        return content

    def header(self, name: bytes) -> str:
        """Return a header (its name in lower case), or an empty text."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def scope(self) -> str | None:
        """Whose rows a list shows: the asker's project, or None (all) for an admin who wants all tenants."""
        wanted = self.query.get("all_tenants", self.query.get("all_projects", "0")).lower()
        if self.identity.admin and wanted in ("1", "true", "yes", ""):
            return self.query.get("project_id") or self.query.get("tenant_id")
        return self.identity.project

    def need_admin(self, action: str) -> None:
        """Raise Fault 403 for everybody else."""
        if not self.identity.admin:
            raise Fault(403, f"Policy doesn't allow {action} to be performed.", "PolicyNotAuthorized")


@dataclass(slots=True)
class Response:
    """An answer; `content` is a JSON document, or bytes that are sent as they are."""

    content: Any = b""
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media: bytes = b"application/json"

    @property
    def body(self) -> bytes:
        """The bytes to send."""
        return self.content if isinstance(self.content, bytes) else orjson.dumps(self.content)


Handler = Callable[[Request], Response]


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One call of a service."""

    service: Service
    name: str  # create_server: `nova.create_server` is the key of its time and failures
    handler: Handler
    public: bool = False  # needs no token
    lists: str = ""  # the table whose rows it returns, each of which costs time
    free: bool = False  # takes no worker: documents that every client reads once


@dataclass(eq=False)
class Service:
    """One OpenStack service: where it lives, what it can do, how its errors look."""

    name: str
    prefix: str  # /compute/v2.1
    fault: Callable[[Fault], Response]
    versioned: Callable[[Request], Version] | None = None  # reads the microversion of a request
    stamp: Callable[[Version], tuple[tuple[bytes, bytes], ...]] | None = None  # headers that repeat it
    routes: list[tuple[str, str, Route]] = field(default_factory=list)

    def route(self, method: str, path: str, name: str, **traits: Any) -> Callable[[Handler], Handler]:
        """Register a handler below the prefix; `{}` in the path stands for any one segment."""

        def register(handler: Handler) -> Handler:
            self.routes.append((method, self.prefix + path, Route(self, name, handler, **traits)))
            return handler

        return register


class _Node:
    __slots__ = ("any", "calls", "named")

    def __init__(self) -> None:
        self.named: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.calls: dict[str, Route] = {}


class Router:
    """Finds the call of a method and a path: a named segment wins over a placeholder."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._root = _Node()
        self._prefixes: dict[str, Service] = {}
        for service in services:
            self._prefixes[service.prefix.split("/")[1]] = service
            for method, path, route in service.routes:
                self._add(method, path, route)

    def service(self, path: str) -> Service | None:
        """Return the service that a path belongs to."""
        return self._prefixes.get(path.split("/", 2)[1])

    def find(self, method: str, path: str) -> tuple[Route | None, tuple[str, ...], bool]:
        """Return the call, what stood at its placeholders, and whether the path exists with any method."""
        node, args = self._root, []
        for segment in path.split("/"):
            if not segment:
                continue
            following = node.named.get(segment)
            if following is None:
                following = node.any
                if following is None:
                    return None, (), False
                args.append(segment)
            node = following
        return node.calls.get(method), tuple(args), bool(node.calls)

    def _add(self, method: str, path: str, route: Route) -> None:
        node = self._root
        for segment in path.strip("/").split("/"):
            if segment == "{}":
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.named.setdefault(segment, _Node())
        node.calls[method] = route
