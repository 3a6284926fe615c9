"""Lists the tests of a version of Tempest, without any cloud."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from rallyflow.errors import UsageError
from rallyflow.verifiers.environment import Environment, environment
from rallyflow.verifiers.lists import Listed, Pattern, Reasons, select
from rallyflow.verifiers.tempest.inputs import VERSION
from rallyflow.verifiers.tempest.program import Tempest
from rallyflow.verifiers.workplace import Desk, Workplace

_VERSION = re.compile(r"[0-9][0-9A-Za-z.]*")


def install(version: str, plugins: Sequence[str], workplace: Workplace) -> Environment:
    """Return the environment of a version of Tempest with plugins; raises as `environment` does."""
    return environment(f"tempest-{version}", (f"tempest=={version}", *plugins), workplace)


def list_tests(version: str | None, plugins: Sequence[str], patterns: Sequence[str]) -> Sequence[Listed]:
    """Return the tests that any of the patterns choose, or all of them, by name.

    Raises UsageError for a version or a pattern that is none, VerifierUnbuilt, VerifierBroke, or NoTests.
    """
    version = version or VERSION
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no version of Tempest", hint=f"such as {VERSION}")
    try:
        TypeAdapter(list[Pattern]).validate_python(list(patterns))
    except ValidationError as error:
        raise UsageError(error.errors(include_url=False)[0]["msg"]) from error
    with tempfile.TemporaryDirectory(prefix="rallyflow-") as folder:
        desk = Desk(Path(folder), logging.getLogger("rallyflow"))
        made = install(version, plugins, desk)
        (desk.directory / "tempest.conf").write_text(f"[DEFAULT]\nlog_dir = {folder}\nlog_file = tempest.log\n")
        tests, _cut = Tempest(made, desk.directory, desk).list_tests(None)
        return select(tests, patterns, None, Reasons()).run
