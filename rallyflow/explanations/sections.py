"""The parts of a workflow file, each with what is to be said beyond its keys and an example: `language.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from rallyflow.explanations.topic import Example


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the language."""

    name: str
    title: str
    text: str  # paragraphs, each in one line
    example: Example = field(default_factory=lambda: Example({}))


@cache
def sections() -> Mapping[str, Section]:
    """Return every part by name, in the order in which they are best read."""
    import yaml

    text = (files(__package__) / "language.yaml").read_text(encoding="utf-8")
    loaded = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    return {name: _section(name, data) for name, data in loaded.items()}


def _section(name: str, data: Mapping[str, Any]) -> Section:
    example = Example({"workflow.yaml": data["example"], **data.get("files", {})})
    paragraphs = (" ".join(each.split()) for each in data["text"].split("\n\n"))
    return Section(name, data["title"], "\n\n".join(paragraphs), example)


@cache
def param_types() -> Mapping[str, Mapping[str, Any]]:
    """Return what there is to say of each type of params: what it means, an example, and what that gives."""
    import yaml

    text = (files(__package__) / "types.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    return found
