"""Whether a value of one type may go where another is wanted: as pydantic decides it when the value is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    RootModel,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from rallyflow.compile import types
from rallyflow.compile.types import fits, from_param, name_of
from rallyflow.model.retry import RetryPolicy
from rallyflow.model.values import BenchmarkResults, Cloud, Server, Servers, Verification
from rallyflow.units import Duration, Size

JSON = {
    str: st.sampled_from(["", "a", "5", "1.5", "true", "/x"]),
    int: st.sampled_from([0, 1, -7]),
    float: st.sampled_from([0.0, 1.0, 1.5]),
    bool: st.booleans(),
    type(None): st.none(),
}
SCALARS = st.sampled_from([*JSON, Path, SecretStr, Literal["a", 1], Literal["5"], str | None, int | str])
TYPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda item: list[item]),
        inner.map(lambda item: tuple[item, ...]),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
        inner.map(lambda item: dict[str, item]),
    ),
    max_leaves=3,
)
HAVE = st.recursive(
    st.sampled_from([*JSON]),
    lambda inner: inner.map(lambda item: list[item]) | inner.map(lambda item: dict[str, item]),
    max_leaves=3,
)


def values_of(annotation):
    if annotation in JSON:
        return JSON[annotation]
    *_, item = annotation.__args__
    inner = values_of(item)
    if annotation.__origin__ is list:
        return st.lists(inner, min_size=1, max_size=2)
    return st.dictionaries(st.sampled_from("ab"), inner, min_size=1)


def reads(want, value):
    try:
        TypeAdapter(want).validate_python(value)
    except ValidationError:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(HAVE, TYPES, st.data())
def test_what_does_not_fit_is_never_read(have, want, data):
    value = data.draw(values_of(have))
    assert fits(have, want) or not reads(want, value)


@pytest.mark.parametrize(
    ("have", "want"),
    [
        *((str, int), (str, float), (str, bool), (str, Path), (Path, str), (int, float), (float, int), (bool, int)),
        *((list[str], tuple[str, ...]), (list[int], set[float]), (list[str], list[Path]), (list[Any], list[int])),
        *((str | None, str), (str, str | None), (type(None), str | None), (Any, Cloud), (Cloud, Any), (object, str)),
        *(
            (dict[str, Any], Cloud),
            (Cloud, dict[str, Any]),
            (Cloud, Cloud),
            (Server, Server | Cloud),
            (Servers, Servers),
        ),
        *((Literal["a", "b"], Literal["b", "c"]), (str, Literal["a"]), (Literal["5"], int), (int, Literal[1, 2])),
        *(
            (str, Duration),
            (int, Duration),
            (float, Size),
            (str, Duration | None),
            (str, SecretStr),
            (tuple[int, str], list[Any]),
        ),
        *((tuple[int, str], tuple[int, str]), (list[int], tuple[int, float]), (dict[str, int], dict[str, float])),
    ],
)
def test_what_can_be_read_fits(have, want):
    assert fits(have, want)


@pytest.mark.parametrize(
    ("have", "want"),
    [
        *((int, str), (bool, str), (float, str), (int, Path), (int, SecretStr), (list[int], list[str])),
        *((str, list[str]), (list[str], str), (Server, Servers), (Servers, Server), (Servers, Cloud), (Cloud, Server)),
        *((Verification, BenchmarkResults), (type(None), str), (type(None), Cloud), (str, Cloud), (Cloud, str)),
        *(
            (dict[str, Any], str),
            (dict[str, Any], list[Any]),
            (list[Any], dict[str, Any]),
            (dict[str, int], dict[str, str]),
        ),
        *((Literal["a"], Literal["b"]), (Literal["x"], int), (Literal["a"], bool), (int, Literal["1"])),
        *((tuple[int, int], tuple[int, int, int]), (tuple[int, str], tuple[str, str]), (int | float, str)),
        *((Servers, Duration), (Cloud, Size), (type(None), Duration)),
    ],
)
def test_what_can_never_be_read_does_not_fit(have, want):
    assert not fits(have, want)


class Shorthand(BaseModel):
    name: str

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class Holder(BaseModel):
    plain: Server
    short: Shorthand
    wait: Duration = Field(1.0, alias="pause")
    words: list[str] = []
    checked: Annotated[list[int], BeforeValidator(list), types.SameKind()] = []

    @field_validator("words", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value


def test_the_fields_of_a_model_keep_what_reads_them():
    fields = types.fields_of(Holder)
    assert [*fields] == ["plain", "short", "pause", "words", "checked"]
    assert fits(str, fields["short"])
    assert fits(str, fields["pause"])
    assert fits(str, fields["words"])
    assert not fits(str, fields["plain"])
    assert not fits(int, fields["checked"])
    assert fits(list[int], fields["checked"])


def test_a_place_below_a_type_has_the_type_that_stands_there():
    assert types.at(Holder, ("plain", "port")) is int
    assert types.at(list[Server] | None, (0, "name")) is str
    assert types.at(dict[str, Server], ("a", "host")) is str
    assert types.at(RetryPolicy, ("nope",)) is None
    assert types.at(list[Server], ("name",)) is None
    assert types.at(RootModel[list[int]], (3,)) is int
    assert fits(str, types.at(RetryPolicy, ("delay",)))


@pytest.mark.parametrize(
    ("kind", "annotation"),
    [
        *(("str", str), ("duration", float), ("size", int), ("percent", float), ("enum", Any), ("Cloud", Cloud)),
        *(("list(int)", list[int]), ("map(list(bool))", dict[str, list[bool]]), ("list(Cloud)", list[Cloud])),
        ("Servers", Servers),
    ],
)
def test_the_type_of_a_param_is_that_of_its_values(kind, annotation):
    assert from_param(kind) == annotation


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        *((str, "text"), (int, "whole number"), (Servers, "list of Server"), (Cloud, "Cloud"), (list[Any], "list")),
        *((dict[str, str], "map of text"), (dict, "map"), (str | None, "text"), (int | str, "whole number or text")),
        *(
            (Literal["a", "b"], "'a' or 'b'"),
            (Literal["a"], "text"),
            (Duration, "number"),
            (Path, "path"),
            (type(None), "null"),
            (Any, "value"),
        ),
    ],
)
def test_a_type_has_a_name_for_people(annotation, name):
    assert name_of(annotation) == name
