"""What the load engine costs its own machine: `python tests/bench/bench_load.py`.

Prints CPU milliseconds of the client per iteration or request; the server is a process of its own and not
counted. The bars: 0.02 for an empty scenario of five actions, recorded durably; 0.12 for a GET of 1 kB at
concurrency 10; 0.2 for a GET of a server through an action.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from rallyflow.bench.load.coordinator import Coordinator, LoadResult, deal
from rallyflow.bench.load.owner import Owner
from rallyflow.bench.load.plan import ActorPlan, Plan
from rallyflow.bench.load.spec import Shape
from rallyflow.bench.load.watermark import rest_of
from rallyflow.clouds.rest import Login
from rallyflow.clouds.transport import Request, exchange

SERVER = """
import asyncio, sys
BODIES = {b"server": SERVER_JSON.encode(), b"page": b"x" * 1024}
def reply(body, kind):
    head = f"HTTP/1.1 200 OK\\r\\nContent-Type: {kind}\\r\\nContent-Length: {len(body)}\\r\\n"
    return head.encode() + b"X-Subject-Token: t\\r\\n\\r\\n" + body
class Web(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held = transport, b""
    def data_received(self, data):
        self.held += data
        while b"\\r\\n\\r\\n" in self.held:
            head, _, rest = self.held.partition(b"\\r\\n\\r\\n")
            fields = head.lower().split(b"\\r\\n")
            length = next((int(f[15:]) for f in fields if f.startswith(b"content-length:")), 0)
            if len(rest) < length:
                return
            self.held = rest[length:]
            path = head.split(b" ", 2)[1]
            if path.startswith(b"/page"):
                self.transport.write(PAGE)
            elif path.startswith(b"/v2.1/servers/"):
                self.transport.write(ONE)
            elif path.endswith(b"/auth/tokens"):
                self.transport.write(reply(TOKEN.replace(b"@", str(PORT).encode()), "application/json"))
            else:
                document = IDENTITY if path.startswith(b"/v3") else COMPUTE
                self.transport.write(reply(document.replace(b"@", str(PORT).encode()), "application/json"))
PAGE, ONE = reply(BODIES[b"page"], "text/plain"), reply(BODIES[b"server"], "application/json")
async def main():
    global PORT
    server = await asyncio.get_running_loop().create_server(Web, "127.0.0.1", 0)
    PORT = server.sockets[0].getsockname()[1]
    print(PORT, flush=True)
    await server.serve_forever()
import uvloop
uvloop.run(main())
"""
ENTRY = {"id": "e", "interface": "public", "region": "R", "region_id": "R", "url": "http://127.0.0.1:@/v2.1"}
TOKEN = {
    "token": {
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "methods": ["password"],
        "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "p", "name": "p", "domain": {"id": "default", "name": "Default"}},
        "catalog": [{"id": "c", "type": "compute", "name": "nova", "endpoints": [ENTRY]}],
    }
}
IDENTITY = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": "http://127.0.0.1:@/v3"}]}
COMPUTE = {
    "id": "v2.1",
    "status": "CURRENT",
    "version": "2.96",
    "min_version": "2.1",
    "links": [{"rel": "self", "href": "http://127.0.0.1:@/v2.1"}],
}
ONE_SERVER = {
    "server": {
        "id": "f5dc173b-6804-445a-a6d8-c705dad5b5eb",
        "name": "new-server-test",
        "status": "ACTIVE",
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "accessIPv4": "1.2.3.4",
        "addresses": {"private": [{"addr": "192.168.1.30", "version": 4, "OS-EXT-IPS:type": "fixed"}]},
        "created": "2017-10-10T15:49:08Z",
        "flavor": {
            "id": "1",
            "links": [{"href": "http://openstack.example.com/flavors/1", "rel": "bookmark"}],
        },
        "hostId": "2091634baaccdc4c5a1d57069c833e402921df696b7f970791b12ec6",
        "image": {"id": "70a599e0-31e7-49b7-b260-868f441e862b"},
        "metadata": {"My Server Name": "Apache1"},
        "security_groups": [{"name": "default"}],
        "tenant_id": "6f70656e737461636b20342065766572",
        "updated": "2017-10-10T15:49:09Z",
        "user_id": "fake",
    }
}


class Parts:
    """Counts the parts that are booked."""

    def __init__(self) -> None:
        self.bytes = 0

    def add(self, parts):
        self.bytes += sum(path.stat().st_size for _, path, _ in parts)

    def drop(self, parts):
        raise AssertionError(f"nothing is damaged: {parts}")

    def mine(self, _table=None):
        return []


def run_load(operations, names, modules, *, iterations, concurrency, cores=1, actors=(), services=()):
    """Run a load as the step does, and return how it ended and the bytes it wrote."""
    rest = rest_of(Shape(concurrency, iterations=iterations), [])
    with tempfile.TemporaryDirectory() as folder:
        plans = [
            Plan(
                owner=Owner("run", "step", 1),
                directory=folder,
                folder=folder,
                guardian=os.getpid(),
                clock_offset_ns=time.time_ns() - time.perf_counter_ns(),
                shard=shard,
                modules=modules,
                names=names,
                operations=operations,
                services=services,
                actors=actors,
            )
            for shard in deal(rest, concurrency, cores)
        ]
        parts = Parts()
        result: LoadResult = Coordinator(
            plans,
            parts=parts,
            stop=threading.Event(),
            report=lambda _progress: None,
            log=logging.getLogger(),
            rest=rest,
        ).run()
        return result, parts.bytes


def empty(concurrency, cores):
    """Five actions that do nothing."""
    call = {"call": "dummy.nothing", "constants": {}, "results": {}, "slot": -1}
    n = 300_000
    result, size = run_load(
        [call] * 5,
        ("dummy.nothing",),
        ("rallyflow.bench.actions.dummy",),
        iterations=n,
        concurrency=concurrency,
        cores=cores,
    )
    rate = n / result.wall
    print(
        f"empty, 5 actions, c={concurrency}, {cores} processes: {result.cpu * 1000 / n:.4f} ms CPU/iteration"
        f", {rate:,.0f}/s, {size / n:.0f} bytes/iteration"
    )


def gets(port, concurrency):
    """GET of 1 kB, straight through the transport."""
    n = 4000
    headers = ["Accept: */*"]

    def lane():
        for _ in range(n):
            exchange(Request("GET", f"http://127.0.0.1:{port}/page", headers))

    threads = [threading.Thread(target=lane) for _ in range(concurrency)]
    cpu, wall = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = n * concurrency
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"GET 1 kB, c={concurrency}: {cpu * 1000 / total:.4f} ms CPU/request, {total / wall:,.0f}/s")


def servers(port, concurrency, cores):
    """GET of a server through the action, recorded durably."""
    auth = {
        "auth_url": f"http://127.0.0.1:{port}/v3",
        "username": "u",
        "password": "p",
        "project_name": "p",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    call = {"call": "nova.get_server", "constants": {"server": "f5dc173b"}, "results": {}, "slot": -1}
    n = 30_000
    result, _ = run_load(
        [call],
        ("nova.get_server",),
        ("rallyflow.bench.actions.nova",),
        iterations=n,
        concurrency=concurrency,
        cores=cores,
        actors=(ActorPlan(Login("password", auth, "R")),),
        services=("compute",),
    )
    print(
        f"nova.get_server, c={concurrency}: {result.cpu * 1000 / n:.4f} ms CPU/iteration, "
        f"{n / result.wall:,.0f}/s, {result.failed} failed"
    )


def main():
    """Print every figure."""
    prelude = "".join(
        f"{name} = {json.dumps(value)!r}{'' if name == 'SERVER_JSON' else '.encode()'}\n"
        for name, value in (
            ("SERVER_JSON", ONE_SERVER),
            ("TOKEN", TOKEN),
            ("COMPUTE", {"version": COMPUTE}),
            ("IDENTITY", {"version": IDENTITY}),
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "server.py"
        file.write_text(prelude + SERVER)
        server = subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline())
            for concurrency, cores in ((1, 1), (10, 1), (10, 2)):
                empty(concurrency, cores)
            for concurrency in (1, 10):
                gets(port, concurrency)
            for concurrency in (1, 10):
                servers(port, concurrency, 1)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
