"""The outside of a step that works on servers: a run's folder, nothing else."""

from __future__ import annotations

import logging
import os

import pytest

from rallyflow.model.ids import RunId, StepId
from rallyflow.model.secret import Secret
from rallyflow.model.step import StepContext


@pytest.fixture
def context(tmp_path):
    return StepContext(
        run=RunId("r"),
        step=StepId("servers"),
        attempt=1,
        key="abcdefghjk",
        directory=tmp_path,
        matrix={},
        ledger=None,
        parts=None,
        history=None,
        log=logging.getLogger("tests"),
        guardian=os.getpid(),
        secrets=(Secret("open sesame"),),
    )
