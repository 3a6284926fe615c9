from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rallyflow.model.ids import RunId, StepId, new_run_id, step_key, step_slug
from rallyflow.model.states import TRANSITIONS, StepState

NAMES = st.text(min_size=1, max_size=120)


@settings(deadline=None)
@given(NAMES, NAMES)
def test_slugs_are_folder_names_and_different_for_different_steps(one, two):
    for name in (one, two):
        slug = step_slug(StepId(name))
        assert "/" not in slug
        assert not set(slug) & set("*?[]{}$ \0\n'\"")
        assert slug not in {".", ".."}
    assert (step_slug(StepId(one)) == step_slug(StepId(two))) is (one == two)


def test_the_slug_of_a_plain_name_is_the_name():
    assert step_slug(StepId("boot-1")) == "boot-1"
    assert step_slug(StepId("boot[users=5]")).startswith("boot.users-5.")


@settings(deadline=None)
@given(NAMES, NAMES)
def test_keys_are_short_the_same_each_time_and_good_in_any_cloud(run, step):
    key = step_key(RunId(run), StepId(step))
    assert key == step_key(RunId(run), StepId(step))
    assert len(key) == 10
    assert key.isalnum()
    assert key.islower() or key.isdigit()


def test_run_ids_do_not_collide():
    assert len({new_run_id() for _ in range(200)}) == 200


def test_every_state_has_its_transitions_and_ends_are_reached():
    assert set(TRANSITIONS) == set(StepState)
    for state, following in TRANSITIONS.items():
        assert state not in following
        if not state.ended:
            assert following, f"{state} is open and leads nowhere"
        if state.final:
            assert following <= {StepState.REVIVING, StepState.PLANNED}, "planned again only after on_failure: pause"
    assert {state for state in StepState if not state.ended} == {"planned", "ready", "running", "retrying", "reviving"}
