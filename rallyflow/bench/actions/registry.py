"""Actions by name: typed Python functions, each timed as one atomic action.

    @action("nova.get_server", services=("compute",))
    def get_server(actor: Actor, *, server: ServerId) -> None: ...

The first parameter is who acts; the others are keyword-only, and scenarios are checked
against their annotations. What stands before the dot in the name is the plugin of the group
`rallyflow.actions` that holds it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from rallyflow import plugins

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_REGISTRY: dict[str, Action] = {}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of an action."""

    name: str
    annotation: Any
    required: bool


@dataclass(frozen=True, slots=True)
class Action:
    """One action. `services` are the cloud's services that it speaks to."""

    name: str
    function: Callable[..., Any]
    services: tuple[str, ...]

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Its arguments by name."""
        return _parameters(self)

    @property
    def result(self) -> Any:
        """The annotation of what it returns; NoneType for nothing."""
        return get_type_hints(self.function).get("return", type(None))


def action(name: str, *, services: tuple[str, ...] = ()) -> Callable[[FunctionT], FunctionT]:
    """Register a function as an action."""

    def register(function: FunctionT) -> FunctionT:
        _REGISTRY[name] = Action(name, function, services)
        return function

    return register


def find(name: str) -> Action | None:
    """Return an action, loading the plugin that holds it; None when there is none of this name."""
    group = name.partition(".")[0]
    if name not in _REGISTRY and group in plugins.names("actions"):
        plugins.load("actions", group)
    return _REGISTRY.get(name)


def known(name: str) -> Action:
    """Return an action whose module has been imported already; KeyError otherwise."""
    return _REGISTRY[name]


def names() -> tuple[str, ...]:
    """Return the names of all actions, sorted; loads every plugin of the group."""
    for group in plugins.names("actions"):
        plugins.load("actions", group)
    return tuple(sorted(_REGISTRY))


@cache
def _parameters(of: Action) -> Mapping[str, Parameter]:
    hints = get_type_hints(of.function)
    keywords = [p for p in inspect.signature(of.function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    return {p.name: Parameter(p.name, hints[p.name], p.default is p.empty) for p in keywords}
