from __future__ import annotations

from dataclasses import replace

import pytest

from rallyflow.model.states import RunState, StepState
from rallyflow.report.verdict import verdict


@pytest.mark.parametrize(
    ("state", "step", "sentence"),
    [
        (RunState.SUCCEEDED, {}, "cloud-bench did 2 steps, and nothing failed."),
        (
            RunState.ERRORED,
            {"state": StepState.ERRORED, "error": {"what": "no route"}},
            "b could not be done: no route.",
        ),
        (RunState.FAILED, {"state": StepState.FAILED, "reason": "exit code 1"}, "b failed: exit code 1."),
        (
            RunState.CANCELLED,
            {"state": StepState.CANCELLED},
            "The run was stopped before its end: 1 of 2 steps are done.",
        ),
        (
            RunState.INCONCLUSIVE,
            {"state": StepState.INCONCLUSIVE, "reason": "generator saturated"},
            "b ran, but its figures can't be trusted: generator saturated.",
        ),
    ],
)
def test_the_sentence_says_what_happened(book, state, step, sentence):
    book.step("a", "noop", (0, 1))
    book.step("b", "shell", (1, 2))
    book.records[1] = replace(book.records[1], **step)
    assert verdict(replace(book.record, state=state), book.records, [], []).sentence == sentence
