from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from rallyflow.compile.reader import read_text, read_workflow
from rallyflow.compile.schema import workflow_schema

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(workflow_schema())


def test_the_schema_that_is_checked_in_is_that_of_the_models():
    checked_in = json.loads((ROOT / "schemas" / "workflow.json").read_text())
    made = json.loads(json.dumps(workflow_schema(), default=str))
    assert checked_in == made, "run: rallyflow schema > schemas/workflow.json"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(workflow_schema())


@pytest.mark.parametrize(
    "path",
    sorted({*(ROOT / "workflows").glob("*.yaml")} - {ROOT / "workflows" / "catalog.yaml"}),
    ids=lambda path: path.name,
)
def test_every_shipped_workflow_is_valid_under_the_schema(path):
    data, _ = read_workflow(path)
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ("uses: nope", "$.steps.a.uses"),
        ("uses: shell", "$.steps.a"),
        ("{uses: shell, with: {run: ls, rum: 1}}", "$.steps.a.with"),
        ("{uses: shell, with: {run: ls}, retry: {attempts: 0}}", "$.steps.a.retry"),
        ("{uses: noop, neds: [b]}", "$.steps.a"),
    ],
)
def test_the_schema_refuses_what_the_compiler_refuses(step, place):
    text = f"rallyflow: 1\nname: x\nsteps:\n  a:\n    {step}\n"
    data, _ = read_text(text.encode(), "x.yaml")
    assert place in {error.json_path for error in VALIDATOR.iter_errors(data)}
