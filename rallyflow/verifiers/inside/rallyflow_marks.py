"""A plugin of pytest: writes down which test begins and which has ended, whatever else pytest prints or leaves out.

The JUnit of a run that is cut short does not have that: the test under way is in it without its name, as if it had
passed, or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

VARIABLE = "RALLYFLOW_PYTEST_MARKS"
"""Names the file that is written to."""
BEGAN, ENDED = "began", "ended"
"""The first word of a line; the rest is the test, as pytest calls it."""


def pytest_configure(config: Any) -> None:
    """Leave a worker of pytest-xdist alone: what it says counts once it has come to the process that writes JUnit."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.unregister(name=__name__)


def pytest_runtest_logstart(nodeid: str) -> None:
    """Mark a test that begins."""
    _write(BEGAN, nodeid)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Mark a test that has ended, its teardown included."""
    _write(ENDED, nodeid)


def _write(word: str, nodeid: str) -> None:
    with _FILE.open("a", encoding="utf-8", errors="replace") as file:
        file.write(f"{word} {nodeid}\n")


_FILE = Path(os.environ.get(VARIABLE, os.devnull))  # read once: tests change the environment
