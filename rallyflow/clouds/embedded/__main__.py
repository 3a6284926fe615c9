"""Runs the simulated cloud, as `python -m rallyflow.clouds.embedded --state DIR --config FILE`.

Binds 127.0.0.1 only. Once it answers it says so in DIR/endpoint.json, written in one piece.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import os
import signal
import socket
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import uvicorn
import uvloop

from rallyflow.clouds.embedded.app import App
from rallyflow.clouds.embedded.preload import preload
from rallyflow.clouds.embedded.services.cinder.work import resume as resume_volumes
from rallyflow.clouds.embedded.services.nova.life import resume as resume_servers
from rallyflow.clouds.embedded.settings import Settings
from rallyflow.clouds.embedded.simulation import Simulation
from rallyflow.processes import die_with


class _Server(uvicorn.Server):
    """Tells when it really listens, and leaves signals to the event loop."""

    def __init__(self, config: uvicorn.Config, endpoint: Path, url: str) -> None:
        super().__init__(config)
        self._endpoint, self._url = endpoint, url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _write_endpoint(self._endpoint, self._url)

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def main() -> None:
    """Serve until SIGTERM, or until the guardian has ended."""
    arguments = _arguments()
    if arguments.guardian:
        die_with(arguments.guardian)
    settings = Settings.model_validate_json(arguments.config.read_bytes())
    uvloop.run(_serve(arguments.state, arguments.port, settings))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rallyflow.clouds.embedded")
    parser.add_argument("--state", type=Path, required=True, help="folder of the cloud's rows")
    parser.add_argument("--port", type=int, default=0, help="port that is tried first; 0 is any")
    parser.add_argument("--guardian", type=int, default=0, help="process to end with; 0 is none")
    parser.add_argument("--config", type=Path, required=True, help="JSON file with speed, seed and password")
    return parser.parse_args()


async def _serve(folder: Path, port: int, settings: Settings) -> None:
    listener = _bind(port)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    loop = asyncio.get_running_loop()
    cloud = Simulation(folder, settings, url, loop.call_later)
    preload(cloud)
    resume_servers(cloud)
    resume_volumes(cloud)
    server = _Server(
        uvicorn.Config(
            App(cloud),
            http="httptools",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=600,
            timeout_graceful_shutdown=1,
            backlog=1024,
        ),
        folder / "endpoint.json",
        url,
    )
    loop.add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
    loop.add_signal_handler(signal.SIGINT, setattr, server, "should_exit", True)
    await server.serve(sockets=[listener])
    cloud.store.close()


def _bind(port: int) -> socket.socket:
    """Return a listening socket on the port, or on another one when that is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        listener.bind(("127.0.0.1", 0))
    return listener


def _write_endpoint(path: Path, url: str) -> None:
    port = int(url.rpartition(":")[2])
    content = {
        "pid": os.getpid(),
        "port": port,
        "auth_url": f"{url}/identity/v3",
        "started_ns": time.time_ns(),
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.rename(path)


if __name__ == "__main__":
    main()
