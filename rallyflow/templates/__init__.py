"""Workflows to start from: `rallyflow init`. Each is a file beside this one that runs as it is, and teaches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from rallyflow.errors import UsageError
from rallyflow.hints import did_you_mean

TEMPLATES: Mapping[str, str] = {
    "quickstart": "the whole chain on a simulated cloud: provision, deploy, verify, benchmark, report (ten seconds)",
    "cloud-bench": "several loads on a simulated cloud, held to limits, with retries",
    "existing-cloud": "check and measure a cloud of clouds.yaml",
    "shell": "steps that are commands, for people who come from shell scripts",
    "option-compare": "an option of the cloud, on and off, under the same loads",
}
"""Every template with what it is for."""

SCHEMA = "rallyflow.schema.json"
"""The name of the schema beside a new workflow."""

_STARTS = {"existing-cloud": " -p cloud=NAME"}
_WORKFLOW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def text_of(name: str) -> str:
    """Return the text of a template; UsageError when there is none of this name."""
    if name not in TEMPLATES:
        raise UsageError(f"there is no template {name!r}", hint=did_you_mean(name, TEMPLATES))
    return (files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")


def workflow_from(name: str, *, stem: str, schema: bool) -> str:
    """Return a template as a new file whose name without its ending is `stem`; with the editor's line for a schema."""
    text = text_of(name)
    if _WORKFLOW_NAME.fullmatch(stem):
        text = text.replace(f"\nname: {name}\n", f"\nname: {stem}\n").replace(f"{name}.yaml", f"{stem}.yaml")
    return f"# yaml-language-server: $schema={SCHEMA}\n{text}" if schema else text


def start_of(name: str) -> str:
    """Return what has to be given after `rallyflow apply FILE` so that the template runs."""
    return _STARTS.get(name, "")
