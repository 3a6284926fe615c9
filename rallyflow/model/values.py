"""Values that flow between steps: servers, clouds, verifications, benchmark results, reports.

They are what a step's outputs are made of, cross the journal as JSON, and never hold a secret: a `Cloud` names
the clouds.yaml (mode 0600) that its credentials are in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Value(BaseModel):
    """A value with a name in the type system of workflows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Hop(Value):
    """Where an ssh connection leads through, and how to log in there."""

    host: str
    port: int = 22
    user: str = "root"
    key_file: Path | None = Field(
        default=None, description="The private key; with neither this nor a password, the agent and ~/.ssh are asked"
    )
    password_file: Path | None = Field(default=None, description="The file (mode 0600) that holds the password")


class Server(Value):
    """One machine. `connection: local` means this machine, without ssh.

    What is secret is in files that it names; who it is is in `known_hosts`, without which nobody connects to it.
    """

    name: str
    host: str
    connection: Literal["ssh", "local"] = "ssh"
    port: int = 22
    user: str = "root"
    role: str = ""
    key_file: Path | None = Field(
        default=None, description="The private key; with neither this nor a password, the agent and ~/.ssh are asked"
    )
    password_file: Path | None = Field(
        default=None, description="The file (mode 0600) that holds the password, also for sudo"
    )
    known_hosts: Path | None = Field(default=None, description="The host keys of the server and of its jump hosts")
    networks: dict[str, str] = Field(default_factory=dict, description="Network to the server's address in it")
    jump: tuple[Hop, ...] = Field(default=(), description="The jump hosts, the one nearest to us first")
    ledger_id: int = Field(default=0, description="The server's own row in the ledger; 0 for one that was there before")


Servers = tuple[Server, ...]
"""The servers that a provider made, in a stable order."""


class ServerFacts(Value):
    """What a server says about itself; empty or 0 where it does not know."""

    server: str = Field(description="The server's name in the workflow")
    hostname: str = Field(description="What it calls itself")
    os: str = Field(description="Its release, such as `Debian GNU/Linux 12 (bookworm)`")
    kernel: str = Field(description="The release of its kernel")
    architecture: str = Field(description="Such as x86_64")
    cores: int = Field(description="Processors that are online")
    memory: int = Field(description="Bytes")
    python3: str = Field(description="The path of python3")
    sudo: bool = Field(description="Whether its user is, or can become, root")


class Cloud(Value):
    """An OpenStack that answers: the entry `name` of `clouds_yaml` says where and with which credentials."""

    name: str
    kind: str = Field(description="Which engine built it: embedded, debian, existing, ...")
    clouds_yaml: Path
    region: str = "RegionOne"
    auth_url: str
    simulated: bool = Field(default=False, description="True for the embedded cloud; every report says so")
    versions: dict[str, str] = Field(default_factory=dict, description="Service or package to version")
    ledger_id: int = Field(
        default=0, description="The cloud's own row in the ledger; 0 for a cloud that was there before"
    )
    fingerprint: str = Field(default="", description="Changes when anything changes that can affect a measurement")


class Verification(Value):
    """How a verification ended; its tests are rows of the table `tests`."""

    step: str
    passed: int
    failed: int
    skipped: int
    xfail: int = Field(default=0, description="Failed, as was expected of them")
    uxsuccess: int = Field(default=0, description="Passed, though they were expected to fail; counts as a failure")
    errored: int = Field(default=0, description="Were to run, and have no result; counts as a failure")
    flaky: int = Field(default=0, description="Of those that passed: only when they were run again")
    versions: dict[str, str] = Field(default_factory=dict, description="What verified: package to version")


class BenchmarkResults(Value):
    """Names the measurements of one benchmark cell; the rows are in the tables `iterations` and `actions`."""

    run: str
    step: str
    scenario: str
    matrix: dict[str, object] = Field(default_factory=dict)
