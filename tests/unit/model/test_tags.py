from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.model.ids import RunId, StepId, Tag, new_run_id, parse_tag, step_key

RUN = RunId("20261122-160501-k3f9x")
KEY = "4hd2k0qpzt"
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"

moments = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 - UTC
runs = st.builds(lambda at, end: RunId(f"{at:%Y%m%d-%H%M%S}-{end}"), moments, st.text(LETTERS, min_size=5, max_size=5))
keys = st.text(LETTERS, min_size=10, max_size=10)
lives = st.none() | st.floats(min_value=0.001, max_value=36525 * 86400)
tags = st.builds(Tag.of, runs, keys, lives)


@given(tags, st.sampled_from(["", "-", "-l-1-0-5-2", "-c-project-12", "-v-image", "--", "-ä b"]))
def test_a_name_gives_the_tag_that_it_was_made_with(tag, rest):
    assert parse_tag(f"{tag}{rest}") == tag


@given(tags)
def test_a_tag_leaves_room_for_names_where_they_have_to_be_short(tag):
    assert len(f"{tag}-c-project-1000000") <= 64  # what Keystone takes for a project
    assert len(f"{tag}-l-99-127-9999999-99") <= 63  # where Nova cuts the host name of a server
    assert len(f"{tag}-v-server") <= 63


@given(runs, keys, st.floats(min_value=0.001, max_value=86400 * 99_000))
def test_nothing_expires_before_its_time_nor_much_later(run, key, seconds):
    tag = Tag.of(run, key, seconds)
    life = (tag.expires_ns - tag.started_ns) / 1e9
    assert seconds <= life <= max(seconds + 1, seconds * 1.04)


@given(st.text())
def test_foreign_names_have_no_tag(name):
    assert parse_tag(name) is None
    assert parse_tag(f"rf-{name}") is None


@given(tags, st.integers(min_value=0), st.sampled_from("_ILOU./ é\n"))
def test_a_tag_with_a_wrong_character_is_none(tag, place, character):
    text = str(tag)
    place %= len(text)
    assert parse_tag(text[:place] + character + text[place + 1 :]) is None


@given(tags)
def test_half_a_tag_is_none(tag):
    text = str(tag)
    assert all(parse_tag(text[:length]) is None for length in range(len(text)))
    assert parse_tag(f"{text}x") is None
    assert parse_tag(f" {text}") is None


@pytest.mark.parametrize(
    "name",
    [
        "rf-4hd2k0qpzt-l-1-0-0-1",  # of the first rallyflow, whose names did not say which run
        f"rf-20261322-160501-k3f9x-{KEY}",
        f"rf-20260230-160501-k3f9x-{KEY}",
        f"rf-{RUN}-x8w-{KEY}",
        f"rf-{RUN}-x-{KEY}",
        f"rf-{RUN}-x123456s-{KEY}",
        f"rf-{RUN}-x٣h-{KEY}",
    ],
)
def test_what_only_looks_like_a_tag_is_none(name):
    assert parse_tag(name) is None


def test_a_tag_is_readable():
    assert str(Tag.of(RUN, KEY)) == f"rf-{RUN}-{KEY}"
    assert str(Tag.of(RUN, KEY, 8 * 3600)) == f"rf-{RUN}-x8h-{KEY}"
    assert str(Tag.of(RUN, KEY, 5400.5)) == f"rf-{RUN}-x5401s-{KEY}"
    assert str(Tag.of(RUN, KEY, 3 * 86400)) == f"rf-{RUN}-x3d-{KEY}"


def test_ids_that_are_made_now_have_tags():
    run = new_run_id()
    tag = Tag.of(run, step_key(run, StepId("boot[users=5]")), 60)
    assert parse_tag(f"{tag}-c-user-0-0") == tag
