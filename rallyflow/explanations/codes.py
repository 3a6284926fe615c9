"""Explains every error code, from the YAML files beside this module: one for each hundred of codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from rallyflow import errors
from rallyflow.explanations.topic import Example, Topic


@cache
def explained() -> Mapping[str, Mapping[str, Any]]:
    """Return what the files say, by code."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Mapping[str, Any]] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda each: each.name):
        if file.name.startswith("rf") and file.name.endswith(".yaml"):
            found.update(yaml.load(file.read_text(encoding="utf-8"), loader))  # noqa: S506 - a safe loader
    return found


@cache
def error_classes() -> Mapping[str, type[errors.RallyflowError]]:
    """Return the classes of errors.py by code."""
    return {each.code: each for each in _below(errors.RallyflowError)}


def codes() -> tuple[str, ...]:
    """Return every code there is."""
    return tuple(sorted({*error_classes(), *errors.FILE_CODES, *errors.ADVICE_CODES}))


def summary_of(code: str) -> str:
    """Return what a code stands for, in a sentence: of the table in errors.py, or the docstring of the class."""
    listed = {**errors.FILE_CODES, **errors.ADVICE_CODES}
    return listed[code] if code in listed else (inspect.getdoc(error_classes()[code]) or "").partition("\n")[0]


def explain_code(code: str) -> Topic:
    """Return the explanation of a code that there is."""
    data = explained()[code]
    return Topic(
        "advice" if code in errors.ADVICE_CODES else "error",
        code,
        data["means"],
        facts=_facts(code),
        text=dict(_text(data)),
        examples={name: example_of(data[name]) for name in ("wrong", "right") if name in data},
    )


def example_of(data: Any) -> Example:
    """Return an example: a text is a workflow, a mapping may have several files and params."""
    if isinstance(data, str):
        return Example({"workflow.yaml": data})
    params = {name: str(value) for name, value in data.get("params", {}).items()}
    return Example(dict(data["files"]), params, data.get("encoding", "utf-8"))


def _below(root: type[errors.RallyflowError]) -> Iterator[type[errors.RallyflowError]]:
    if root.__module__ == errors.__name__:
        yield root
        for each in root.__subclasses__():
            yield from _below(each)


def _facts(code: str) -> dict[str, str]:
    if code in errors.ADVICE_CODES:
        return {"where": "of `rallyflow lint`, about a valid workflow", "exit code": "0; 3 with --strict"}
    found = error_classes().get(code)
    if found is None:
        return {"where": "in a workflow file", "exit code": f"{int(errors.Exit.INVALID)}"}
    facts = {"error": found.__name__, "exit code": f"{int(found.exit_code)}"}
    if issubclass(found, errors.StepError):
        facts["retried"] = f"when `retry.on` of the step has {found.kind}"
    return facts


def _text(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "why" in data:
        yield "Why", data["why"]
    if "causes" in data:
        yield "How it usually comes about", "\n".join(f"- {cause}" for cause in data["causes"])
    if "do" in data:
        yield "What to do", data["do"]
