"""Removes embedded clouds from the ledger's rows alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from rallyflow.clouds.embedded import process
from rallyflow.errors import StepError
from rallyflow.model.records import Resource

KIND = "embedded.cloud"


class EmbeddedClouds:
    """The handler of resources of the kind `embedded.cloud`; `detail.state` is the cloud's state folder."""

    def delete(self, resource: Resource) -> None:
        """Stop the cloud's process and remove its state folder; fine when both are gone already."""
        state = resource.detail.get("state")
        if not state:
            raise StepError(f"the ledger does not say where the embedded cloud {resource.name!r} keeps its state")
        process.stop(Path(state))
        shutil.rmtree(state, ignore_errors=True)
        if Path(state).exists():
            raise StepError(f"the state of the embedded cloud {resource.name!r} can't be removed: {state}")
