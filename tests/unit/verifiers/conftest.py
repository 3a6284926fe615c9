"""The context of a step, without an engine."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from rallyflow.model.ids import RunId, StepId
from rallyflow.model.step import StepContext


@pytest.fixture
def context(tmp_path):
    books = SimpleNamespace()
    folder = tmp_path / "run"
    folder.mkdir()
    return StepContext(
        run=RunId("20261126-030000-abcde"),
        step=StepId("tests"),
        attempt=1,
        key="0123456789",
        directory=folder,
        matrix={},
        ledger=books,
        parts=books,
        history=books,
        log=logging.getLogger("rallyflow"),
        guardian=0,
    )
