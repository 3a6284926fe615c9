"""What `with:` of deploy/debian is refused for, before anything is done."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rallyflow.deployers.debian.inputs import DebianInputs

SERVER = {"name": "aio", "host": "10.0.0.1"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"config": {"rabbitmq": {"rabbit": {"heartbeat": 60}}}}, "there is no `rabbit` in it"),
        ({"config": {"uwsgi": {"nova": {"processes": 4}}}}, "no `nova` in it: `uwsgi` has only keystone, glance-api"),
        ({"config": {"nova": {"DEFAULT": {"compute_driver": "fake.FakeDriver"}}}}, "follows from `driver`"),
        ({"config": {"nova": {"DEFAULT": {"debug": "true\nmy_ip = 10.0.0.9"}}}}, "`debug` has several lines"),
        ({"config": {"nova": {"DEFAULT": {"enabled_apis": ["one", "two\nthree"]}}}}, "`enabled_apis` has several"),
        ({"take_over": True, "services": {"swift": True}}, "can't keep the objects of `swift`"),
    ],
)
def test_what_would_have_no_effect_or_another_one_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        DebianInputs.model_validate({"servers": [SERVER], **fields})


def test_options_of_all_kinds_are_taken():
    config = {
        "rabbitmq": {"DEFAULT": {"heartbeat": 60}},
        "uwsgi": {"nova-api": {"processes": "${{ matrix.processes }}"}},
        "nova": {"DEFAULT": {"debug": True, "enabled_apis": ["one", "two"]}},
    }
    assert DebianInputs.model_validate({"servers": [SERVER], "config": config}).config
