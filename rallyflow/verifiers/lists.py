"""Which tests run: patterns, lists to load, to skip and to expect failures of. Pure, but for reading the files named.

A pattern is `set=NAME` or a regular expression that is looked for anywhere in a test's name. Where tests get reasons, a
dotted name (`package.Class.test`) is no expression: it means that test, class or module, and none whose name is longer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from logging import Logger
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from rallyflow.errors import NoTests, TestListUnreadable
from rallyflow.hints import did_you_mean
from rallyflow.verifiers.case import Case, CaseState, split_tags

_LONGEST_FILE = 10_000_000  # bytes
_SET = "set="
_SHOWN = 5
_DOTTED = re.compile(r"\w+(\.\w+)+")
API = ("compute", "identity", "image", "network", "object_storage", "volume")


@dataclass(frozen=True, slots=True)
class Listed:
    """A test that a verifier has. `identity` is what it wants to be called by."""

    name: str
    tags: tuple[str, ...]
    identity: str

    @classmethod
    def of(cls, identity: str) -> Listed:
        """Return the test with an identity such as `package.Class.test[id-…,smoke]`."""
        return cls(*split_tags(identity), identity)


@dataclass(frozen=True, slots=True)
class Reasons:
    """Tests by name or pattern, with the reason why they are skipped, or expected to fail."""

    exact: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, re.Pattern[str]] = field(default_factory=dict)  # those keys that are no name with tags

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Reasons:
        """Return them from a mapping; a key is a test's name, or a regular expression."""
        exact = {split_tags(key)[0]: reason for key, reason in given.items()}
        return cls(exact, {key: _expression(key) for key in given if not split_tags(key)[1]})

    def for_test(self, name: str) -> str | None:
        """Return the reason that a test has; None when it is in no way named."""
        if name in self.exact:
            return self.exact[name]
        return next((self.exact[key] for key, pattern in self.patterns.items() if pattern.search(name)), None)

    def without_tests(self, names: Collection[str]) -> list[str]:
        """Return the names and patterns that are about none of some tests."""
        about = {key for key, pattern in self.patterns.items() if any(map(pattern.search, names))}
        return [key for key in self.exact if key not in about and key not in names]


def _expression(key: str) -> re.Pattern[str]:
    """Return what a key without tags matches: a dotted name no part of a longer word, else what it says itself."""
    return re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])" if _DOTTED.fullmatch(key) else key)


@dataclass(frozen=True, slots=True)
class Selection:
    """What runs, and what does not although it was chosen."""

    run: Sequence[Listed]
    skipped: Sequence[tuple[Listed, str]] = ()


def select(tests: Iterable[Listed], patterns: Sequence[str], load: Collection[str] | None, skip: Reasons) -> Selection:
    """Return the tests that match any pattern (all, when there is none) and are in the list to load, if there is one.

    Raises NoTests when that leaves nothing, with what there is in the hint.
    """
    known = sorted(tests, key=lambda test: test.name)
    chosen = [test for test in known if _chosen(test, patterns)] if patterns else list(known)
    if load is not None:
        wanted = {split_tags(name)[0] for name in load}
        chosen = [test for test in chosen if test.name in wanted]
    if not chosen:
        raise _nothing(known, patterns, load)
    skipped = [(test, reason) for test in chosen if (reason := skip.for_test(test.name)) is not None]
    names = {test.name for test, _ in skipped}
    return Selection([test for test in chosen if test.name not in names], skipped)


def idle(tests: Sequence[Listed], patterns: Sequence[str], load: Collection[str] | None) -> list[str]:
    """Return the patterns that no test matches, and the names in a list to load that no test has."""
    names = {test.name for test in tests}
    missing = [name for name in load or () if split_tags(name)[0] not in names]
    return [pattern for pattern in patterns if not any(map(_matcher(pattern), tests))] + missing


def shown(words: Sequence[str]) -> str:
    """Return the first of many words."""
    return ", ".join(words[:_SHOWN]) + (", ..." if len(words) > _SHOWN else "")


def _chosen(test: Listed, patterns: Sequence[str]) -> bool:
    return any(_matcher(pattern)(test) for pattern in patterns)


def _matcher(pattern: str) -> Callable[[Listed], bool]:
    if not pattern.startswith(_SET):
        found = re.compile(pattern)
        return lambda test: found.search(test.identity) is not None
    name = pattern.removeprefix(_SET)
    if name == "full":
        return lambda _test: True
    if name in API:
        return lambda test: test.name.startswith(f"tempest.api.{name}.") or f".api.{name}." in test.name
    if name == "scenario":
        return lambda test: ".scenario." in test.name
    return lambda test: name in test.tags or test.name.split(".", 1)[0] in (name, f"{name}_tempest_plugin")


def _nothing(known: Sequence[Listed], patterns: Sequence[str], load: Collection[str] | None) -> NoTests:
    asked = " or ".join(repr(pattern) for pattern in patterns) or "all tests"
    listed = f" in the list of {len(load)} to load" if load is not None else ""
    tags = sorted({tag for test in known for tag in test.tags if not tag.startswith("id-")})
    sets = [*API, "full", "scenario", *tags]
    word = next((pattern.removeprefix(_SET) for pattern in patterns if pattern.startswith(_SET)), "")
    hint = did_you_mean(word, sets) if word else "`set=smoke` or a part of a test's name"
    return NoTests(f"none of {len(known)} tests is {asked}{listed}", hint=hint)


def judged(case: Case, xfail: Reasons) -> Case:
    """Return a test as it counts when some are expected to fail."""
    reason = xfail.for_test(case.name)
    if reason is None:
        return case
    if case.state is CaseState.FAILED:
        message = f"{reason}: {case.message}" if case.message else reason
        return replace(case, state=CaseState.XFAIL, message=message)
    if case.state is CaseState.PASSED:
        return replace(case, state=CaseState.UXSUCCESS, message=f"it was expected to fail: {reason}")
    return case


def all_judged(cases: Sequence[Case], xfail: Reasons, log: Logger) -> list[Case]:
    """Return tests as they count when some are expected to fail; the log names what is expected of none of them."""
    unused = xfail.without_tests({case.name for case in cases})
    if unused:
        log.warning("%d of %d in `xfail` are about no test that ran: %s", len(unused), len(xfail.exact), shown(unused))
    return [judged(case, xfail) for case in cases]


def read_names(path: Path) -> list[str]:
    """Return the tests in a file: one on each line, or a YAML list; `#` begins a comment. Raises TestListUnreadable."""
    text = _text(path)
    lines = [line.split(" #")[0].strip().removeprefix("- ").strip() for line in text.splitlines()]
    names = [line for line in lines if line and not line.startswith("#") and line != "---"]
    if not names:
        raise TestListUnreadable(f"{path} names no test", hint="one name on each line, as `tempest run -l` prints them")
    return names


def read_reasons(path: Path) -> dict[str, str]:
    """Return the mapping of tests to reasons in a YAML file. Raises TestListUnreadable."""
    try:
        found = yaml.safe_load(_text(path)) or {}
    except yaml.YAMLError as error:
        raise TestListUnreadable(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if isinstance(found, list) and all(isinstance(each, str) for each in found):
        found = dict.fromkeys(found, f"named in {path.name}")
    if not isinstance(found, dict):
        raise TestListUnreadable(f"{path} is no mapping", hint="each line is `NAME_OR_PATTERN: reason`")
    for key in found:
        if not isinstance(key, str) or not _readable(key):
            raise TestListUnreadable(
                f"{path}: {key!r} is neither a name nor a pattern", hint="patterns are Python's regular expressions"
            )
    return {key: str(reason or f"named in {path.name}") for key, reason in found.items()}


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe or a device, which may have no end
            raise TestListUnreadable(f"{path} is no plain file")
        if path.stat().st_size > _LONGEST_FILE:
            raise TestListUnreadable(f"{path} is larger than {_LONGEST_FILE // 1_000_000} MB: no list of tests")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise TestListUnreadable(f"{path} can't be read: {why}", hint="is the path right, seen from here?") from error


def _readable(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return bool(split_tags(pattern)[1])  # a test's name with its tags in brackets
    return True


def _checked_pattern(pattern: str) -> str:
    if not _readable(pattern):
        raise PydanticCustomError("rallyflow_pattern", "'{pattern}' is no regular expression", {"pattern": pattern})
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_checked_pattern)]
"""`set=NAME`, or a regular expression."""
ReasonsOrFile = Path | dict[Pattern, str]
"""Tests with reasons, or the YAML file that has them."""


def reasons_of(given: ReasonsOrFile) -> Reasons:
    """Return the reasons that are given inline, or in a file."""
    return Reasons.of(read_reasons(given) if isinstance(given, Path) else given)
