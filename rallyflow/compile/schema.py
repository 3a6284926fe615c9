"""The JSON Schema of workflow files, from the models that read them: for editors, and for programs that write files.

What it accepts is a little more than what compiles: references, cycles and the like only the compiler can see.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from rallyflow import plugins
from rallyflow.compile.tidying import EXPRESSION, REF, tidied
from rallyflow.model.params import SCALARS, VALUES
from rallyflow.model.workflow import Workflow

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAME = r"^[A-Za-z_][A-Za-z0-9_-]*$"
PATH = r"^\.{0,2}/.+"
CATALOG = r"^[A-Za-z_][A-Za-z0-9_-]*/[A-Za-z_][A-Za-z0-9_-]*@[^@/\s]+$"
_NOT_OF_A_WORKFLOW = ("foreach", "timeout", "retry", "locks", "limits")

_FIXED = frozenset({"Workflow", "Param", "SecretSource"})
"""The models that are read before there is anything to refer to."""

_EXAMPLES: Mapping[str, Mapping[str, list[Any]]] = {
    "Step": {
        "if": ["always()", "failure()", "${{ steps.health.verification.failed == 0 }}"],
        "needs": [["health"]],
        "matrix": [{"users": [1, 5, 10]}, {"users": "${{ params.users }}", "order": "interleaved"}],
        "foreach": ["${{ steps.servers.servers }}"],
        "timeout": ["30m", {"attempt": "10m", "step": "1h"}],
        "retry": [{"attempts": 3, "delay": "10s"}],
        "locks": [["database"]],
        "limits": [["api"], {"api": 2}],
    },
    "Param": {"type": ["int", "list(int)", "duration", "Cloud"], "choices": [["small", "large"]]},
    "Workflow": {
        "name": ["cloud-bench"],
        "params": [{"users": {"type": "list(int)", "default": [1, 5, 10], "min": 1}}],
        "secrets": [["api_token"]],
        "limits": [{"api": 4}],
        "outputs": [{"report": "${{ steps.report.path }}"}],
    },
}


def workflow_schema() -> dict[str, Any]:
    """Return the schema of a whole file, with the inputs of every step type that is installed."""
    schema = tidied(Workflow.model_json_schema(by_alias=True, ref_template=REF), _FIXED)
    definitions = schema["$defs"]
    _add_examples({**definitions, "Workflow": schema})
    _refine_step(definitions["Step"])
    _refine_rest(schema, definitions)
    definitions["Step"]["allOf"] = [
        *(_rule(uses, definitions) for uses in offered()),
        _rule_of_workflows(),
    ]
    return {"$schema": DIALECT, "title": "rallyflow workflow", **schema}


def step_schema(uses: str) -> dict[str, Any]:
    """Return the schema of the inputs of one step type; PluginError when it is not installed."""
    schema = tidied(plugins.step_type(uses).Inputs.model_json_schema(by_alias=True, ref_template=REF))
    return {"$schema": DIALECT, "title": f"with: of {uses}", **schema}


def offered() -> Iterator[str]:
    """Yield what may stand in `uses:`, without the types that only the compiler makes."""
    for uses in plugins.step_types():
        if not getattr(plugins.step_type(uses), "internal", False):
            yield uses


def _add_examples(models: Mapping[str, dict[str, Any]]) -> None:
    for model, keys in _EXAMPLES.items():
        for key, examples in keys.items():
            models[model]["properties"][key]["examples"] = examples


def _refine_step(step: dict[str, Any]) -> None:
    properties = step["properties"]
    types = list(offered())
    about = [(inspect.getdoc(plugins.step_type(uses)) or "").partition("\n")[0] for uses in types]
    properties["uses"] = {
        "description": properties["uses"]["description"],
        "anyOf": [
            {"enum": types, "enumDescriptions": about, "markdownEnumDescriptions": about},
            {"type": "string", "pattern": PATH},
            {"type": "string", "pattern": CATALOG},
        ],
    }
    properties["matrix"] = {**_kept(properties["matrix"]), **_matrix()}


def _matrix() -> dict[str, Any]:
    rows = {"anyOf": [{"type": "array", "items": {"type": "object"}}, EXPRESSION]}
    return {
        "type": ["object", "null"],
        "properties": {
            "include": {"description": "Cells to add, each a mapping from axis to value", **rows},
            "exclude": {"description": "Cells to take away: those that have all of these values", **rows},
            "order": {
                "description": "declared: the last axis changes fastest; interleaved: the first one; random: shuffled",
                "anyOf": [{"enum": ["declared", "interleaved", "random"]}, EXPRESSION],
            },
            "seed": {"description": "Of the random order", "type": ["integer", "string"]},
            "max_parallel": {
                "description": "How many cells may run at a time: a cell starts when the one that many before it has "
                "ended, however that went; of a workflow, when all inside of that has",
                "anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION],
            },
        },
        "additionalProperties": {
            "description": "An axis: the values that the step is run with",
            "anyOf": [{"type": "array", "minItems": 1, "uniqueItems": True}, EXPRESSION],
        },
    }


def _refine_rest(schema: dict[str, Any], definitions: Mapping[str, Any]) -> None:
    names = [*SCALARS, *VALUES]
    kind = definitions["Param"]["properties"]["type"]
    kind["anyOf"] = [{"enum": names}, {"pattern": rf"^(list|map)\(((list|map)\()*({'|'.join(names)})\)+$"}]
    schema["properties"]["steps"]["propertyNames"] = {"pattern": NAME}
    types = definitions["Defaults"]["properties"]["types"]
    types["propertyNames"] = {"enum": [*plugins.FAMILIES, *offered()]}


def _rule(uses: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that gives `with:` the inputs of a step type, and put its definitions among the others."""
    inputs = tidied(plugins.step_type(uses).Inputs.model_json_schema(by_alias=True, ref_template=REF))
    for name, definition in inputs.pop("$defs", {}).items():
        definitions.setdefault(name, definition)
    name = "with-" + uses.replace("/", "-")
    definitions[name] = inputs
    then: dict[str, Any] = {"properties": {"with": {"$ref": REF.format(model=name)}}}
    if inputs.get("required"):
        then["required"] = ["with"]
    return {"if": {"properties": {"uses": {"const": uses}}, "required": ["uses"]}, "then": then}


def _rule_of_workflows() -> dict[str, Any]:
    """Return the rule that a step which is a workflow has no keys that belong to the steps inside."""
    is_one = {"anyOf": [{"pattern": PATH}, {"pattern": CATALOG}]}
    refused = dict.fromkeys(_NOT_OF_A_WORKFLOW, False)
    return {"if": {"properties": {"uses": is_one}, "required": ["uses"]}, "then": {"properties": refused}}


def _kept(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("description", "examples") if key in schema}
