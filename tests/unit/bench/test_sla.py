from __future__ import annotations

import pytest

from rallyflow.bench.sla.evaluate import judge
from rallyflow.bench.sla.spec import read_sla
from rallyflow.model.states import StepState


class Known:
    """Samples that are known beforehand: durations of what succeeded, and how many iterations failed."""

    def __init__(self, *seconds, failed=0):
        self.seconds = sorted(seconds)
        self.failed = failed

    def iterations(self):
        return len(self.seconds) + self.failed, self.failed

    def count(self, _action):
        return len(self.seconds)

    def mean(self, _action):
        return sum(self.seconds) / len(self.seconds) if self.seconds else None

    def quantile(self, _action, fraction):
        return self.seconds[round(fraction * (len(self.seconds) - 1))] if self.seconds else None


def verdict(entry, samples):
    return judge(read_sla([entry]), samples)[0]


@pytest.mark.parametrize(
    ("entry", "samples", "passed"),
    [
        ({"failure_rate": {"max": "10%"}}, Known(1, 1, 1, 1, 1, 1, 1, 1, 1, failed=1), True),
        ({"failure_rate": {"max": "9%"}}, Known(1, 1, 1, 1, 1, 1, 1, 1, 1, failed=1), False),
        ({"mean": {"max": "2s"}}, Known(1, 3), True),
        ({"mean": {"max": "1.9s"}}, Known(1, 3), False),
        ({"p50": {"max": 2}}, Known(1, 2, 3), True),
        ({"percentile": {"p": 99.9, "max": 2}}, Known(1, 2, 3), False),
        ({"max": {"max": 3}}, Known(1, 2, 3), True),
        ({"max": {"max": "2999ms"}}, Known(1, 2, 3), False),
    ],
)
def test_a_criterion_compares_with_its_limit(entry, samples, passed):
    assert verdict(entry, samples).passed is passed


@pytest.mark.parametrize("entry", [{"mean": {"max": "1h"}}, {"p99": {"max": "1h"}}, {"failure_rate": {"max": 1}}])
def test_no_data_never_passes(entry):
    found = verdict(entry, Known())

    assert (found.passed, found.measured) == (False, None)
    assert "can't be judged" in found.detail


def test_too_few_samples_do_not_pass():
    assert not verdict({"mean": {"max": 10, "min_samples": 3}}, Known(1, 1)).passed
    assert verdict({"mean": {"max": 10, "min_samples": 3}}, Known(1, 1, 1)).passed


def test_without_criteria_nothing_may_fail():
    assert [named.name for named in read_sla([])] == ["failure_rate"]
    assert judge(read_sla([]), Known(1, failed=1))[0].passed is False


def test_verdicts_are_kept_and_a_missed_one_fails_the_step(bench):
    outcome = bench.run(
        scenario="dummy.dummy",
        args={"sleep": 0.02},
        load={"constant": {"iterations": 10, "concurrency": 2}},
        sla=[
            {"failure_rate": {"max": "0%"}},
            {"p95": {"action": "dummy.sleep", "max": "1ms"}},
            {"percentile": {"p": 99.9, "max": "1h"}},
            {"mean": {"max": "1ms", "min_samples": 1000}},
        ],
    )

    assert outcome.state is StepState.FAILED
    assert "p95 of dummy.sleep is 2" in outcome.reason
    rows = bench.parts.rows("sla")
    assert [(row["criterion"], row["action"], row["passed"]) for row in rows] == [
        ("failure_rate", None, True),
        ("p95", "dummy.sleep", False),
        ("p99.9", None, True),
        ("mean", None, False),
    ]
    assert rows[1]["measured"] >= 0.02
    assert rows[3]["measured"] is None


def test_failures_within_the_limit_are_said_beside_the_success(bench):
    outcome = bench.run(
        scenario="dummy.dummy_random_fail",
        args={"rate": 1},
        load={"serial": {"iterations": 3}},
        sla=[{"failure_rate": {"max": "100%"}}],
    )

    assert (outcome.state, outcome.reason) == (
        StepState.SUCCEEDED,
        "3 of 3 iterations failed; dummy.fail: StepError: failed on purpose",
    )
    assert outcome.outputs.mean_s is None


def test_the_summary_is_of_what_succeeded(bench):
    outcome = bench.run(
        scenario="dummy.dummy", args={"sleep": 0.01}, load={"constant": {"iterations": 20, "concurrency": 2}}
    )

    rows = bench.parts.rows("iterations")
    mean = sum(row["duration_ns"] for row in rows) / 20 / 1e9
    assert outcome.outputs.mean_s == pytest.approx(mean)
    assert outcome.outputs.p95_s >= 0.01
    assert outcome.outputs.throughput > 0
    assert outcome.outputs.results.scenario == "dummy.dummy"
    assert outcome.outputs.results.matrix == {"users": 5}
