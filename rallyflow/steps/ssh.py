"""The step that runs a command on servers, all at a time, and copies files to and from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from rallyflow.errors import CommandFailed
from rallyflow.model.ids import StepId, step_slug
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel, StepType
from rallyflow.model.values import Server, Servers, Value
from rallyflow.units import Duration

if TYPE_CHECKING:
    from rallyflow.servers.fleet import Each
    from rallyflow.servers.machine import Done, Machine

_SAID = 300
"""How many characters of what a command said last are in the message of its error."""


class Upload(StepModel):
    """A file to copy to every server."""

    model_config = ConfigDict(populate_by_name=True)

    source: Path = Field(alias="from", description="The file here")
    to: str = Field(min_length=1, description="The path there; its folder has to exist")
    mode: str = Field("", pattern=r"^([0-7]{3,4}|\$\{\{.*\}\})?$", description="Such as '0644'; default: as here")


class Download(StepModel):
    """A file to copy from every server."""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="from", min_length=1, description="The path there")
    to: str = Field("", description="What it is called here, in the server's folder of the step; default: as there")


class SshInputs(StepModel):
    """The inputs of `uses: ssh`: files are uploaded, then the command runs, then files are downloaded."""

    servers: Servers = Field(min_length=1, description="Where; all of them at a time")
    run: str = Field("", description="The command or script, as /bin/sh there reads it")
    sudo: bool = Field(False, description="Do everything as root")
    env: dict[str, str] = Field(
        default_factory=dict, description="The environment of the command, on top of the login's"
    )
    timeout: Duration | None = Field(
        None, gt=0, description="For the command on each server; it is then ended there, with all that it has started"
    )
    allow: tuple[int, ...] = Field((0,), description="Exit codes that mean success")
    failed: tuple[int, ...] = Field((), description="Exit codes that mean: measured, and bad (state failed)")
    upload: tuple[Upload, ...] = Field((), description="Files to copy there first")
    download: tuple[Download, ...] = Field((), description="Files to copy from there afterwards")
    at_once: int = Field(32, ge=1, description="How many servers are worked on at a time")
    repeatable: bool = Field(
        True, description="Whether it may run again when it was cut off in the middle; if not, a person is asked"
    )

    @model_validator(mode="after")
    def _has_work(self) -> Self:
        if not (self.run or self.upload or self.download):
            raise ValueError("nothing to do; give `run`, `upload` or `download`")
        return self


class ServerResult(Value):
    """What came of it on one server."""

    server: str = Field(description="The server's name")
    exit_code: int = Field(description="The command's exit code; 0 without a command")
    stdout: str = Field(description="The last 1 000 lines that it printed, without the final line end")
    files: tuple[Path, ...] = Field(default=(), description="The files that were downloaded")


class SshOutputs(StepModel):
    """The outputs of `uses: ssh`."""

    results: tuple[ServerResult, ...] = Field(description="What came of it on each server, in their order")


class Ssh(StepType[SshInputs, SshOutputs]):
    """Run a command on servers; what it prints goes to the step's log while it runs, with the server's name."""

    Inputs = SshInputs
    Outputs = SshOutputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT
    repeatable: ClassVar[bool] = False

    @classmethod
    def on_resume_for(cls, inputs: Mapping[str, Any]) -> OnResume:
        """Return that a person is asked when the file says that the command is not repeatable."""
        return OnResume.MANUAL if inputs.get("repeatable", True) is False else cls.on_resume

    def run(self, inputs: SshInputs, context: StepContext) -> Outcome[SshOutputs]:
        """Work on all servers, whatever happens on one of them; then name each that failed."""
        from rallyflow.servers.fleet import joined, on_all

        work = _Work(inputs, context)
        found = on_all(
            inputs.servers,
            work.on,
            stopped=context.stop.is_set,
            log=lambda server, line: context.log.info("%s: %s", server, line),
            at_once=inputs.at_once,
        )
        errors = [error for each in found if (error := each.error or _failure(each, inputs))]
        for error in errors:
            context.log.error("%s", error.what)
        if errors:
            raise joined(errors)
        return _outcome(found, inputs)


class _Work:
    def __init__(self, inputs: SshInputs, context: StepContext) -> None:
        self._inputs = inputs
        self._context = context
        self._ended = 0

    def on(self, machine: Machine) -> tuple[Done | None, tuple[Path, ...]]:
        """Do all of it on one server; files are not fetched when the command has failed."""
        from rallyflow.servers.transfer import upload

        inputs = self._inputs
        for file in inputs.upload:
            mode = int(file.mode, 8) if file.mode else None
            upload(machine, file.source.expanduser(), file.to, mode=mode, sudo=inputs.sudo)
        done = None
        if inputs.run:
            done = machine.run(inputs.run, timeout=inputs.timeout, sudo=inputs.sudo, env=inputs.env)
        files = () if done and done.exit_code not in (*inputs.allow, *inputs.failed) else self._fetched(machine)
        self._ended += 1
        self._context.report(Progress(self._ended, len(inputs.servers), f"{machine.server.name} is done"))
        return done, files

    def _fetched(self, machine: Machine) -> tuple[Path, ...]:
        from rallyflow.servers.transfer import download

        folder = self._context.artifacts / step_slug(StepId(machine.server.name))
        found = []
        for file in self._inputs.download:
            folder.mkdir(exist_ok=True)
            target = folder / PurePosixPath(file.to or file.source).name
            download(machine, file.source, target, sudo=self._inputs.sudo)
            found.append(target.absolute())
        return tuple(found)


def _failure(each: Each[tuple[Done | None, tuple[Path, ...]]], inputs: SshInputs) -> CommandFailed | None:
    done = each.value[0] if each.value else None
    if done is None or done.exit_code in (*inputs.allow, *inputs.failed):
        return None
    said = (done.stderr or done.stdout).strip()[-_SAID:]
    return CommandFailed(
        f"server {each.server.name}: {done.how}{': ' + said if said else ''}",
        hint="the whole output is in the step's log",
    )


def _outcome(found: Sequence[Each[tuple[Done | None, tuple[Path, ...]]]], inputs: SshInputs) -> Outcome[SshOutputs]:
    outputs = SshOutputs(results=tuple(_result(each.server, *each.value) for each in found if each.value))
    stopped = [each.server.name for each in found if each.value is None]
    if stopped:
        return Outcome(outputs, StepState.INTERRUPTED, f"stopped; not done on {', '.join(stopped)}")
    bad = [f"{each.server}: exit code {each.exit_code}" for each in outputs.results if each.exit_code in inputs.failed]
    return Outcome(outputs, StepState.FAILED if bad else StepState.SUCCEEDED, "; ".join(bad))


def _result(server: Server, done: Done | None, files: tuple[Path, ...]) -> ServerResult:
    return ServerResult(
        server=server.name,
        exit_code=done.exit_code if done else 0,
        stdout=done.stdout if done else "",
        files=files,
    )
