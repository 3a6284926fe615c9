"""The protocol between the engine and the steps that it runs.

A step type is a class with two pydantic models, `Inputs` (the file's `with:`) and `Outputs` (what later steps can
refer to), and a `run` method. It gets all that it may use of the outside through its `StepContext`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from logging import Logger
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from rallyflow.model.fitness import Check
from rallyflow.model.ids import RunId, StepId, Tag, step_slug
from rallyflow.model.records import Part, Resource, RunRecord, StepRecord
from rallyflow.model.secret import Secret
from rallyflow.model.states import StepState


class StepModel(BaseModel):
    """Base of every `Inputs` and `Outputs`: unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NoOutputs(StepModel):
    """For steps that give nothing to later steps."""


InputsT = TypeVar("InputsT", bound=BaseModel)
OutputsT = TypeVar("OutputsT", bound=BaseModel)


class OnResume(StrEnum):
    """What `resume` does with an attempt that was in flight when its engine died."""

    IDEMPOTENT = "idempotent"  # run it again
    RECONCILE = (
        "reconcile"  # look for what it made, by the ledger and by name: take it over, or remove it and make anew
    )
    WATERMARK = "watermark"  # keep the parts it booked, remove what it made, run the rest
    MANUAL = "manual"  # stop and ask a person


class Ledger(Protocol):
    """Where a step books each object that it makes outside, before it makes it.

    Both calls are durable when they return, and may be used from any thread of the attempt.
    """

    def intend(self, kind: str, name: str, *, inside: int = 0, detail: Mapping[str, Any] | None = None) -> int:
        """Book that an object is about to be made; returns the ledger id."""

    def created(self, resource: int, external_id: str, *, detail: Mapping[str, Any] | None = None) -> None:
        """Book that the object exists; `detail` is merged into what was booked."""

    def deleted(self, resource: int) -> None:
        """Book that the object is gone."""

    def open(self) -> Sequence[Resource]:
        """Return what this step made and did not remove, in all of its attempts, oldest first."""


class PartBook(Protocol):
    """Where an attempt books the Parquet parts that it wrote."""

    def add(self, parts: Sequence[tuple[str, Path, int]]) -> None:
        """Book parts as (table, path, rows), all or none; the files are complete and synced already."""

    def mine(self, table: str | None = None) -> Sequence[Part]:
        """Return the booked parts of this step (all attempts), of one table or of all."""

    def drop(self, parts: Sequence[Part]) -> None:
        """Book that parts of this step count no more: they can't be read."""


class History(Protocol):
    """What a step may read of this and earlier runs."""

    def run(self, run: str) -> RunRecord:
        """Return one run; NotFound when there is none."""

    def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the steps of a run, in the plan's order."""

    def parts(self, run: str) -> Sequence[Part]:
        """Return every booked part of a run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is. `total` 0 means unknown; `note` is a short text for the live view."""

    done: float = 0
    total: float = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to a step that had paused."""

    approved: bool
    values: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    time_ns: int = 0  # since the epoch, UTC
    attempt: int = 0  # that had asked


@dataclass(frozen=True, slots=True)
class StepContext:
    """What an attempt may use of the outside."""

    run: RunId
    step: StepId
    attempt: int
    key: str  # the step's, the same in every attempt; names are made from `tag`, which has it
    directory: Path  # of the run; exists
    matrix: Mapping[str, Any]
    ledger: Ledger
    parts: PartBook
    history: History
    log: Logger
    guardian: int  # process id of the engine: what an attempt leaves running must end with it
    secrets: tuple[Secret, ...] = ()  # of the run: what a step writes to a file itself, it has to mask itself
    answer: Answer | None = None  # of a person, when the step had paused before
    time_to_live: float | None = None  # seconds, of what it makes outside
    stop: Event = field(default_factory=Event)  # set when the attempt should come to a safe point soon
    report: Callable[[Progress], None] = lambda _progress: None

    @property
    def tag(self) -> str:
        """What the names of all that it makes outside begin with, and a hyphen: cleanup finds them by it."""
        return str(Tag.of(self.run, self.key, self.time_to_live))

    @property
    def artifacts(self) -> Path:
        """The step's own folder for files that stay with the run; made when first asked for."""
        folder = self.directory / "artifacts" / step_slug(self.step)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def results(self) -> Path:
        """The attempt's own folder for Parquet parts; made when first asked for."""
        folder = self.directory / "results" / step_slug(self.step) / str(self.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@dataclass(frozen=True, slots=True)
class Outcome(Generic[OutputsT]):
    """How an attempt ended when it could be done: succeeded, failed, inconclusive, interrupted or paused."""

    outputs: OutputsT
    state: StepState = StepState.SUCCEEDED
    reason: str = ""


class StepType(ABC, Generic[InputsT, OutputsT]):
    """One thing that `uses:` can name."""

    Inputs: ClassVar[type[BaseModel]]
    Outputs: ClassVar[type[BaseModel]] = NoOutputs
    version: ClassVar[str] = "1"  # part of the fingerprint: raise it when the same inputs give another result
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT
    inline: ClassVar[bool] = False  # runs inside the engine's own process: only for steps that can't block
    locks: ClassVar[tuple[str, ...]] = ()  # held while an attempt runs
    repeatable: ClassVar[bool] = True  # a second attempt does no harm, whatever the first one did
    pure: ClassVar[bool] = False  # its outputs are all that it is good for
    internal: ClassVar[bool] = False  # made by the compiler: no file can name it in `uses:`

    @classmethod
    def outputs_for(cls, inputs: Mapping[str, Any]) -> type[BaseModel]:
        """Return the model of the outputs for `with:` as the file has it, which may hold expressions, or be wrong."""
        del inputs
        return cls.Outputs

    @classmethod
    def on_resume_for(cls, inputs: Mapping[str, Any]) -> OnResume:
        """Return what `resume` does with an attempt with this `with:`, as the file has it."""
        del inputs
        return cls.on_resume

    @classmethod
    def examine(cls, inputs: Mapping[str, Any]) -> Iterable[Check]:
        """Look at whether this machine can do the step, without touching anything; quick, and before any run.

        `inputs` is the `with:` of the file, not validated, with None in place of what only a run knows. The default
        needs nothing but Python.
        """
        del inputs
        return ()

    def adopt(self, inputs: InputsT, context: StepContext) -> Outcome[OutputsT] | None:
        """Take over what an attempt with the same inputs had made when its engine died.

        Looks for the objects that `context.ledger.open()` has, by id or by name. Returns the outcome when all that the
        step makes is there and answers; None to have it removed and made anew, which is the default.
        """
        del inputs, context
        return None

    @abstractmethod
    def run(self, inputs: InputsT, context: StepContext) -> Outcome[OutputsT]:
        """Do the step; raises StepError when it can't be done."""

    def revive(self, outputs: OutputsT, context: StepContext) -> OutputsT | Outcome[OutputsT] | None:
        """Probe what a finished step made, before a resumed run uses it again.

        Returns the outputs (changed where needed) when all of it answers, or an outcome with them and a reason that
        says what had to be woken; None when it is gone and the step has to run again. Whatever is raised means that
        nobody can tell: nothing is removed then. Steps that leave nothing running keep the default.
        """
        del context
        return outputs


class ResourceHandler(Protocol):
    """Removes objects of one family from the outside, from the ledger alone."""

    def delete(self, resource: Resource) -> None:
        """Remove the object and wait until it is gone; an object that is gone already is fine.

        An `intent` row has no external id: the handler looks for the object by its name. Raises StepError.
        """
