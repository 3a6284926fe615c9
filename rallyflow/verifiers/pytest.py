"""`verify/pytest`: test suites of one's own, such as those of testinfra, over the servers and the cloud of the run."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, ClassVar

from pydantic import Field

from rallyflow.errors import NotFound
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel
from rallyflow.model.values import Cloud, Servers
from rallyflow.verifiers.case import Case, CaseState, totals
from rallyflow.verifiers.children import Command, Limits, lines_of, run
from rallyflow.verifiers.command import Stream, concluded
from rallyflow.verifiers.environment import Environment, Interrupted, environment
from rallyflow.verifiers.formats import read_results
from rallyflow.verifiers.forms import Listed, Seconds
from rallyflow.verifiers.lists import Reasons, ReasonsOrFile, all_judged, reasons_of
from rallyflow.verifiers.surroundings import surroundings
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs

PYTEST = "pytest==9.2.0"
TESTINFRA = "testinfra"
_PROGRESS = re.compile(r"^(\S.*?) (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b.*\[\s*(\d+)%\]$")


class PytestInputs(StepModel):
    """The file's `with:`."""

    paths: Listed[Path] = Field(min_length=1, description="Files or folders with tests, seen from here")
    servers: Servers = Field((), description="The servers: RALLYFLOW_SERVERS, and `--hosts` of testinfra")
    cloud: Cloud | None = Field(None, description="The cloud: OS_CLOUD and OS_CLIENT_CONFIG_FILE name it")
    requirements: tuple[str, ...] = Field(
        (PYTEST,),
        min_length=1,
        description="Packages to run them with, such as `pytest-testinfra==10.2.2`",
    )
    args: tuple[str, ...] = Field((), description="More arguments for pytest, such as `-k`, `nova`")
    env: dict[str, str] = Field(default_factory=dict, description="Added to the environment")
    timeout: Seconds | None = Field(None, description="Then it is ended, and what has run counts")
    xfail: ReasonsOrFile = Field(
        default_factory=dict,
        description="Tests that are expected to fail: name or pattern to reason, or a YAML file with that",
    )


class PytestStep(Verifier[PytestInputs]):
    """Run pytest in an environment of its own."""

    Inputs = PytestInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: PytestInputs, context: StepContext) -> Outcome[VerifyOutputs]:
        expected = reasons_of(inputs.xfail)
        missing = next((path for path in inputs.paths if not Path(str(path).partition("::")[0]).exists()), None)
        if missing is not None:
            raise NotFound(f"there is no {missing}", hint="paths are seen from where rallyflow was started")
        try:
            made = environment("pytest", inputs.requirements, context)
        except Interrupted:
            outputs = VerifyOutputs(verification=totals(context.step, []))
            return Outcome(outputs, StepState.INTERRUPTED, "stopped before the first test")
        folder = context.artifacts.absolute()
        result = folder / f"junit-{context.attempt}.xml"
        env = surroundings(inputs.cloud, inputs.servers, folder, context) | inputs.env
        command = Command(_words(inputs, made, result, env), context.directory, None, env)
        stream = _Lines(expected, context)
        limits = Limits(inputs.timeout, polite=signal.SIGINT, grace=30.0, stop=context.stop)
        ended = run(command, stream.log, lambda line: context.log.info("%s", line), limits)
        cases = read_results(result, "junit") if result.is_file() and ended.code != _NOTHING else []
        if ended.cut:
            cases = _without_the_last(cases, len(stream.ended))
        versions = {name: version for name, version in made.packages.items() if name.startswith("pytest")}
        return concluded(all_judged(cases, expected, context.log), ended, stream.last, context, versions)


_NOTHING = 5
"""The exit code with which pytest says that it found no test."""


def _words(inputs: PytestInputs, made: Environment, result: Path, env: dict[str, str]) -> list[str]:
    fixed = ["--verbose", "--color=no", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={result}"]
    hosts: list[str] = []
    if inputs.servers and any(TESTINFRA in each for each in inputs.requirements):
        names = [f"{'ssh' if each.connection == 'ssh' else 'local'}://{each.name}" for each in inputs.servers]
        hosts = [f"--ssh-config={env['RALLYFLOW_SSH_CONFIG']}", f"--hosts={','.join(names)}"]
    return [made.program("python"), "-m", "pytest", *fixed, *hosts, *inputs.args, *map(str, inputs.paths)]


def _without_the_last(cases: Sequence[Case], ended: int) -> list[Case]:
    """Return the tests of a run that was cut short: pytest writes the one that was under way as if it had passed."""
    why = "it began, and never ended: the time was over, or the run was stopped"
    return [*cases[:ended], *(replace(case, state=CaseState.ERRORED, message=why) for case in cases[ended:])]


class _Lines(Stream):
    """What pytest prints: lines for the log, of which some say which test has ended, and how far it is."""

    def __init__(self, expected: Reasons, context: StepContext) -> None:
        super().__init__(expected, context)
        self.ended: set[str] = set()

    def log(self, source: BinaryIO) -> None:
        for line in lines_of(source):
            self._context.log.info("%s", line)
            self.last = [*self.last, line][-3:] if line else self.last
            if found := _PROGRESS.match(line):
                self.ended.add(found[1])
                self._context.report(Progress(float(found[3]), 100, found[1]))
