"""Carries HTTP requests with little CPU of the client's own, so that it is not measured as the cloud's.

One libcurl handle per thread, connections kept open between requests; urllib3 where pycurl is missing.
`rallyflow.clouds.rest` calls `exchange` directly on the hot path; `rallyflow.clouds.session` lends it to
keystoneauth1 and openstacksdk.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from time import perf_counter_ns
from typing import Any, BinaryIO, Protocol

CONNECT_TIMEOUT = 10.0
TOTAL_TIMEOUT = 300.0


class Failure(Enum):
    """Why a request got no reply."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"


class ExchangeFailed(Exception):  # noqa: N818 - it says what happened
    """No reply came. Callers turn it into the errors of their own world."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Security:
    """How TLS peers are checked: `verify` is yes, no or a file of authorities; `cert` is a client's."""

    verify: bool | str = True
    cert: tuple[str, str] | str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `headers` are lines (`Name: value`); the same list object means the same headers again."""

    method: str
    url: str
    headers: list[str]
    body: bytes | BinaryIO | None = None
    length: int = 0  # of a body that is a file
    timeout: float = TOTAL_TIMEOUT
    security: Security = Security()


@dataclass(slots=True)
class Reply:
    """What came back; `lines` are the raw header lines of the final response."""

    status: int
    body: bytes
    lines: Sequence[bytes]

    def json(self) -> Any:
        """Return the parsed body; ValueError when it is not JSON."""
        import orjson

        return orjson.loads(self.body)

    def headers(self) -> dict[str, str]:
        """Return the header fields by their lower-case names."""
        pairs = (line.decode("latin-1").partition(":") for line in self.lines if b":" in line)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}


@dataclass(slots=True)
class Meter:
    """Counts what one thread sends: requests, nanoseconds in them, and the last poll interval."""

    requests: int = 0
    http_ns: int = 0
    poll_ns: int = 0


class Carrier(Protocol):
    """What moves a request over the wire and brings the reply back; used by one thread only."""

    def carry(self, request: Request) -> Reply:
        """Send and receive; raises ExchangeFailed when no reply comes."""

    def phases(self) -> Mapping[str, float]:
        """Return seconds from the start of the last request to the end of each phase of it, where known."""


class _Thread(threading.local):
    def __init__(self) -> None:
        self.meter = Meter()
        self._carrier: Carrier | None = None

    @property
    def carrier(self) -> Carrier:
        """The thread's own connections; made when it first sends something."""
        if self._carrier is None:
            self._carrier = make_carrier()
        return self._carrier


_THREAD = _Thread()


def meter() -> Meter:
    """Return the current thread's meter."""
    return _THREAD.meter


def exchange(request: Request) -> Reply:
    """Send a request on this thread's own connection and count it in its meter."""
    counts = _THREAD.meter
    started = perf_counter_ns()
    try:
        return _THREAD.carrier.carry(request)
    finally:
        counts.http_ns += perf_counter_ns() - started
        counts.requests += 1


def last_phases() -> Mapping[str, float]:
    """Return this thread's last request: seconds until lookup, connect, tls, first_byte and total."""
    return _THREAD.carrier.phases()


@cache
def _curl_is_here() -> bool:
    try:
        import pycurl  # noqa: F401
    except ImportError:
        return False
    return True


def make_carrier() -> Carrier:
    """Return a new carrier of the best kind that this machine has."""
    return CurlCarrier() if _curl_is_here() else Urllib3Carrier()


class CurlCarrier:
    """A libcurl handle that is used again and again."""

    def __init__(self) -> None:
        import pycurl

        self._pycurl = pycurl
        self._headers: list[str] = []
        self._security: Security | None = None
        self._timeout = 0.0
        self._custom = False
        self._failures = _curl_failures()
        self._curl = curl = pycurl.Curl()
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(CONNECT_TIMEOUT * 1000))

    def carry(self, request: Request) -> Reply:
        """Send and receive; raises ExchangeFailed when no reply comes."""
        curl, pycurl = self._curl, self._pycurl
        chunks: list[bytes] = []
        lines: list[bytes] = []
        self._aim(request)
        curl.setopt(pycurl.WRITEFUNCTION, chunks.append)
        curl.setopt(pycurl.HEADERFUNCTION, lines.append)
        try:
            curl.perform()
        except pycurl.error as error:
            code, message = error.args
            raise ExchangeFailed(self._failures.get(code, Failure.CONNECTION), message) from None
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return Reply(curl.getinfo(pycurl.RESPONSE_CODE), body, lines)

    def phases(self) -> Mapping[str, float]:
        """Return seconds from the start of the last request to the end of each phase of it."""
        names = {
            "lookup": self._pycurl.NAMELOOKUP_TIME,
            "connect": self._pycurl.CONNECT_TIME,
            "tls": self._pycurl.APPCONNECT_TIME,
            "first_byte": self._pycurl.STARTTRANSFER_TIME,
            "total": self._pycurl.TOTAL_TIME,
        }
        return {name: self._curl.getinfo(info) for name, info in names.items()}

    def _aim(self, request: Request) -> None:
        curl, pycurl = self._curl, self._pycurl
        curl.setopt(pycurl.URL, request.url)
        self._set_method(request)
        if request.headers is not self._headers:
            curl.setopt(pycurl.HTTPHEADER, [*request.headers, "Expect:"])
            self._headers = request.headers
        if request.timeout != self._timeout:
            curl.setopt(pycurl.TIMEOUT_MS, int(request.timeout * 1000))
            self._timeout = request.timeout
        if request.security is not self._security:
            self._secure(request.security)

    def _set_method(self, request: Request) -> None:
        curl, pycurl = self._curl, self._pycurl
        if self._custom:
            curl.unsetopt(pycurl.CUSTOMREQUEST)
            curl.setopt(pycurl.NOBODY, 0)
            curl.setopt(pycurl.UPLOAD, 0)
            self._custom = False
        if isinstance(request.body, bytes):
            curl.setopt(pycurl.POSTFIELDS, request.body)
            natural = "POST"
        elif request.body is not None:
            curl.setopt(pycurl.UPLOAD, 1)
            curl.setopt(pycurl.READDATA, request.body)
            curl.setopt(pycurl.INFILESIZE_LARGE, request.length)
            natural, self._custom = "PUT", True
        elif request.method == "HEAD":
            curl.setopt(pycurl.NOBODY, 1)
            natural, self._custom = "HEAD", True
        else:
            curl.setopt(pycurl.HTTPGET, 1)
            natural = "GET"
        if request.method != natural:
            curl.setopt(pycurl.CUSTOMREQUEST, request.method)
            self._custom = True

    def _secure(self, security: Security) -> None:
        curl, pycurl = self._curl, self._pycurl
        curl.setopt(pycurl.SSL_VERIFYPEER, 1 if security.verify else 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 2 if security.verify else 0)
        authorities = security.verify if isinstance(security.verify, str) else _system_authorities()
        if security.verify and authorities:
            curl.setopt(pycurl.CAINFO, authorities)
        if security.cert:
            cert, key = (security.cert, security.cert) if isinstance(security.cert, str) else security.cert
            curl.setopt(pycurl.SSLCERT, cert)
            curl.setopt(pycurl.SSLKEY, key)
        self._security = security


@cache
def _curl_failures() -> Mapping[int, Failure]:
    import pycurl

    return {
        pycurl.E_OPERATION_TIMEDOUT: Failure.TIMEOUT,
        pycurl.E_SSL_CONNECT_ERROR: Failure.TLS,
        pycurl.E_PEER_FAILED_VERIFICATION: Failure.TLS,
        pycurl.E_SSL_CERTPROBLEM: Failure.TLS,
        pycurl.E_SSL_CACERT_BADFILE: Failure.TLS,
    }


@cache
def _system_authorities() -> str:
    """Return the authorities that requests would trust: the wheel of pycurl has none of its own."""
    import certifi

    return certifi.where()


class Urllib3Carrier:
    """A urllib3 pool of one connection per host."""

    def __init__(self) -> None:
        self._pools: dict[Security, Any] = {}

    def carry(self, request: Request) -> Reply:
        """Send and receive; raises ExchangeFailed when no reply comes."""
        import urllib3

        fields = dict(_field(line) for line in request.headers)
        if request.length:
            fields["Content-Length"] = str(request.length)
        limits = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=request.timeout)
        try:
            response = self._pool(request.security).request(
                request.method, request.url, body=request.body, headers=fields, timeout=limits
            )
        except urllib3.exceptions.SSLError as error:
            raise ExchangeFailed(Failure.TLS, str(error)) from None
        except urllib3.exceptions.NewConnectionError as error:  # which is a TimeoutError as well
            raise ExchangeFailed(Failure.CONNECTION, str(error)) from None
        except urllib3.exceptions.TimeoutError as error:
            raise ExchangeFailed(Failure.TIMEOUT, str(error)) from None
        except urllib3.exceptions.HTTPError as error:
            raise ExchangeFailed(Failure.CONNECTION, str(error)) from None
        lines = [f"{name}: {value}".encode("latin-1") for name, value in response.headers.items()]
        return Reply(response.status, response.data, lines)

    def phases(self) -> Mapping[str, float]:
        """Nothing: urllib3 does not tell them."""
        return {}

    def _pool(self, security: Security) -> Any:
        import urllib3

        pool = self._pools.get(security)
        if pool is None:
            cert, key = (security.cert, None) if isinstance(security.cert, str) else security.cert or (None, None)
            pool = self._pools[security] = urllib3.PoolManager(
                cert_reqs="CERT_REQUIRED" if security.verify else "CERT_NONE",
                ca_certs=security.verify if isinstance(security.verify, str) else _system_authorities(),
                cert_file=cert,
                key_file=key,
                retries=False,
            )
        return pool


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()
