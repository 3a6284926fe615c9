"""Makes pydantic's JSON Schemas readable in an editor.

No titles that repeat a key, one flat list of alternatives, and an expression wherever a value may be one.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

REF = "#/$defs/{model}"
EXPRESSION = {"$ref": "#/$defs/Expression"}
_EXPRESSION = {"type": "string", "pattern": r"\$\{\{", "description": "A text with an expression in it: ${{ ... }}"}
_ABOUT = ("description", "default", "examples")


def tidied(schema: dict[str, Any], fixed: Container[str] = ()) -> dict[str, Any]:
    """Return the schema of a model with its definitions; `fixed` are the models whose values are no expressions."""
    definitions = {
        name: _model(definition, expressions=name not in fixed) for name, definition in schema.get("$defs", {}).items()
    }
    whole = {key: value for key, value in schema.items() if key != "$defs"}
    result = _model(whole, expressions=schema.get("title") not in fixed)
    return {**result, "$defs": {**definitions, "Expression": _EXPRESSION}}


def _model(schema: dict[str, Any], *, expressions: bool) -> dict[str, Any]:
    """Return a definition whose keys may take expressions, but which is none itself."""
    result = {key: value for key, value in schema.items() if key != "title"}
    if "properties" in result:
        found = result["properties"].items()
        result["properties"] = {name: _value(inner, expressions=expressions) for name, inner in found}
    for name in ("items", "additionalProperties"):
        if isinstance(result.get(name), dict):
            result[name] = _value(result[name], expressions=expressions)
    if "prefixItems" in result:
        result["prefixItems"] = [_value(inner, expressions=expressions) for inner in result["prefixItems"]]
    return result


def _value(schema: dict[str, Any], *, expressions: bool) -> dict[str, Any]:
    """Return the schema of a value: one list of alternatives, an expression among them."""
    about = {key: schema[key] for key in _ABOUT if key in schema and (key != "default" or schema[key] is not None)}
    options: list[dict[str, Any]] = []
    for option in _options(schema, expressions=expressions):
        if option not in options:
            options.append(option)
    if expressions and not any(_takes_any_text(option) for option in options):
        options.append(EXPRESSION)
    if len(options) == 1:
        return {**options[0], **about}
    return {**about, "anyOf": options}


def _options(schema: dict[str, Any], *, expressions: bool) -> list[dict[str, Any]]:
    """Return the alternatives of a schema, however deep they are nested."""
    rest = {key: value for key, value in schema.items() if key not in (*_ABOUT, "title")}
    for word in ("anyOf", "oneOf"):
        if word in rest:
            return [found for option in rest[word] for found in _options(option, expressions=expressions)]
    found = _model(rest, expressions=expressions)
    if "examples" in schema:
        found["examples"] = schema["examples"]
    return [found]


def _takes_any_text(option: dict[str, Any]) -> bool:
    """Whether a text with an expression in it is one of the values already."""
    if not option:
        return True
    return option.get("type") == "string" and not {"pattern", "enum", "const"} & set(option)
