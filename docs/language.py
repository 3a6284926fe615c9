"""The pages of the reference about the language: the workflow file, and expressions."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from tables import code, fields_of, row, rows

from rallyflow import expressions as language
from rallyflow.explanations.find import roots
from rallyflow.explanations.library import entries, explain_kind
from rallyflow.explanations.sections import Section, param_types, sections
from rallyflow.model import workflow as models


def workflow() -> Iterator[str]:
    """Yield the page about the workflow file, section by section."""
    yield f"# The workflow file\n\n{inspect.getdoc(models)}\n"
    yield f"Beside it: {', '.join(_BESIDE)}.\n"
    yield " · ".join(f"[{part.title}](#{_anchor(part.title)})" for part in sections().values()) + "\n"
    for part in sections().values():
        yield f"## {part.title}\n"
        model = roots().get(part.name)
        if model is not None:
            yield f"{inspect.getdoc(model)}\n"
        yield f"{part.text}\n"
        if model is not None:
            yield from fields_of(model)
        if part.name == "param":
            yield from _types()
        if part.name == "defaults":
            yield f"`defaults.types.TYPE`: {inspect.getdoc(models.TypeDefaults)}\n"
            yield from fields_of(models.TypeDefaults)
        yield from _examples(part)


_BESIDE = (
    "[expressions](expressions.md)",
    "[step types](steps.md)",
    "[states](states.md)",
    "[catalogs](catalogs.md)",
    "[people in the loop](../guides/people-in-the-loop.md)",
    "[from a shell script to a workflow](../guides/from-a-shell-script.md)",
)


def _types() -> Iterator[str]:
    yield from rows(("type", "an example", "in expressions", ""))
    for name, told in param_types().items():
        example = _value(told["example"]) if "example" in told else ""
        gives = _value(told["gives"]) if "gives" in told else ""
        yield row(code(name), example, gives, told["means"])
    yield ""


def _examples(part: Section) -> Iterator[str]:
    for name, text in part.example.files.items():
        note = f"# {name}\n" if name != "workflow.yaml" else ""
        yield f"```yaml\n{note}{text.rstrip()}\n```\n"


def expressions() -> Iterator[str]:
    """Yield the page about expressions."""
    yield f"# Expressions\n\n{inspect.getdoc(language)}\n"
    yield "## Names\n\nAn expression starts from one of these.\n"
    yield from rows(("name", "example", ""))
    for name, told in entries()["root"].items():
        yield row(code(name), code(told["example"]), told["means"])
    for kind, title in (("function", "Functions"), ("filter", "Filters"), ("test", "Tests"), ("method", "Methods")):
        yield f"\n## {title}\n\n{explain_kind(kind).summary}\n"
        yield from rows((kind, "example", "gives", ""))
        for name, told in entries()[kind].items():
            yield row(code(name), code(told["example"]), _value(told["gives"]), told["means"])


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return code(text) if text else "an empty text"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
