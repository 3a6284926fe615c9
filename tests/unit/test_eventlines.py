from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from rallyflow import eventlines
from rallyflow.journal.event import Event
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.states import StepState

ROOT = Path(__file__).parents[2]
BOOKED_BY_ATTEMPTS = {"resource_intended", "resource_created", "resource_deleted", "parts_booked", "parts_dropped"}


def test_the_schema_that_is_checked_in_is_that_of_the_models():
    schema = eventlines.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    checked_in = json.loads((ROOT / "schemas" / "events.json").read_text())
    assert checked_in == json.loads(json.dumps(schema)), "run: rallyflow schema events > schemas/events.json"


def test_every_kind_of_event_in_the_source_has_a_type_of_line():
    kinds = {
        kind
        for path in (ROOT / "rallyflow").rglob("*.py")
        for kind in re.findall(r'(?:Event\(|_record\(|_event\(step, |\bevent\()\s*"(\w+)"', path.read_text())
    }
    assert {"run_created", "outcome", "waiting", "reopened"} <= kinds
    assert kinds - set(eventlines.TYPES) - BOOKED_BY_ATTEMPTS == set()


@pytest.mark.parametrize("model", [*eventlines.MODELS, eventlines.Problem, eventlines.Cell])
def test_every_key_is_described(model):
    assert model.__doc__
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_a_line_has_only_the_keys_that_are_documented():
    body = {"reason": "", "delay_s": 1.5, "secret plans": "none", "error": {}}
    event = Event("retry", RunId("r"), StepId("a"), 2, StepState.RETRYING, 1_000_000_000, body)
    assert eventlines.line_of(event) == {
        "version": 1,
        "type": "retry",
        "time": "1970-01-01T00:00:01+00:00",
        "run": "r",
        "step": "a",
        "attempt": 2,
        "state": "retrying",
        "reason": "",
        "delay_s": 1.5,
    }


@pytest.mark.parametrize("kind", [*sorted(BOOKED_BY_ATTEMPTS), "something_new"])
def test_what_is_of_no_interest_outside_has_no_line(kind):
    assert eventlines.line_of(Event(kind, RunId("r"), StepId("a"))) is None
