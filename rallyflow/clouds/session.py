"""Lends our transport to keystoneauth1 and openstacksdk, which take it for a `requests.Session`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from rallyflow.clouds.transport import (
    TOTAL_TIMEOUT,
    ExchangeFailed,
    Failure,
    Reply,
    Request,
    Security,
    exchange,
)

if TYPE_CHECKING:
    import requests


class HttpSession:
    """What keystoneauth1 takes for a `requests.Session`, over `exchange`; it follows redirects itself."""

    def __init__(self) -> None:
        self.adapters: dict[str, Any] = {}
        self._response: Callable[..., requests.Response] = _response

    def request(  # noqa: PLR0913 - the signature of requests
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | str | BinaryIO | None = None,
        params: Any = None,
        timeout: float | tuple[float, float] | None = None,
        verify: bool | str | None = True,
        cert: tuple[str, str] | str | None = None,
        **_ignored: Any,
    ) -> requests.Response:
        """Send one request; raises the exceptions of requests, which keystoneauth1 knows."""
        import requests

        prepared = requests.Request(method, url, params=params).prepare()
        seconds = timeout[-1] if isinstance(timeout, tuple) else timeout
        body = data.encode() if isinstance(data, str) else data
        outgoing = Request(
            method=method.upper(),
            url=prepared.url or url,
            headers=[f"{name}: {value}" for name, value in (headers or {}).items()],
            body=body,
            length=_length(body),
            timeout=seconds or TOTAL_TIMEOUT,
            security=_security(True if verify is None else verify, cert),
        )
        try:
            reply = exchange(outgoing)
        except ExchangeFailed as error:
            raise _of_requests(error) from error
        return self._response(reply, prepared)

    def mount(self, prefix: str, adapter: Any) -> None:
        """Accept an adapter, as requests does; connections are made by the carrier all the same."""
        self.adapters[prefix] = adapter

    def close(self) -> None:
        """Nothing to close: connections belong to the threads."""


@cache
def _security(verify: bool | str, cert: tuple[str, str] | str | None) -> Security:
    return Security(verify, cert)


def _length(body: bytes | BinaryIO | None) -> int:
    if body is None or isinstance(body, bytes):
        return 0
    start = body.tell()
    end = body.seek(0, 2)
    body.seek(start)
    return end - start


def _of_requests(error: ExchangeFailed) -> Exception:
    import requests

    kinds = {
        Failure.TIMEOUT: requests.exceptions.Timeout,
        Failure.TLS: requests.exceptions.SSLError,
        Failure.CONNECTION: requests.exceptions.ConnectionError,
    }
    return kinds[error.failure](str(error))


def _response(reply: Reply, prepared: Any) -> requests.Response:
    import requests

    response = requests.Response()
    response.status_code = reply.status
    response.headers = requests.structures.CaseInsensitiveDict(reply.headers())
    response._content = reply.body  # noqa: SLF001 - as requests' own adapters do
    response.request = prepared
    response.url = prepared.url
    response.encoding = "utf-8"
    response.elapsed = timedelta()
    return response
