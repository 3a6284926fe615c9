"""The secrets of a deployment: made once, kept in a file that nobody else may read."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from rallyflow.errors import StorageError
from rallyflow.servers.private import write_private

USERS = ("admin", "keystone", "glance", "placement", "nova", "neutron", "cinder", "heat", "swift", "rabbit", "metadata")


@dataclass(frozen=True, slots=True)
class Passwords:
    """The secrets of one deployment."""

    deployment: str
    users: dict[str, str] = field(repr=False)
    fernet: tuple[str, ...] = field(repr=False)  # keystone's token keys: the staged one, and the one in use
    credential: tuple[str, ...] = field(repr=False)
    salt: str = field(repr=False)  # of the broker's hash

    @classmethod
    def generate(cls, deployment: str) -> Self:
        """Make new ones. They are letters and digits: nothing that files or URLs would take for something else."""
        users = {name: secrets.token_hex(16) for name in USERS}
        return cls(deployment, users, _keys(), _keys(), secrets.token_hex(4))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read them; raises FileNotFoundError or StorageError."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            content.update({key: tuple(content[key]) for key in ("fernet", "credential")})
            return cls(**content)
        except (ValueError, KeyError, TypeError) as error:
            raise StorageError(f"the passwords of a deployment can't be read: {file}") from error

    def save(self, file: Path) -> None:
        """Write them, mode 0600, in one piece."""
        write_private(file, json.dumps(asdict(self)))

    def all(self) -> list[str]:
        """Return everything that no log may show."""
        return [*self.users.values(), *self.fernet, *self.credential]


def _keys() -> tuple[str, ...]:
    return tuple(base64.urlsafe_b64encode(os.urandom(32)).decode() for _ in range(2))
