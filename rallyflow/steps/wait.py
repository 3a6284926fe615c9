"""The step that waits: for a time, or until something answers as it should."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from rallyflow.errors import PermanentError, TransientError
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel, StepType
from rallyflow.units import Duration, format_duration

_LARGEST_BODY = 1 << 20  # bytes of a reply that are looked at
_ADDRESS = re.compile(r"\[?([^\[\]]+?)\]?:(\d{1,5})")


class HttpCondition(StepModel):
    """A web address that answers."""

    url: str = Field(pattern=r"^(https?://.*|\$\{\{.*\}\}.*)$", description="Asked with GET")
    status: tuple[int, ...] = Field((200,), description="The status codes that mean yes")
    contains: str = Field("", description="A text that must be in the reply")


class WaitInputs(StepModel):
    """The inputs of `uses: wait`: exactly one of time, http, tcp, command and file."""

    time: Duration | None = Field(None, description="Wait so long, and do nothing else")
    http: HttpCondition | None = Field(None, description="Until a web address answers")
    tcp: str | None = Field(None, description="Until HOST:PORT accepts a connection")
    command: str | None = Field(None, description="Until this command, as /bin/sh reads it, ends with exit code 0")
    file: Path | None = Field(None, description="Until this file or folder exists")
    interval: Duration = Field(2.0, gt=0, description="Between two looks")
    timeout: Duration = Field(600.0, gt=0, description="Give up after that; the step is then in error")

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in _CONDITIONS if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} stand side by side" if given else "nothing to wait for"
            raise ValueError(f"{what}; give one of {', '.join(_CONDITIONS)}")
        if self.tcp is not None and "${{" not in self.tcp and not _ADDRESS.fullmatch(self.tcp):
            raise ValueError(f"tcp: {self.tcp!r} is not HOST:PORT")
        return self


_CONDITIONS = ("time", "http", "tcp", "command", "file")


class WaitOutputs(StepModel):
    """The outputs of `uses: wait`."""

    waited_s: float = Field(description="Seconds until the condition held")
    looks: int = Field(description="How often it was looked at")


class Wait(StepType[WaitInputs, WaitOutputs]):
    """Wait for a time, or until a condition holds."""

    Inputs = WaitInputs
    Outputs = WaitOutputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: WaitInputs, context: StepContext) -> Outcome[WaitOutputs]:
        """Look again and again until the condition holds; TransientError when it never did in time."""
        started = time.monotonic()
        if inputs.time is not None:
            stopped = context.stop.wait(inputs.time)
            return _ended(started, 0, stopped=stopped)
        look = _look(inputs)
        looks = 0
        while True:
            looks += 1
            missing = look()
            if not missing:
                return _ended(started, looks, stopped=False)
            waited = time.monotonic() - started
            context.report(Progress(waited, inputs.timeout, missing))
            if waited + inputs.interval > inputs.timeout:
                raise TransientError(
                    f"waited {format_duration(waited)} in vain: {missing}",
                    hint="raise with.timeout, or find out why it does not come",
                )
            if context.stop.wait(inputs.interval):
                return _ended(started, looks, stopped=True)


def _ended(started: float, looks: int, *, stopped: bool) -> Outcome[WaitOutputs]:
    outputs = WaitOutputs(waited_s=round(time.monotonic() - started, 3), looks=looks)
    return Outcome(outputs, StepState.INTERRUPTED if stopped else StepState.SUCCEEDED, "stopped" if stopped else "")


def _look(inputs: WaitInputs) -> Callable[[], str]:
    """Return what looks once: an empty text when the condition holds, else what is missing."""
    if inputs.http is not None:
        http = inputs.http
        return lambda: _http(http, inputs.interval)
    if inputs.tcp is not None:
        host, port = _address(inputs.tcp)
        return lambda: _tcp(host, port)
    if inputs.command is not None:
        command = inputs.command
        return lambda: _command(command, inputs.timeout)
    path = inputs.file or Path()
    return lambda: "" if os.path.lexists(path) else f"{path} does not exist"


def _address(text: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise PermanentError(f"{text!r} is not HOST:PORT", hint="such as 10.0.0.5:22")
    return match[1], int(match[2])


def _http(condition: HttpCondition, interval: float) -> str:
    try:
        request = urllib.request.Request(condition.url)  # noqa: S310 - the model takes http and https only
        with urllib.request.urlopen(request, timeout=max(interval, 10.0)) as reply:  # noqa: S310
            status, body = reply.status, reply.read(_LARGEST_BODY)
    except urllib.error.HTTPError as error:
        with error:
            status, body = error.code, error.read(_LARGEST_BODY)
    except (http.client.InvalidURL, ValueError) as error:
        raise PermanentError(
            f"{condition.url!r} is not an address: {error}", hint="such as http://10.0.0.5:5000/v3"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        return f"{condition.url} does not answer: {getattr(error, 'reason', error)}"
    if status not in condition.status:
        return f"{condition.url} answers with status {status}"
    if condition.contains and condition.contains not in body.decode(errors="replace"):
        return f"{condition.url} answers without {condition.contains!r}"
    return ""


def _tcp(host: str, port: int) -> str:
    try:
        with socket.create_connection((host, port), timeout=10):
            return ""
    except OSError as error:
        return f"{host}:{port} takes no connection: {error.strerror or error}"


def _command(command: str, timeout: float) -> str:
    try:
        done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, check=False, timeout=timeout)
    except subprocess.TimeoutExpired:
        return "the command does not end"
    return f"the command ends with exit code {done.returncode}" if done.returncode else ""
