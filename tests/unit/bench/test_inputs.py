"""What can be wrong with a benchmark is found without a cloud, at the key where it stands."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from rallyflow.steps.benchmark import Benchmark

BOOT = {"image": {"name": "cirros"}, "flavor": {"name": "m1.tiny"}}


def wrong(**given):
    """The places and texts of the errors in a step's `with:`."""
    with pytest.raises(ValidationError) as caught:
        Benchmark.Inputs.model_validate(given)
    return {error["loc"]: error["msg"] for error in caught.value.errors()}


def test_a_right_one_is_taken():
    inputs = Benchmark.Inputs.model_validate(
        {
            "scenario": "nova.boot_and_delete_server",
            "args": BOOT,
            "contexts": {"users": {"tenants": 2}, "network": None},
            "load": {"constant": {"iterations": 100, "concurrency": 10}},
            "sla": [{"failure_rate": {"max": "1%"}}, {"p95": {"action": "nova.boot_server", "max": "30s"}}],
        }
    )

    assert inputs.load.shape().concurrency == 10


def test_errors_of_all_kinds_come_at_once_even_when_the_cloud_is_not_known():
    found = wrong(
        cloud=object(),
        scenario="nova.boot_and_delete_server",
        args={"image": {"name": "cirros"}, "flavour": 1},
        contexts={"user": {}, "users": {"tenants": 0}},
        load={"constant": {"iterations": 5, "concurrency": 10}},
        sla=[
            {"p95": {"action": "nova.boot_sever", "max": "30s"}},
            {"p96": {"max": 1}},
            {"mean": {"max": "fast"}},
        ],
        lod={},
    )

    assert found.keys() == {
        ("cloud",),
        ("load", "constant"),
        ("lod",),
        ("args", "flavour"),
        ("args",),
        ("contexts", "user"),
        ("contexts", "users", "tenants"),
        ("sla", 0, "p95", "action"),
        ("sla", 1, "p96"),
        ("sla", 2, "mean", "max"),
    }
    assert "did you mean 'nova.boot_server'?" in found["sla", 0, "p95", "action"]


def test_an_unknown_scenario_is_found_at_its_key():
    assert wrong(scenario="nova.boot_sever", args={}) == {
        ("scenario",): "there is no scenario 'nova.boot_sever' (did you mean 'nova.boot_server'?)"
    }


@pytest.mark.parametrize(
    "load",
    [
        {},
        {"serial": {}, "constant": {"iterations": 1}},
        {"constant": {}},
        {"constant": {"iterations": 1, "duration": "1s"}},
        {"constant": {"duration": 0}},
        {"constant": {"iterations": 0}},
        {"serial": {"iterations": -1}},
    ],
)
def test_a_load_must_make_sense(load):
    assert wrong(scenario="dummy.dummy", load=load)


def test_checking_offline_imports_nothing_heavy():
    code = (
        "import sys; from rallyflow.steps.benchmark import Benchmark;"
        "Benchmark.Inputs.model_validate({'scenario': 'nova.list_servers', 'contexts': {'users': {}}});"
        "heavy = 'openstack keystoneauth1 requests pycurl duckdb pyarrow tenacity'.split();"
        "print([m for m in heavy if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
