"""When a step is tried again, and after how long."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rallyflow.units import Duration

RetryClass = Literal["transient", "timeout", "permanent", "bug", "storage"]


class RetryPolicy(BaseModel):
    """How often and after which delays a step is tried again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(1, ge=1, le=100, description="How many attempts in all; 1 means no retry")
    delay: Duration = Field(1.0, description="Before the second attempt")
    factor: float = Field(2.0, ge=1, description="Each further delay is this much longer")
    max_delay: Duration = Field(60.0, description="No delay is longer than this")
    jitter: bool = Field(True, description="Add a random part, so that parallel steps do not return together")
    on: tuple[RetryClass, ...] = Field(("transient",), description="The classes of errors that are tried again")
