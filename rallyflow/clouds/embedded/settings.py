"""What the file behind `--config` holds: all that makes one embedded cloud different from another."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from rallyflow.clouds.embedded import VERSION
from rallyflow.clouds.embedded.speed import Speed


class Settings(BaseModel):
    """The settings of one cloud; they stay the same for as long as it lives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    password: SecretStr = Field(description="The password of the user admin, used when the cloud is made")
    speed: Speed = Field(default_factory=Speed, description="How fast the cloud is")
    seed: int = Field(default=0, description="Where all randomness starts")
    keep: bool = Field(default=False, description="Whether the cloud goes on when the run's process has ended")

    def for_file(self) -> str:
        """Return JSON that holds the password in clear: only for a file that nobody else can read."""
        fields = self.model_dump(mode="json") | {"password": self.password.get_secret_value()}
        return json.dumps(fields)

    @property
    def fingerprint(self) -> str:
        """A digest of everything that can change a measurement."""
        fields = {"speed": self.speed.model_dump(mode="json"), "seed": self.seed, "version": VERSION}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]
