"""What a scenario looks like in a file, and as it is after its names have been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from rallyflow.model.step import StepModel


class Kind(StrEnum):
    """The types of a scenario's arguments. Those with a capital name something in the cloud."""

    IMAGE = "Image"
    FLAVOR = "Flavor"
    NETWORK = "Network"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STR = "str"

    @property
    def in_cloud(self) -> bool:
        """Whether a value has to be looked up in the cloud."""
        return self in (Kind.IMAGE, Kind.FLAVOR, Kind.NETWORK)


class ArgModel(StepModel):
    """An argument of a scenario. Written as the type alone, it is required."""

    type: Kind = Field(description="What the argument takes")
    default: Any = Field(default=None, description="Its value when it is not given; without this key, required")
    min: float | None = Field(default=None, description="The smallest number allowed")
    max: float | None = Field(default=None, description="The largest number allowed")
    description: str = Field(default="", description="What it is for")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return "default" not in self.model_fields_set


class ScenarioModel(StepModel):
    """One scenario in a file."""

    rally: str = Field(default="", description="The scenario of Rally that this one mirrors")
    description: str = Field(description="What it does, in a sentence")
    args: dict[str, ArgModel] = Field(default_factory=dict, description="What a workflow can give it")
    contexts: dict[str, Any] = Field(default_factory=dict, description="What it needs, unless told otherwise")
    do: list[dict[str, Any]] = Field(min_length=1, description="Actions, sleeps and repeats, in order")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place: keys and indexes from the root of what was checked."""

    loc: tuple[str | int, ...]
    what: str
    hint: str = ""

    def __str__(self) -> str:
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.loc).lstrip(".")
        return f"{path}: {self.what}" + (f" ({self.hint})" if self.hint else "")


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the scenario's file gives."""

    value: Any


@dataclass(frozen=True, slots=True)
class Argument:
    """The value of an argument of the scenario."""

    name: str


@dataclass(frozen=True, slots=True)
class Result:
    """What an earlier action returned, by its place in the frame of an iteration."""

    slot: int


Value = Constant | Argument | Result


@dataclass(frozen=True, slots=True)
class Call:
    """Run an action; its result goes to `slot` unless that is -1."""

    action: str
    values: Mapping[str, Value]
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for a time between two numbers of seconds, drawn anew each time. Counts as idle."""

    low: Value
    high: Value


@dataclass(frozen=True, slots=True)
class Repeat:
    """Do something several times."""

    times: Value
    body: tuple[Step, ...]


Step = Call | Sleep | Repeat


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario whose names and types fit together."""

    name: str
    model: ScenarioModel
    steps: tuple[Step, ...]
    slots: int
    actions: tuple[str, ...] = field(default=())  # the names of its actions, each once, in order of appearance
