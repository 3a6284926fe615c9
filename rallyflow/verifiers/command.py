"""`verify/command`: any program that writes JUnit or subunit."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from rallyflow.errors import NotFound, VerifierBroke
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel
from rallyflow.model.values import Cloud, Servers
from rallyflow.verifiers.booking import outcome
from rallyflow.verifiers.case import Case, summary, totals
from rallyflow.verifiers.children import Command, Ended, Limits, lines_of, run
from rallyflow.verifiers.formats import read_results
from rallyflow.verifiers.forms import Listed, Seconds
from rallyflow.verifiers.lists import Reasons, ReasonsOrFile, all_judged, judged, reasons_of
from rallyflow.verifiers.output import OutputLog
from rallyflow.verifiers.subunit import read_subunit
from rallyflow.verifiers.surroundings import surroundings
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs

_STDOUT = "-"
_NAMED_LINES = 3
_LONGEST_DAMAGE = 200  # characters


def _checked_glob(pattern: str) -> str:
    """Refuse what pathlib can't look for: no name at all, and `**` as a part of one."""
    path = Path(pattern)
    if not path.name or any("**" in part and part != "**" for part in path.parts):
        raise PydanticCustomError("rallyflow_glob", "'{pattern}' names no file", {"pattern": pattern})
    return pattern


Glob = Annotated[str, AfterValidator(_checked_glob)]
"""The path of a file, or a pattern of such paths."""


class Result(StepModel):
    """Where the results are."""

    junit: Listed[Glob] = Field((), description="Files with JUnit, seen from `cwd`; with `*` and `**` for many")
    subunit: str = Field("", description="A file with subunit, seen from `cwd`; `-` is what the command prints")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.junit) == bool(self.subunit):
            raise PydanticCustomError("rallyflow_result", "give either `junit` or `subunit`")
        return self


class CommandInputs(StepModel):
    """The file's `with:`."""

    run: str | tuple[str, ...] = Field(description="The command: a line as /bin/sh reads it, or a list of words")
    result: Result = Field(description="Where its results are")
    env: dict[str, str] = Field(default_factory=dict, description="Added to the environment")
    cwd: Path | None = Field(None, description="Where it runs; default: where rallyflow was started")
    cloud: Cloud | None = Field(None, description="The cloud: OS_CLOUD and OS_CLIENT_CONFIG_FILE name it")
    servers: Servers = Field((), description="The servers: RALLYFLOW_SERVERS and RALLYFLOW_SSH_CONFIG")
    timeout: Seconds | None = Field(None, description="Then it is ended, and what it has written counts")
    xfail: ReasonsOrFile = Field(
        default_factory=dict,
        description="Tests that are expected to fail: name or pattern to reason, or a YAML file with that",
    )


class CommandStep(Verifier[CommandInputs]):
    """Run a command, and take its results for those of a verification."""

    Inputs = CommandInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT
    repeatable: ClassVar[bool] = False

    def run(self, inputs: CommandInputs, context: StepContext) -> Outcome[VerifyOutputs]:
        expected = reasons_of(inputs.xfail)
        env = surroundings(inputs.cloud, inputs.servers, context.artifacts.absolute(), context) | inputs.env
        words = ["/bin/sh", "-c", inputs.run] if isinstance(inputs.run, str) else inputs.run
        command = Command(words, context.directory, inputs.cwd, env)
        before = _stamps(_files(inputs))
        stream = Stream(expected, context)
        read = stream.read if inputs.result.subunit == _STDOUT else stream.log
        limits = Limits(inputs.timeout, polite=signal.SIGINT, grace=10.0, stop=context.stop)
        ended = run(command, read, stream.output.line, limits)
        cases = stream.cases
        for path in _files(inputs):
            if before.get(path) != _stamp(path):
                cases += read_results(path, "junit" if inputs.result.junit else "auto")
        found = concluded(all_judged(cases, expected, context.log), ended, stream.last, context)
        if not stream.damage or ended.cut:
            return found
        reason = f"{found.reason}; the stream of results is damaged: {stream.damage[:_LONGEST_DAMAGE]}"
        return replace(found, state=StepState.FAILED, reason=reason)


class Stream:
    """What a command prints: a stream of results, or lines for the log."""

    def __init__(self, expected: Reasons, context: StepContext) -> None:
        self.cases: list[Case] = []
        self.last: list[str] = []
        self.damage = ""  # what can't be read of it
        self.output = OutputLog(context.log)
        self._expected = expected
        self._context = context

    def read(self, source: BinaryIO) -> None:
        """Take it for subunit."""
        heard = read_subunit(source, self._ended)
        self.last = heard.noise.strip().splitlines()[-_NAMED_LINES:]
        self.damage = heard.damage
        if heard.damage:
            self._context.log.warning("the stream of results is damaged: %s", heard.damage)

    def log(self, source: BinaryIO) -> None:
        """Take it for lines."""
        for line in lines_of(source):
            self.output.line(line)
            self.last = [*self.last, line][-_NAMED_LINES:]

    def _ended(self, case: Case) -> None:
        self.cases.append(case)
        seen = judged(case, self._expected)
        self._context.log.info("%s %s %s", seen.state, seen.name, seen.message)
        self._context.report(Progress(len(self.cases), note=seen.name))


def concluded(
    cases: Sequence[Case],
    ended: Ended,
    last: Sequence[str],
    context: StepContext,
    versions: Mapping[str, str] | None = None,
) -> Outcome[VerifyOutputs]:
    """Return the outcome of a program that ended: what its results say; without any it could not be done.

    One that a signal has ended has not said all, and has failed.
    """
    if cases or ended.cut == "timeout":
        found = outcome(cases, context, versions, cut=ended.cut)
        if ended.cut or not ended.code or any(case.state.bad for case in cases):
            return found
        context.log.warning("the command ended with %s, though no test failed", ended.how)
        if not ended.killed:
            return found
        return replace(found, state=StepState.FAILED, reason=f"{found.reason}, and then {ended.how} ended the command")
    if ended.cut == "stop":
        outputs = VerifyOutputs(verification=totals(context.step, []))
        return Outcome(outputs, StepState.INTERRUPTED, f"stopped early: {summary(outputs.verification)}")
    said = " | ".join(list(ended.lines)[-_NAMED_LINES:] or last)
    raise VerifierBroke(
        f"the command ended with {ended.how} and without results{': ' if said else ''}{said}",
        hint="does it write to where `result` looks?",
    )


def _files(inputs: CommandInputs) -> list[Path]:
    base = (inputs.cwd or Path()).absolute()
    if not base.is_dir():
        raise NotFound(f"there is no folder {base}", hint="`cwd` names it")
    if inputs.result.subunit:
        return [] if inputs.result.subunit == _STDOUT else [base / inputs.result.subunit]
    found = {path for pattern in inputs.result.junit for path in _matching(pattern, base)}
    return sorted(found)


def _matching(pattern: str, base: Path) -> Iterator[Path]:
    """Give the files that a pattern means, which may begin at the root; pathlib itself takes only relative ones."""
    path = Path(pattern)
    return Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.is_absolute() else base.glob(pattern)


def _stamps(paths: Sequence[Path]) -> dict[Path, tuple[int, int] | None]:
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes when a file is written; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
