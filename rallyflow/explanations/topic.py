"""One thing that is explained, as data: a person reads it in a terminal or on a page, a program as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping in a workflow file, or one output of a step."""

    name: str
    type: str
    default: str  # "required" for a key that must be there
    description: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """Files that show something; the first one is the workflow. `params` are given with -p."""

    files: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Topic:
    """The explanation of one thing. Everything but kind, name and summary may be empty."""

    kind: str  # error, exit code, step type, family, key, filter, test, function
    name: str
    summary: str
    facts: Mapping[str, str] = field(default_factory=dict)  # short answers to short questions
    text: Mapping[str, str] = field(default_factory=dict)  # a heading ("" for none), and paragraphs below it
    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)
    examples: Mapping[str, Example] = field(default_factory=dict)  # wrong, right
    see: tuple[str, ...] = ()  # what else to explain
