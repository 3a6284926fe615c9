"""Asks whether something is ready: always with a request that has to be answered, never by a port that listens."""

from __future__ import annotations

import secrets
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from .plan import Ready

_PATIENCE = 20.0  # seconds for one answer

_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_ready(ready: Ready) -> bool:
    """Ask once."""
    try:
        return _KINDS[ready.kind](ready)
    except (OSError, ValueError):
        return False


def _http(ready: Ready) -> bool:
    """An API lists its versions, or asks who we are."""
    try:
        with _no_proxy.open(ready.target, timeout=_PATIENCE) as reply:
            return int(reply.status) < 400
    except urllib.error.HTTPError as error:
        with error:
            return error.code in (300, 401)


def _mysql(ready: Ready) -> bool:
    """The database server answers a query of root's, over its socket."""
    return _says("mysql", f"--socket={ready.target}", "-N", "-e", "select 1").strip() == b"1"


def _libvirt(ready: Ready) -> bool:
    """The hypervisor says of which version it is."""
    return b"hypervisor" in _says("virsh", "-c", ready.target, "version")


def _tgt(_ready: Ready) -> bool:
    """The iSCSI target daemon says how it is."""
    return b"ready" in _says("tgtadm", "--lld", "iscsi", "--mode", "sys", "--op", "show")


def _ovsdb(ready: Ready) -> bool:
    """The database of Open vSwitch says that it is there."""
    return b"Open_vSwitch" in _says("ovsdb-client", "--timeout=10", "list-dbs", ready.target).split()


def _openvswitch(ready: Ready) -> bool:
    """The switch has done what a change of its database says: ovs-vsctl waits for that."""
    value = f"asked-{secrets.token_hex(8)}"
    change = ("set", "Open_vSwitch", ".", f"external_ids:rallyflow={value}")
    look = ("get", "Open_vSwitch", ".", "external_ids:rallyflow")
    return _says("ovs-vsctl", f"--db={ready.target}", "--timeout=10", *change, "--", *look).decode().strip() == value


def _says(*command: str) -> bytes:
    """Return what a command prints; nothing when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return b""
    return b"" if done.returncode else done.stdout


def _memcached(ready: Ready) -> bool:
    host, _, port = ready.target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=_PATIENCE) as connection:
        connection.sendall(b"version\r\n")
        return connection.recv(64).startswith(b"VERSION")


def _amqp(ready: Ready) -> bool:
    """The broker lets our user in and opens a channel."""
    return _on_channel(ready, lambda _channel: True)


def _queue(ready: Ready) -> bool:
    """Somebody takes what is sent to a queue."""
    return _on_channel(ready, lambda channel: channel.queue_declare(ready.queue, passive=True).consumer_count > 0)  # type: ignore[attr-defined]


def _on_channel(ready: Ready, ask: Callable[[object], bool]) -> bool:
    import amqp  # Debian's python3-amqp, which every service that speaks to the broker depends on

    connection = amqp.Connection(
        ready.target, userid=ready.user, password=ready.password, connect_timeout=_PATIENCE, read_timeout=_PATIENCE
    )
    try:
        with connection:
            return ask(connection.channel())
    except amqp.AMQPError:
        return False


_KINDS: Mapping[str, Callable[[Ready], bool]] = {
    "http": _http,
    "mysql": _mysql,
    "libvirt": _libvirt,
    "tgt": _tgt,
    "ovsdb": _ovsdb,
    "openvswitch": _openvswitch,
    "memcached": _memcached,
    "amqp": _amqp,
    "queue": _queue,
}
