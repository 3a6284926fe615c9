"""`verify/pytest`: test suites of one's own, such as those of testinfra, over the servers and the cloud of the run."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, ClassVar

from pydantic import Field

from rallyflow.errors import NotFound, ResultsUnreadable
from rallyflow.masking import Mask
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext, StepModel
from rallyflow.model.values import Cloud, Servers
from rallyflow.verifiers.case import Case, CaseState, bounded, totals
from rallyflow.verifiers.children import Command, Ended, Limits, lines_of, run
from rallyflow.verifiers.command import Stream, concluded
from rallyflow.verifiers.environment import Environment, Interrupted, environment
from rallyflow.verifiers.formats import read_results
from rallyflow.verifiers.forms import Listed, Seconds
from rallyflow.verifiers.inside import rallyflow_marks
from rallyflow.verifiers.junit import NAMELESS
from rallyflow.verifiers.lists import ReasonsOrFile, all_judged, reasons_of
from rallyflow.verifiers.surroundings import surroundings
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs

PYTEST = "pytest==9.2.0"
TESTINFRA = "testinfra"
_LONGEST = 300  # characters of why pytest stopped
_STOPPED = re.compile(r"^!+ (.+) !+$")
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
        marks = folder / f"marks-{context.attempt}.txt"
        marks.unlink(missing_ok=True)
        env = _with_marks(surroundings(inputs.cloud, inputs.servers, folder, context) | inputs.env, marks)
        command = Command(_words(inputs, made, result, env), context.directory, None, env)
        stream = _Lines(expected, context)
        limits = Limits(inputs.timeout, polite=signal.SIGINT, grace=30.0, stop=context.stop)
        ended = run(command, stream.log, stream.output.line, limits)
        cases = _cases(result, marks, ended, context)
        versions = {name: version for name, version in made.packages.items() if name.startswith("pytest")}
        found = concluded(all_judged(cases, expected, context.log), ended, stream.last, context, versions)
        said = Mask(context.secrets).text(stream.said)[:_LONGEST]
        return found if _explained(ended, cases) else _failed(found, ended, said)


_OK, _FAILED, _NOTHING = 0, 1, 5
"""The exit codes with which pytest says that all passed, that some tests failed, and that it found none."""
_TO_THE_END = (_OK, _FAILED, _NOTHING)
_OTHERS = {2: "it was interrupted", 3: "it broke itself", 4: "its arguments are wrong"}
"""What other exit codes of pytest mean; more may come from plugins, and from `pytest.exit`."""


def _words(inputs: PytestInputs, made: Environment, result: Path, env: dict[str, str]) -> list[str]:
    fixed = ["--verbose", "--color=no", "--tb=short", f"--junitxml={result}"]
    fixed += ["-p", "no:cacheprovider", "-p", rallyflow_marks.__name__.rpartition(".")[2]]
    hosts: list[str] = []
    if inputs.servers and any(TESTINFRA in each for each in inputs.requirements):
        names = [f"{'ssh' if each.connection == 'ssh' else 'local'}://{each.name}" for each in inputs.servers]
        hosts = [f"--ssh-config={env['RALLYFLOW_SSH_CONFIG']}", f"--hosts={','.join(names)}"]
    return [made.program("python"), "-m", "pytest", *fixed, *hosts, *inputs.args, *map(str, inputs.paths)]


def _with_marks(env: Mapping[str, str], marks: Path) -> dict[str, str]:
    """Return an environment in which pytest finds our plugin, and that the file to write to."""
    folders = [str(Path(rallyflow_marks.__file__).parent), env.get("PYTHONPATH", "")]
    return {**env, "PYTHONPATH": os.pathsep.join(filter(None, folders)), rallyflow_marks.VARIABLE: str(marks)}


def _cases(result: Path, marks: Path, ended: Ended, context: StepContext) -> list[Case]:
    cases = _written(result, ended, context) if result.is_file() and ended.code != _NOTHING else []
    if ended.cut or ended.code not in _TO_THE_END or any(case.name == NAMELESS for case in cases):
        return _cut_short(cases, marks, _why(ended))
    return cases


def _written(result: Path, ended: Ended, context: StepContext) -> list[Case]:
    """Return the tests in a file; that of a run that was cut short may be empty, or torn."""
    try:
        return read_results(result, "junit")
    except ResultsUnreadable as error:
        if not ended.cut:
            raise
        context.log.warning("%s", error)
        return []


def _explained(ended: Ended, cases: Sequence[Case]) -> bool:
    """Whether the tests, before anything is expected of them, say all that pytest's exit code does."""
    if ended.cut or ended.killed or ended.code in (_OK, _NOTHING):
        return True
    return ended.code == _FAILED and any(case.state.bad for case in cases)


def _failed(found: Outcome[VerifyOutputs], ended: Ended, said: str) -> Outcome[VerifyOutputs]:
    """Return the outcome as a failure, with the reason that pytest has beside its tests."""
    meaning = _OTHERS.get(ended.code, "no test failed" if ended.code == _FAILED else "")
    why = ": ".join(filter(None, (meaning, said)))
    reason = f"{found.reason}; pytest ended with {ended.how}{f' ({why})' if why else ''}"
    return replace(found, state=StepState.FAILED, reason=reason)


def _why(ended: Ended) -> str:
    cause = "the time was over, or the run was stopped" if ended.cut else f"pytest ended with {ended.how}"
    return f"it began, and never ended: {cause}"


def _cut_short(cases: Sequence[Case], marks: Path, why: str) -> list[Case]:
    """Return the tests of a run that was cut short, with those that were under way as errored.

    What has no name is one of them, of which pytest has written that much: it has been set up, and no more.
    """
    under_way = {name: Case(name, CaseState.ERRORED, message=why) for name in _under_way(marks)}
    named = [case for case in cases if case.name != NAMELESS or not under_way]
    return [_without_end(case, under_way.pop(case.name, None)) for case in named] + list(under_way.values())


def _without_end(case: Case, under_way: Case | None) -> Case:
    return case if under_way is None or case.state is not CaseState.PASSED else under_way


def _under_way(marks: Path) -> list[str]:
    """Return the tests that began and did not end, as JUnit calls them."""
    began: dict[str, None] = {}
    ended: set[str] = set()
    for line in marks.read_text(encoding="utf-8").split("\n") if marks.is_file() else ():
        word, _, test = line.partition(" ")
        if word == rallyflow_marks.ENDED:
            ended.add(test)
        elif word == rallyflow_marks.BEGAN:
            began[test] = None
    return [_junit_name(test) for test in began if test not in ended]


def _junit_name(nodeid: str) -> str:
    """Return what JUnit makes of `folder/test_it.py::TestIt::test_that[x]`: `folder.test_it.TestIt.test_that[x]`."""
    path, bracket, rest = nodeid.partition("[")
    file, *names = path.split("::")
    return bounded(".".join([file.removesuffix(".py").replace("/", "."), *names]) + bracket + rest)


class _Lines(Stream):
    """What pytest prints: lines for the log, of which some say how far it is, and one why it stopped early."""

    said = ""

    def log(self, source: BinaryIO) -> None:
        for line in lines_of(source):
            self.output.line(line)
            self.last = [*self.last, line][-3:] if line else self.last
            if found := _STOPPED.match(line):
                self.said = found[1]
            if found := _PROGRESS.match(line):
                self._context.report(Progress(float(found[3]), 100, found[1]))
