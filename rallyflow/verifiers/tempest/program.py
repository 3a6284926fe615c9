"""Drives the program `tempest`: lists its tests, runs some of them, and reads the stream of their results."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from rallyflow.errors import VerifierBroke
from rallyflow.masking import Mask
from rallyflow.model.step import Progress
from rallyflow.verifiers.case import Case, CaseState
from rallyflow.verifiers.children import Command, Ended, Limits, clean_environment, run
from rallyflow.verifiers.environment import Environment
from rallyflow.verifiers.lists import Listed
from rallyflow.verifiers.output import OutputLog
from rallyflow.verifiers.subunit import read_subunit
from rallyflow.verifiers.workplace import Workplace

_NAMED_LINES = 3
_TEST = re.compile(r"[A-Za-z_]\w*(\.\w+)+\S*$")


@dataclass(frozen=True, slots=True)
class Options:
    """How tests run. Times are seconds; None is for ever."""

    concurrency: int
    deadline: float | None = None  # of the monotonic clock
    test_timeout: float | None = None


@dataclass(slots=True)
class Heard:
    """What one call of `tempest run` gave."""

    cases: list[Case] = field(default_factory=list)
    ended: Ended = field(default_factory=lambda: Ended(0))


class Tempest:
    """Tempest in its environment, with a folder of its own that has tempest.conf."""

    def __init__(self, environment: Environment, folder: Path, workplace: Workplace) -> None:
        self._environment = environment
        self._folder = folder
        self._workplace = workplace
        self._mask = Mask(workplace.secrets)
        self._output = OutputLog(workplace.log)

    def list_tests(self, stop_at: float | None) -> tuple[list[Listed], str]:
        """Return all tests that this Tempest and its plugins have, and why listing was cut short, if it was.

        Raises VerifierBroke.
        """
        self._workplace.report(Progress(note="listing the tests"))
        self._prepare()
        output = bytearray()
        ended = self._call(["--list-tests"], lambda source: output.extend(source.read()), None, stop_at)
        if ended.cut:
            return [], ended.cut
        lines = output.decode(errors="replace").splitlines()
        found = [Listed.of(line) for line in lines if _TEST.match(line)]
        if ended.code or not found:
            raise VerifierBroke(
                f"tempest can't list its tests: {_last(ended, lines)}", hint="the step's log has all that it printed"
            )
        return found, ""

    def run(
        self, tests: Sequence[Listed], options: Options, ended: Callable[[Case], None], begun: Callable[[str], None]
    ) -> Heard:
        """Run tests; `ended` gets each as soon as it has ended. Raises VerifierBroke when not even one did."""
        listed = self._folder / "load.list"
        listed.write_text("".join(f"{test.identity}\n" for test in tests), encoding="utf-8")
        heard = Heard()

        def hear(case: Case) -> None:
            heard.cases.append(case)
            ended(case)

        def read(source: BinaryIO) -> None:
            read_subunit(source, hear, begun)

        words = ["--subunit", "--load-list", str(listed), "--concurrency", str(options.concurrency)]
        heard.ended = self._call(words, read, options.test_timeout, options.deadline)
        if not heard.cases and not heard.ended.cut:
            raise VerifierBroke(
                f"tempest ended with {heard.ended.how} before its first test: {_last(heard.ended, ())}",
                hint="the step's log has all that it printed",
            )
        return heard

    def _prepare(self) -> None:
        """Make the folder one that stestr takes for its own, which `tempest run` alone does not do."""
        (self._folder / "locks").mkdir(exist_ok=True)
        if (self._folder / ".stestr").is_dir():
            return
        package = next((self._environment.path / "lib").glob("python*/site-packages/tempest"), None)
        if package is None:
            raise VerifierBroke(f"there is no Tempest in {self._environment.path}", hint="is `version` one of PyPI?")
        text = f"[DEFAULT]\ntest_path={package}/test_discover\ntop_dir={package}\ngroup_regex=([^\\.]*\\.)*\n"
        (self._folder / ".stestr.conf").write_text(text, encoding="utf-8")
        command = Command(
            [self._environment.program("stestr"), "init"], self._workplace.directory, self._folder, clean_environment()
        )
        ended = run(command, lambda source: _ignore(source.read()), self._say)
        if ended.code:
            raise VerifierBroke(f"stestr can't make its folder: {_last(ended, ())}")

    def _call(
        self,
        words: Sequence[str],
        read: Callable[[BinaryIO], None],
        test_timeout: float | None,
        deadline: float | None,
    ) -> Ended:
        program, configuration = self._environment.program("tempest"), str(self._folder / "tempest.conf")
        command = Command(
            [program, "run", "--config-file", configuration, *words],
            self._workplace.directory,
            self._folder,
            self._variables(test_timeout),
        )
        seconds = None if deadline is None else max(0.0, deadline - time.monotonic())
        return run(command, read, self._say, Limits(seconds, stop=self._workplace.stop))

    def _variables(self, test_timeout: float | None) -> Mapping[str, str]:
        binaries = f"{self._environment.path}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        more = {"OS_TEST_TIMEOUT": str(max(1, round(test_timeout)))} if test_timeout is not None else {}
        return clean_environment(PATH=binaries, HOME=str(self._folder), **more)

    def _say(self, line: str) -> None:
        self._output.line(f"tempest: {self._mask.text(line)}")


def _ignore(_data: bytes) -> None:
    """What stestr prints of its folder is of no interest."""


def _last(ended: Ended, lines: Sequence[str]) -> str:
    return " | ".join((list(ended.lines) or list(lines))[-_NAMED_LINES:]) or ended.how


def completed(tests: Sequence[Listed], cases: Sequence[Case], cut: str) -> list[Case]:
    """Return a case for each test that was to run, and for what has failed beside them.

    A class that could not be set up has one result, which stands for all of its tests; a test without any result
    has not run, since the time was over, or its process died.
    """
    by_name = {case.name: case for case in cases}
    used: set[str] = set()
    result: list[Case] = []
    for test in tests:
        setup = f"setUpClass ({_class_of(test.name)})"
        if test.name in by_name:
            case = by_name.pop(test.name)
        elif setup in by_name:
            used.add(setup)
            case = _for_class(test, by_name[setup])
        else:
            case = Case(test.name, CaseState.ERRORED, message=_why(cut))
        result.append(replace(case, tags=case.tags or test.tags))
    return [*result, *(case for name, case in by_name.items() if name not in used and case.state.bad)]


def _class_of(test: str) -> str:
    """Return the module and class of a test; what follows its name in brackets has dots of its own."""
    return test.partition("(")[0].rpartition(".")[0]


def _for_class(test: Listed, setup: Case) -> Case:
    message = setup.message if setup.state is CaseState.SKIPPED else f"setUpClass: {setup.message}"
    return replace(setup, name=test.name, duration_ns=0, message=message, tags=())


def _why(cut: str) -> str:
    reasons = {"timeout": "the time was over before it ran", "stop": "the run was stopped before it ran"}
    return reasons.get(cut, "it has no result: the process that was to run it ended")
