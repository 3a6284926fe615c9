from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from rallyflow import plugins
from rallyflow.compile.reader import read_text, read_workflow
from rallyflow.compile.schema import offered, step_schema, workflow_schema
from rallyflow.errors import PluginError, WorkflowInvalid
from rallyflow.templates import TEMPLATES, text_of

ROOT = Path(__file__).parents[3]
BROKEN = sorted(Path(__file__).with_name("broken").glob("*.yaml"))
VALIDATOR = jsonschema.Draft202012Validator(workflow_schema())

ONLY_THE_COMPILER = {
    "cycle": "a circle shows only when all steps are looked at",
    "expressions": "the schema does not read expressions",
    "functions-without-parentheses": "the schema does not read expressions",
    "needs-itself": "a circle shows only when all steps are looked at",
    "matrix-too-large": "the schema counts nothing that an expression gives",
    "params-in-defaults": "the schema does not read expressions",
    "types-that-do-not-fit": "the schema does not read expressions",
    "unknown-references": "names of steps, params and outputs are not in the schema",
    "where": "the schema does not read expressions",
    "bidirectional-text": "names of steps, params and outputs are not in the schema",
    "catalogs-that-there-are-not": "the schema knows no catalogs",
    "cycle-through-outputs-and-conditions": "a circle shows only when all steps are looked at",
    "expression-with-a-comment-sign": "the schema does not read expressions",
    "foreach-item-misused": "the schema does not read expressions",
    "foreach-item-outside": "the schema does not read expressions",
    "limits-not-declared": "names of limits are not in the schema",
    "long-lines": "names of steps, params and outputs are not in the schema",
    "many-errors-of-one-kind": "names of steps, params and outputs are not in the schema",
    "matrix-axes-misspelt": "the schema does not read expressions",
    "matrix-beside-foreach": "the schema looks at one key at a time",
    "outputs": "the schema does not read expressions",
    "params-bounds-with-units": "the schema does not compare values with bounds",
    "params-declared-against-their-type": "the schema looks at one key at a time",
    "params-defaults-that-do-not-fit": "the schema looks at one key at a time",
    "params-of-values-of-steps": "the schema looks at one key at a time",
    "params-used-before-they-are-known": "the schema does not read expressions",
    "secrets-where-they-can-not-be": "the schema does not read expressions",
    "typed-fields": "the schema does not read expressions",
    "where-of-the-wrong-kind": "the schema does not read expressions",
}
"""The broken files that the schema accepts, with the reason: all others it refuses."""


def read(path):
    """Return the data of a broken file; None when it is not YAML that we read at all."""
    try:
        return read_text(path.read_bytes(), path.name)[0]
    except WorkflowInvalid:
        return None


READABLE = [path for path in BROKEN if read(path) is not None]


def test_the_schema_that_is_checked_in_is_that_of_the_models():
    checked_in = json.loads((ROOT / "schemas" / "workflow.json").read_text())
    made = json.loads(json.dumps(workflow_schema(), default=str))
    assert checked_in == made, "run: rallyflow schema > schemas/workflow.json"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(workflow_schema())


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_workflow_is_valid_under_the_schema(path):
    data, _ = read_workflow(path)
    if "steps" in data:  # the catalog beside them is no workflow
        assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_valid_under_the_schema(name):
    data, _ = read_text(text_of(name).encode(), name)
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_by_the_schema_or_listed_with_the_reason(path):
    assert VALIDATOR.is_valid(read(path)) == (path.stem in ONLY_THE_COMPILER)


def test_every_listed_file_is_there():
    assert set(ONLY_THE_COMPILER) <= {path.stem for path in READABLE}


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ("uses: nope", "$.steps.a.uses"),
        ("uses: shell", "$.steps.a"),
        ("{uses: shell, with: {run: ls, rum: 1}}", "$.steps.a.with"),
        ("{uses: shell, with: {run: ls}, retry: {attempts: 0}}", "$.steps.a.retry"),
        ("{uses: shell, with: {run: ls}, timeout: 5 minutes}", "$.steps.a.timeout"),
        ("{uses: noop, neds: [b]}", "$.steps.a"),
        ("{uses: noop, matrix: {n: []}}", "$.steps.a.matrix.n"),
        ("{uses: noop, matrix: {n: [1], order: sorted}}", "$.steps.a.matrix.order"),
        ("{uses: ./load.yaml, retry: {attempts: 3}}", "$.steps.a"),
        ("{uses: load.yaml}", "$.steps.a.uses"),
        ("{uses: loads/boot}", "$.steps.a.uses"),
        ("{uses: benchmark, with: {scenario: dummy.dummy, load: {constat: {}}}}", "$.steps.a.with.load"),
    ],
)
def test_the_schema_refuses_what_the_compiler_refuses(step, place):
    assert place in {error.json_path for error in errors_in(step)}


@pytest.mark.parametrize(
    "step",
    [
        "{uses: ./load.yaml, with: {users: 5}}",
        "{uses: ../shared/load.yaml, matrix: {n: [1, 2]}}",
        "{uses: loads/boot@1, with: {anything: [1]}}",
        '{uses: shell, with: {run: ls}, timeout: "${{ params.patience }}"}',
        "{uses: shell, with: {run: ls}, timeout: {attempt: 10m, step: 1h}}",
        "{uses: shell, with: {run: ls}, limits: [api]}",
        "{uses: shell, with: {run: ls}, limits: {api: 2}}",
        '{uses: noop, foreach: "${{ steps.a.value }}", with: {value: "${{ item }}"}}',
        '{uses: noop, matrix: {n: "${{ params.users }}", include: [{n: 1}], order: random, seed: 5}}',
        '{uses: benchmark, with: {scenario: dummy.dummy, load: {constant: {iterations: "${{ params.n }}"}}}}',
        "{uses: noop, if: false}",
    ],
)
def test_the_schema_accepts_what_the_language_has(step):
    assert [error.message for error in errors_in(step)] == []


@pytest.mark.parametrize("kind", ["int", "list(int)", "map(list(str))", "Cloud", "list(Server)", "enum"])
def test_the_schema_knows_the_types_of_params(kind):
    text = f"rallyflow: 1\nname: x\nparams: {{p: {{type: {kind}}}}}\nsteps: {{a: {{uses: noop}}}}\n"
    assert VALIDATOR.is_valid(read_text(text.encode(), "")[0])
    assert not VALIDATOR.is_valid(read_text(text.replace(kind, "integer").encode(), "")[0])


def test_every_key_has_a_description_for_the_editor():
    schema = workflow_schema()
    models = {"Workflow": schema, **{name: found for name, found in schema["$defs"].items() if "properties" in found}}
    of_the_file = ("Workflow", "Step", "Param", "Defaults", "TypeDefaults", "RetryPolicy", "Timeouts", "SecretSource")
    silent = [
        f"{name}.{key}"
        for name in of_the_file
        for key, value in models[name]["properties"].items()
        if not value.get("description")
    ]
    assert silent == []


def test_every_step_type_is_offered_with_a_description():
    uses = workflow_schema()["$defs"]["Step"]["properties"]["uses"]["anyOf"][0]
    assert uses["enum"] == list(offered())
    assert all(uses["enumDescriptions"])
    assert "workflow" not in uses["enum"]


@pytest.mark.parametrize("uses", list(offered()))
def test_the_inputs_of_one_step_type_have_a_schema_of_their_own(uses):
    schema = step_schema(uses)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema.get("properties", {})) == {
        field.alias or name for name, field in plugins.step_type(uses).Inputs.model_fields.items()
    }


def test_an_unknown_step_type_has_none():
    with pytest.raises(PluginError):
        step_schema("nope")


def errors_in(step):
    text = f"rallyflow: 1\nname: x\nsteps:\n  a:\n    {step}\n"
    data, _ = read_text(text.encode(), "x.yaml")
    return list(VALIDATOR.iter_errors(data))
