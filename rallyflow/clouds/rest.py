"""One identity of a cloud, speaking plain REST: signed in once, each service's address found once.

    session = CloudSession(login)
    session.service("compute").get("/servers/detail").json()

keystoneauth1 signs in, discovers versions and renews tokens; the requests themselves go straight to the
transport.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

from rallyflow.clouds.connection import answered, translated
from rallyflow.clouds.overrides import filled, has_version, official
from rallyflow.clouds.session import HttpSession
from rallyflow.clouds.transport import (
    TOTAL_TIMEOUT,
    ExchangeFailed,
    Reply,
    Request,
    Security,
    exchange,
)
from rallyflow.errors import CloudUnreachable, NotFound

_VERSIONS: Mapping[str, tuple[int, int]] = {
    "identity": (3, 0),
    "compute": (2, 1),
    "image": (2, 0),
    "network": (2, 0),
    "block-storage": (3, 0),
}
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Login:
    """Who to be in a cloud, and where. Holds secrets: travels through pipes, never to a file."""

    auth_type: str
    auth: Mapping[str, Any] = field(repr=False)
    region: str = ""
    interface: str = "public"
    verify: bool | str = True
    cert: tuple[str, str] | str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)  # official service type to address, before the catalogue


class Service:
    """A service of a cloud as one identity sees it. Paths begin with a slash and follow its endpoint."""

    def __init__(self, session: CloudSession, endpoint: str) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._session = session
        self._headers: dict[str, tuple[str, list[str]]] = {}

    def get(self, path: str, *, accept: Collection[int] = _NOTHING) -> Reply:
        """GET; statuses from 400 on raise the errors of `answered`, unless `accept` has them."""
        return self.request("GET", path, accept=accept)

    def post(self, path: str, body: Any, *, microversion: str = "", accept: Collection[int] = _NOTHING) -> Reply:
        """POST a JSON body; errors as of `get`."""
        import orjson

        return self.request("POST", path, orjson.dumps(body), microversion=microversion, accept=accept)

    def put(self, path: str, body: Any = None, *, accept: Collection[int] = _NOTHING) -> Reply:
        """PUT a JSON body, or nothing; errors as of `get`."""
        import orjson

        return self.request("PUT", path, b"" if body is None else orjson.dumps(body), accept=accept)

    def delete(self, path: str, *, accept: Collection[int] = _NOTHING) -> Reply:
        """DELETE; errors as of `get`."""
        return self.request("DELETE", path, accept=accept)

    def upload(self, path: str, body: bytes | BinaryIO, length: int) -> Reply:
        """PUT raw data of `length` bytes; errors as of `get`."""
        return self.request("PUT", path, body, length=length, content="application/octet-stream")

    def request(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None = None,
        *,
        length: int = 0,
        content: str = "application/json",
        microversion: str = "",
        accept: Collection[int] = _NOTHING,
    ) -> Reply:
        """Send a request, signed; once more with a new token when the cloud no longer takes the old one."""
        kind = f"{content}\n{microversion}" if microversion else content
        url = self.endpoint + path
        reply = self._send(method, url, kind, body, length)
        if reply.status < 400:
            return reply
        if reply.status == 401 and not hasattr(body, "read"):
            self._session.renew()
            reply = self._send(method, url, kind, body, length)
        if reply.status < 400 or reply.status in accept:
            return reply
        raise answered(reply.status, reply.body, f"{method} {url}")

    def _send(self, method: str, url: str, kind: str, body: bytes | BinaryIO | None, length: int) -> Reply:
        token = self._session.token
        known = self._headers.get(kind)
        if known is None or known[0] is not token:
            known = self._headers[kind] = (token, _header_lines(token, kind))
        try:
            return exchange(Request(method, url, known[1], body, length, self._session.timeout, self._session.security))
        except ExchangeFailed as error:
            raise CloudUnreachable(f"{method} {url}: {error}") from None


def _header_lines(token: str, kind: str) -> list[str]:
    content, _, microversion = kind.partition("\n")
    lines = [
        f"X-Auth-Token: {token}",
        "Accept: application/json",
        f"Content-Type: {content}",
        "User-Agent: rallyflow",
    ]
    return [*lines, f"OpenStack-API-Version: {microversion}"] if microversion else lines


class CloudSession:
    """A signed-in identity. Threads may share it: the token and the addresses are made once."""

    def __init__(
        self, login: Login, *, timeout: float = TOTAL_TIMEOUT, discovered: dict[str, Any] | None = None
    ) -> None:
        self.login = login
        self.timeout = timeout
        self.security = Security(login.verify, login.cert)
        self.token = ""
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()
        self._discovered = discovered  # answers of version discovery, shared by the sessions of one cloud

    def sign_in(self) -> None:
        """Get a token unless there is one; raises CloudRefused or CloudUnreachable."""
        with self._lock:
            if not self.token:
                with translated("signing in"):
                    self.token = self._plugin.get_token(self._keystone)

    def renew(self) -> None:
        """Get a new token in place of one that the cloud no longer takes."""
        old = self.token
        with self._lock:
            if self.token is old:
                with translated("signing in again"):
                    self._plugin.invalidate()
                    self.token = self._plugin.get_token(self._keystone)

    @property
    def project_id(self) -> str:
        """The id of the project that the identity is signed in to."""
        with translated("signing in"):
            return str(self._plugin.get_project_id(self._keystone))

    @property
    def user_id(self) -> str:
        """The id of the user."""
        with translated("signing in"):
            return str(self._plugin.get_user_id(self._keystone))

    def service(self, kind: str) -> Service:
        """Return a service by its official type such as `compute`; NotFound when the catalogue lacks it."""
        service = self._services.get(kind)
        if service is None:
            self.sign_in()
            service = self._services[kind] = Service(self, self._find(kind))
        return service

    def has(self, kind: str) -> bool:
        """Whether the cloud's catalogue has a service."""
        try:
            self.service(kind)
        except NotFound:
            return False
        return True

    def _find(self, kind: str) -> str:
        version = _VERSIONS.get(kind)
        limits = {"min_version": version, "max_version": (version[0], "latest")} if version else {}
        override = self.login.overrides.get(official(kind)) if self.login.overrides else None
        with translated(f"looking for the service {kind}"):
            if override:
                return self._overridden(override, limits)
            endpoint = self._keystone.get_endpoint(
                self._plugin,
                service_type=kind,
                interface=self.login.interface,
                region_name=self.login.region or None,
                **limits,
            )
        if not endpoint:
            raise NotFound(
                f"the cloud's catalogue has no service {kind!r}",
                hint=f"region {self.login.region!r}, interface {self.login.interface!r}",
            )
        return str(endpoint)

    def _overridden(self, override: str, limits: Mapping[str, Any]) -> str:
        address = filled(override, {"project_id": self.project_id, "user_id": self.user_id})
        if not limits or has_version(address):
            return address
        found = self._plugin.get_endpoint_data(self._keystone, endpoint_override=address, **limits)
        if found is None or not found.url:
            raise NotFound(f"{address} has no version of the API from {limits['min_version']} on")
        return str(found.url)

    @cached_property
    def _plugin(self) -> Any:
        from keystoneauth1 import loading

        with translated("reading the credentials"):
            return loading.get_plugin_loader(self.login.auth_type).load_from_options(**self.login.auth)

    @cached_property
    def _keystone(self) -> Any:
        from keystoneauth1.session import Session

        return Session(
            auth=self._plugin,
            session=HttpSession(),
            verify=self.login.verify,
            cert=self.login.cert,
            timeout=self.timeout,
            discovery_cache=self._discovered,
        )
