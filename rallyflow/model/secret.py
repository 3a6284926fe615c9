"""A secret that can't be shown by accident, and where a workflow says that it comes from."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

MASK = "******"
"""What stands in place of a secret wherever something is shown or written down."""


class SecretSource(BaseModel):
    """Where a secret comes from; with no source, from the environment variable RALLYFLOW_SECRET_NAME."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="The environment variable that holds it"
    )
    file: Path | None = Field(
        None,
        description="The file that holds it, relative to the workflow's folder; a line end at its end is dropped",
    )
    keyring: str | None = Field(
        None,
        pattern=r"^.+/[^/]+$",
        description="SERVICE/USER in the desktop's or the machine's keyring; needs rallyflow[keyring]",
    )
    description: str = Field("", description="What it is for; shown to whoever has to provide it")

    @model_validator(mode="after")
    def _has_one_source(self) -> SecretSource:
        given = [name for name in ("env", "file", "keyring") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"a secret has one source, not {' and '.join(given)}")
        return self


class Secret:
    """A text that only `reveal()` gives: str(), repr(), format() and JSON give asterisks."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        """Compare in a time that does not tell how much is equal."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let a model have a field of this type: it takes a text or a secret, and is dumped to JSON as asterisks."""
        from_text = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.json_or_python_schema(
            json_schema=from_text,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), from_text]),
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
