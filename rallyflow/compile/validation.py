"""Turns pydantic's errors into diagnostics at the right place, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rallyflow.compile import types
from rallyflow.compile.diagnostics import MOST_ERRORS, Diagnostics, Path
from rallyflow.compile.wording import dotted, in_words, wants_a_kind
from rallyflow.hints import closest, did_you_mean

ModelT = TypeVar("ModelT", bound=BaseModel)

_MOST = 2 * MOST_ERRORS
"""How many errors of one value are looked at: some of them follow from others."""


def validate(
    model: type[ModelT], data: Any, path: Path, errors: Diagnostics, *, unknown: Collection[Path] = ()
) -> ModelT | None:
    """Return `data` as a model; None, with the errors noted below `path`, when it is not one.

    `unknown` are places (relative to `data`) whose values come later: errors at or below them are no errors.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = [(_in_data(details, data), details) for details in error.errors(include_url=False)[:_MOST]]
        fresh = [each for each in found if not _depends(each, unknown) and not _follows(each, path, errors)]
        misspelt = _misspelt(model, fresh)
        for location, details in _by_place(fresh).items():
            if details[0]["type"] != "missing" or location not in misspelt:
                _note(model, details, location, path, errors)
        return None


def _by_place(found: Sequence[tuple[Path, ErrorDetails]]) -> dict[Path, list[ErrorDetails]]:
    """Return the errors of each place; of the alternatives that a value can be, only those of its own kind."""
    places: dict[Path, list[ErrorDetails]] = {}
    inner = {location[:length] for location, _ in found for length in range(len(location))}
    better = {location for location, details in found if not wants_a_kind(details)}
    for location, details in found:
        inside = location in inner and isinstance(details["input"], Mapping | list)
        if inside or (wants_a_kind(details) and location in better):
            continue
        places.setdefault(location, []).append(details)
    return places


def _misspelt(model: type[BaseModel], found: Sequence[tuple[Path, ErrorDetails]]) -> set[Path]:
    """Return the places of keys that are there, but under a name that is close to their own."""
    missing = any(details["type"] == "missing" for _, details in found)
    return {
        (*location[:-1], close)
        for location, details in (found if missing else ())
        if details["type"] == "extra_forbidden"
        for close in closest(str(location[-1]), _keys_at(model, location[:-1]))
    }


def _follows(found: tuple[Path, ErrorDetails], path: Path, errors: Diagnostics) -> bool:
    """Whether an error is in a value that has one already: its expression could not be evaluated."""
    location, details = found
    return details["type"] not in ("missing", "extra_forbidden") and errors.knows((*path, *location))


def _depends(found: tuple[Path, ErrorDetails], places: Collection[Path]) -> bool:
    """Whether an error is in a value that comes later, or of a whole of which a part comes later."""
    location, details = found
    itself = details["type"] != "extra_forbidden"  # a key is unknown whatever its value will be
    if any(location[:length] in places for length in range(len(location) + itself)):
        return True
    of_a_whole = details["type"] in ("value_error", "assertion_error", "rallyflow_param", "too_short")
    return of_a_whole and any(place[: len(location)] == location for place in places)


def _in_data(details: ErrorDetails, data: Any) -> Path:
    """Drop from pydantic's location what is not in the data: the names of union members."""
    path: list[str | int] = []
    location = details["loc"]
    for position, key in enumerate(location):
        if _has(data, key):
            data = data[key]
        elif position == len(location) - 1 and details["type"] == "missing":
            path.append(key)
            break
        else:
            continue
        path.append(key)
    return tuple(path)


def _has(data: Any, key: str | int) -> bool:
    if isinstance(data, Mapping):
        return key in data
    return isinstance(data, list | tuple) and isinstance(key, int) and key < len(data)


def _note(model: type[BaseModel], found: list[ErrorDetails], location: Path, path: Path, errors: Diagnostics) -> None:
    place = (*path, *location)
    last = str(location[-1]) if location else ""
    match found[0]["type"]:
        case "extra_forbidden":
            errors.key(place, "RF0210", f"unknown key {last!r}", _other_key(last, _keys_at(model, location[:-1])))
        case "missing":
            errors.key(place[:-1], "RF0211", f"the key {last!r} is missing", _describe(model, location))
        case kind:
            what, hint = in_words(found, _keys_at(model, location))
            if errors.source.has_expression(place):
                hint = "" if wants_a_kind(found[0]) else hint  # it is about what stands there
            code = "RF0213" if kind.startswith("rallyflow_") else "RF0212"
            whole = str(path[-1]) if path and wants_a_kind(found[0]) else ""
            subject = dotted(location) or whole
            errors.value(place, code, f"{subject}: {what}" if subject else what, hint)


def _other_key(key: str, known: Sequence[str]) -> str:
    if not known:
        return "no keys belong here"
    hint = did_you_mean(key, known, "the keys here are: {}")
    if hint.startswith("the keys") and "with" in known:
        return f"{hint}; what the step type takes stands below `with:`"
    return hint


def _keys_at(model: type[BaseModel], location: Path) -> list[str]:
    found = types.at(model, location)
    if types.is_mapping(types.bare(found)) or types.item_type(found) is not None:
        return []
    options = [found, *get_args(found)]
    models = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
    return [name for option in models for name in types.fields_of(option)]


def _describe(model: type[BaseModel], location: Path) -> str:
    parent = types.at(model, location[:-1])
    if isinstance(parent, type) and issubclass(parent, BaseModel):
        for name, field in parent.model_fields.items():
            if (field.alias or name) == location[-1] and field.description:
                return f"{location[-1]}: {field.description}"
    return ""
