"""What tests get to know of the cloud and the servers that they are about: environment variables, and an ssh config."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rallyflow.model.step import StepContext
from rallyflow.model.values import Cloud, Hop, Server
from rallyflow.servers.private import write_private
from rallyflow.verifiers.children import clean_environment


def surroundings(cloud: Cloud | None, servers: Sequence[Server], folder: Path, context: StepContext) -> dict[str, str]:
    """Return the environment of tests: OS_CLOUD and OS_CLIENT_CONFIG_FILE, RALLYFLOW_SERVERS and RALLYFLOW_SSH_CONFIG.

    RALLYFLOW_SERVERS is the servers as JSON. The ssh config is written to `folder`; it has no passwords, so that a
    server which takes nothing else can't be reached with it.
    """
    found = {"RALLYFLOW_RUN": str(context.run), "RALLYFLOW_STEP": str(context.step)}
    if cloud is not None:
        found |= {"OS_CLOUD": cloud.name, "OS_CLIENT_CONFIG_FILE": str(cloud.clouds_yaml.absolute())}
        if cloud.region:
            found["OS_REGION_NAME"] = cloud.region
    if servers:
        config = folder / "ssh_config"
        write_private(config, ssh_config(servers))
        found["RALLYFLOW_SERVERS"] = json.dumps([server.model_dump(mode="json") for server in servers])
        found["RALLYFLOW_SSH_CONFIG"] = str(config)
        for server in servers:
            if server.password_file is not None and server.key_file is None:
                context.log.warning("%s is reached with a password, which no ssh config can hold", server.name)
    return clean_environment(**found)


def ssh_config(servers: Sequence[Server]) -> str:
    """Return what OpenSSH, and so testinfra, needs to reach servers by their names, through their jump hosts."""
    return "".join(line for server in servers if server.connection == "ssh" for line in _entries(server))


def _entries(server: Server) -> Iterator[str]:
    hops = [(f"{server.name}-jump-{number}", hop) for number, hop in enumerate(server.jump, 1)]
    for number, (name, hop) in enumerate(hops):
        yield from _entry(name, hop, server.known_hosts, [before for before, _ in hops[:number]][-1:])
    yield from _entry(server.name, server, server.known_hosts, [name for name, _ in hops][-1:])


def _entry(name: str, place: Hop | Server, known_hosts: Path | None, through: Sequence[str]) -> Iterator[str]:
    yield f"Host {_quoted(name)}\n"
    yield f"  HostName {place.host}\n  Port {place.port}\n  User {place.user}\n  StrictHostKeyChecking yes\n"
    if place.key_file is not None:
        yield f"  IdentityFile {_quoted(str(place.key_file.absolute()))}\n  IdentitiesOnly yes\n"
    if known_hosts is not None:
        yield f"  UserKnownHostsFile {_quoted(str(known_hosts.absolute()))}\n"
    if through:
        yield f"  ProxyJump {_quoted(through[0])}\n"


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
