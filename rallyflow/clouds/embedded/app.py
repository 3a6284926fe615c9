"""The ASGI application: routes a request, lets it wait as the model says, and sends the answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from rallyflow.clouds.embedded.services import SERVICES
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.clouds.embedded.timers import wait_until
from rallyflow.clouds.embedded.web import NOBODY, Fault, Request, Response, Route, Router, Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY = 64 * 1024 * 1024
"""Bytes that one request may upload: images of the simulated cloud are small, and pass through memory."""

_log = logging.getLogger("rallyflow.clouds.embedded")


class App:
    """Serves one simulated cloud."""

    def __init__(self, cloud: Simulation) -> None:
        self._cloud = cloud
        self._router = Router(SERVICES)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI wants it."""
        response = await self._respond(scope, receive)
        body = response.body
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [
                    (b"content-type", response.media),
                    (b"content-length", b"%d" % len(body)),
                    *response.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _respond(self, scope: Message, receive: Receive) -> Response:
        method, path = scope["method"], scope["path"]
        service = self._router.service(path)
        if service is None:
            return Response({"error": {"code": 404, "title": "Not Found", "message": f"no service at {path}"}}, 404)
        route, args, exists = self._router.find(method, path)
        headers = dict(scope["headers"])
        try:
            body = await _read(receive) if method in ("POST", "PUT", "PATCH") else b""
            if route is None:
                return service.fault(_unknown(service, method, path, exists=exists))
            request = Request(self._cloud, method, args, scope["query_string"], headers, body)
            return await self._serve(route, request)
        except Fault as fault:
            return service.fault(fault)
        except OSError as error:
            _log.exception("%s %s", method, path)
            return service.fault(Fault(500, f"the embedded cloud can't keep this: {error}"))
        except Exception:  # noqa: BLE001 - whatever is wrong with us, the client gets an answer
            _log.exception("%s %s", method, path)
            return service.fault(Fault(500, "an unexpected error in the embedded cloud; cloud.log has more"))

    async def _serve(self, route: Route, request: Request) -> Response:
        service = route.service
        identity = None if route.public else self._cloud.identify(request.header(b"x-auth-token"))
        request.identity = identity or NOBODY
        if not route.free:
            await self._wait(route, request)
        if identity is None and not route.public:
            raise Fault(401, "The request you have made requires authentication.", "Unauthorized")
        if not (request.identity.project or route.public or service.name == "keystone"):
            raise Fault(403, "This token is not scoped to a project.", "PolicyNotAuthorized")
        if service.versioned:
            request.version = service.versioned(request)
        response = route.handler(request)
        if service.stamp:
            response.headers = (*response.headers, *service.stamp(request.version))
        return response

    async def _wait(self, route: Route, request: Request) -> None:
        """Stand in the queue of the service, and be served for as long as the model says."""
        cloud, name = self._cloud, route.service.name
        duration = cloud.service_time(route)
        if route.lists:
            duration += cloud.row_cost() * _rows(cloud, route.lists, request)
        await wait_until(cloud.apis[name].book(time.monotonic(), duration))
        rate = cloud.speed.failure_rate.get(f"{name}.{route.name}", 0.0)
        if rate and cloud.luck.random() < rate:
            raise Fault(500, f"{name}.{route.name} failed, as the failure_rate of the embedded cloud asks for")


async def _read(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > LARGEST_BODY:
            raise Fault(413, f"the embedded cloud takes up to {LARGEST_BODY} bytes in one request")
    return b"".join(chunks)


def _rows(cloud: Simulation, table: str, request: Request) -> int:
    count = len(cloud.store.table(table).of(request.scope))
    limit = request.query.get("limit", "")
    return min(count, int(limit)) if limit.isdigit() and limit != "0" else count


def _unknown(service: Service, method: str, path: str, *, exists: bool) -> Fault:
    if exists:
        return Fault(405, f"{method} is not allowed on {path}")
    return Fault(501, f"the embedded cloud does not simulate {method} {path} of {service.name}", "NotImplemented")
