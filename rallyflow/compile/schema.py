"""The JSON Schema of workflow files, from the models that read them: for editors, and for programs that write files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow import plugins
from rallyflow.model.workflow import Workflow

_EXPRESSION = {"type": "string", "pattern": r"\$\{\{"}
_REF = "#/$defs/{model}"


def workflow_schema() -> dict[str, Any]:
    """Return the schema of a whole file, with the inputs of every step type that is installed."""
    schema = Workflow.model_json_schema(by_alias=True, ref_template=_REF)
    definitions = schema["$defs"]
    step = definitions["Step"]
    step["properties"]["uses"]["enum"] = list(plugins.step_types())
    step["allOf"] = [_rule(uses, definitions) for uses in plugins.step_types()]
    for definition in definitions.values():
        _allow_expressions(definition)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "rallyflow workflow"
    return schema


def _rule(uses: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that gives `with:` the inputs of a step type, and put its definitions among the others."""
    inputs = plugins.step_type(uses).Inputs.model_json_schema(by_alias=True, ref_template=_REF)
    for name, definition in inputs.pop("$defs", {}).items():
        definitions.setdefault(name, definition)
    name = "with-" + uses.replace("/", "-")
    definitions[name] = inputs
    then: dict[str, Any] = {"properties": {"with": {"$ref": _REF.format(model=name)}}}
    if inputs.get("required"):
        then["required"] = ["with"]
    return {"if": {"properties": {"uses": {"const": uses}}}, "then": then}


def _allow_expressions(schema: dict[str, Any]) -> None:
    """Let an expression stand wherever a value may stand."""
    properties: dict[str, Any] = schema.get("properties", {})
    for name, value in properties.items():
        properties[name] = _or_expression(value)
    for name in ("items", "additionalProperties"):
        if name in schema:
            schema[name] = _or_expression(schema[name])


def _or_expression(schema: Any) -> Any:
    if not isinstance(schema, dict) or schema.get("type") == "string" or not schema or set(schema) <= {"description"}:
        return schema
    _allow_expressions(schema)
    for option in schema.get("anyOf", ()):
        _allow_expressions(option)
    kept = {key: schema[key] for key in ("description", "default", "title") if key in schema}
    return {**kept, "anyOf": [_without(schema, kept), _EXPRESSION]}


def _without(schema: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without some of its keys."""
    return {key: value for key, value in schema.items() if key not in keys}
