"""Servers as a workflow file gives them, and the values that later steps get: secrets go to files of the step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, SecretStr

from rallyflow.errors import InputsInvalid
from rallyflow.model.secret import Secret
from rallyflow.model.step import StepModel
from rallyflow.model.values import Hop, Server
from rallyflow.servers.private import write_private
from rallyflow.servers.ssh.book import HostKeyBook
from rallyflow.servers.ssh.places import places


class Login(StepModel):
    """How to log in, and where host keys are known from."""

    user: str | None = Field(None, description="Default: root")
    key_file: Path | None = Field(
        None, description="The private key; with no key and no password, the agent and ~/.ssh are asked"
    )
    key: SecretStr | None = Field(None, description="The private key itself: a secret of the workflow")
    password: SecretStr | None = Field(None, description="A secret of the workflow; also for sudo")
    known_hosts: Path | None = Field(None, description="A file as ssh has it, with the host key")


class Place(Login):
    """A jump host."""

    host: str = Field(min_length=1, description="Its address or name")
    port: int = Field(22, ge=1, le=65535, description="Of its sshd")
    host_key: str = Field(
        "", description="Its public key as in a `.pub` file or known_hosts, or a fingerprint SHA256:…; one a line"
    )


class GivenServer(Place):
    """A server that is there already."""

    name: str = Field("", description="Default: its host")
    role: str = Field("", description="A role that later steps can select by")
    networks: dict[str, str] = Field(default_factory=dict, description="Network to the server's address in it")
    jump: tuple[Place, ...] | None = Field(None, description="The jump hosts, the one nearest to us first")


class Desk:
    """Turns what is given into values: files of the step hold the keys, the passwords and the host keys."""

    def __init__(self, folder: Path, secrets: Sequence[Secret]) -> None:
        """`folder` exists; `secrets` are those of the run."""
        self._folder = folder
        self._secrets = secrets
        self.book = HostKeyBook(folder / "known_hosts")

    def server(self, given: GivenServer, common: Login, jump: Sequence[Place], number: int) -> Server:
        """Return a server; what it does not say itself is as `common` and `jump` say.

        Raises InputsInvalid, or PermanentError for a host key that is none.
        """
        route = given.jump if given.jump is not None else jump
        hops = tuple(self._hop(hop, common, f"server{number}-jump{at}") for at, hop in enumerate(route, 1))
        own = self._hop(given, common, f"server{number}")
        server = Server(
            name=given.name or given.host,
            **own.model_dump(),
            role=given.role,
            networks=given.networks,
            jump=hops,
            known_hosts=self.book.file,
        )
        for place, said in zip(places(server), (*route, given), strict=True):
            self.book.take(place, said.host_key, _absolute(said.known_hosts or common.known_hosts))
        return server

    def _hop(self, place: Place, common: Login, label: str) -> Hop:
        keyed = place if place.key_file or place.key else common
        key = self._file(keyed.key, f"{label}.key", "\n")
        return Hop(
            host=place.host,
            port=place.port,
            user=place.user or common.user or "root",
            key_file=key or _absolute(keyed.key_file),
            password_file=self._file(place.password or common.password, f"{label}.password", ""),
        )

    def _file(self, secret: SecretStr | None, name: str, end: str) -> Path | None:
        if secret is None:
            return None
        text = secret.get_secret_value()
        if not any(known.reveal() in text for known in self._secrets):
            raise InputsInvalid(
                f"the {name.rpartition('.')[2]} of a server stands in the workflow itself",
                hint="declare it below `secrets:`, and write ${{ secrets.NAME }}",
            )
        write_private(self._folder / name, text.rstrip("\r\n") + end)
        return self._folder / name


def _absolute(file: Path | None) -> Path | None:
    return file.expanduser().absolute() if file else None
