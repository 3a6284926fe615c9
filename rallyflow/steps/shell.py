"""The step that runs a command on this machine."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from rallyflow.errors import PermanentError
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, StepContext, StepModel, StepType
from rallyflow.tracing.ids import traceparent
from rallyflow.tracing.switch import enabled

_KEPT_LINES = 1000


class ShellInputs(StepModel):
    """The inputs of `uses: shell`."""

    run: str = Field(min_length=1, description="The command, as /bin/sh reads it")
    env: dict[str, str] = Field(default_factory=dict, description="Added to the environment")
    cwd: Path | None = Field(None, description="Where it runs; default: where rallyflow was started")
    allow: tuple[int, ...] = Field((0,), description="Exit codes that mean success")
    failed: tuple[int, ...] = Field((), description="Exit codes that mean: measured, and bad (state failed)")
    repeatable: bool = Field(
        True, description="Whether it may run again when it was cut off in the middle; if not, a person is asked"
    )


class ShellOutputs(StepModel):
    """The outputs of `uses: shell`."""

    exit_code: int = Field(description="The command's exit code")
    stdout: str = Field(description="The last 1 000 lines that it printed, without the final line end")


class Shell(StepType[ShellInputs, ShellOutputs]):
    """Run a command; what it prints goes to the step's log as well."""

    Inputs = ShellInputs
    Outputs = ShellOutputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT
    repeatable: ClassVar[bool] = False

    @classmethod
    def on_resume_for(cls, inputs: Mapping[str, Any]) -> OnResume:
        """Return that a person is asked when the file says that the command is not repeatable."""
        return OnResume.MANUAL if inputs.get("repeatable", True) is False else cls.on_resume

    def run(self, inputs: ShellInputs, context: StepContext) -> Outcome[ShellOutputs]:
        traced = {"TRACEPARENT": traceparent(context.run, context.step, context.attempt)} if enabled() else {}
        environment = {
            **os.environ,
            **traced,
            **inputs.env,
            "RALLYFLOW_RUN": context.run,
            "RALLYFLOW_STEP": context.step,
        }
        lines: deque[str] = deque(maxlen=_KEPT_LINES)
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", inputs.run],
                env=environment,
                cwd=inputs.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            what = f"the command can't be started: {error.strerror}: {error.filename}"
            raise PermanentError(what, hint="does the folder that `cwd:` names exist?" if inputs.cwd else "") from error
        except (
            ValueError
        ) as error:  # what the system has no way to pass on, such as a name of a variable with `=` in it
            raise PermanentError(f"the command can't be started: {error}", hint="look at `run:` and `env:`") from error
        with process:
            for line in process.stdout or ():
                lines.append(line.rstrip("\n"))
                context.log.info("%s", line.rstrip("\n"))
        outputs = ShellOutputs(exit_code=process.returncode, stdout="\n".join(lines))
        if process.returncode in inputs.allow:
            return Outcome(outputs)
        if process.returncode in inputs.failed:
            return Outcome(outputs, StepState.FAILED, f"exit code {process.returncode}")
        raise PermanentError(
            f"the command ended with {_how(process.returncode)}",
            hint=f"its output is in the step's log: rallyflow logs {context.run} '{context.step}'",
        )


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
