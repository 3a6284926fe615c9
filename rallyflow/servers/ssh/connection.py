"""A connection to one server, through its jump hosts.

It opens when it is first needed, and again when it has died in between. A server that says nothing for long, not even
in answer to a question that every sshd answers, counts as lost.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from rallyflow.model.values import Server
from rallyflow.servers.ssh.border import connecting, talking
from rallyflow.servers.ssh.patience import Patience
from rallyflow.servers.ssh.places import places, spoken
from rallyflow.servers.ssh.route import close, open_route

if TYPE_CHECKING:
    from paramiko import Channel, SFTPClient, Transport


class Connection:
    """The connection to one server. Threads may share it; each command and transfer has a channel of its own."""

    def __init__(self, server: Server, patience: Patience | None = None) -> None:
        """Nothing is connected yet."""
        self.server = server
        self.patience = patience or Patience()
        self.whose = spoken(server, places(server)[-1])
        self._lock = threading.Lock()
        self._route: list[Transport] = []
        self._heard = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def channel(self) -> Channel:
        """Return a new channel; connects first where needed, and once more when the connection turns out dead.

        Raises StepError when the server can't be had.
        """
        from paramiko import ChannelException, SSHException

        with connecting(self.whose):
            transport = self._transport()
            try:
                return transport.open_session(timeout=self.patience.connect)
            except ChannelException:  # it lives, and refuses
                raise
            except (SSHException, EOFError, OSError):
                self._drop(transport)
            return self._transport().open_session(timeout=self.patience.connect)

    def sftp(self) -> SFTPClient | None:
        """Return an SFTP client; None when the server has no such subsystem."""
        from paramiko import SFTPClient, SSHException

        channel = self.channel()
        with talking(self.whose):
            channel.settimeout(self.patience.silence)
            try:
                channel.invoke_subsystem("sftp")
                return SFTPClient(channel)
            except (SSHException, EOFError):
                channel.close()
                if not self.alive():
                    raise
                return None

    def alive(self) -> bool:
        """Whether the connection stands, and the server has been heard of lately."""
        return bool(self._route) and self._route[-1].is_active() and not self.silent()

    def silent(self) -> bool:
        """Whether the server has not answered for too long."""
        return time.monotonic() - self._heard > self.patience.silence

    def close(self) -> None:
        """End the connection, and with it what runs at its other end."""
        with self._lock:
            route, self._route = self._route, []
        close(route)

    def _drop(self, transport: Transport) -> None:
        """Give a dead connection up, unless another thread has done so already."""
        if self._route and self._route[-1] is transport:
            self.close()

    def _transport(self) -> Transport:
        with self._lock:
            if not (self._route and self._route[-1].is_active()):
                close(self._route)
                self._route = open_route(self.server, places(self.server), self.patience)
                self._heard = time.monotonic()
                listener = threading.Thread(target=self._listen, args=(self._route[-1],), daemon=True)
                listener.name = f"ssh-{self.server.name}"
                listener.start()
            return self._route[-1]

    def _listen(self, transport: Transport) -> None:
        """Ask again and again whether the server is there, as long as the connection stands."""
        from paramiko import SSHException

        while transport.is_active():
            with suppress(SSHException, EOFError, OSError):
                transport.global_request("keepalive@openssh.com", wait=True)
                self._heard = time.monotonic()
            transport.join(self.patience.beat)
