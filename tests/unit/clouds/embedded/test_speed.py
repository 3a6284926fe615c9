import pytest
from pydantic import ValidationError

from rallyflow.clouds.embedded.services import call_names
from rallyflow.clouds.embedded.speed import Options, Speed


def test_a_bare_duration_is_a_constant_time():
    speed = Speed.model_validate({"nova": {"latency": "5ms"}, "calls": {"nova.create_server": "20ms"}})
    assert speed.of_call("nova", "get_server").mean == 0.005
    assert speed.of_call("nova", "create_server").mean == 0.02
    assert speed.of_call("nova", "create_server").distribution == "constant"


def test_the_time_of_a_service_holds_for_all_its_calls_that_have_no_other():
    speed = Speed.model_validate({"nova": {"latency": "50ms"}, "calls": {"nova.get_server": "1ms"}})
    assert speed.of_call("nova", "create_server").mean == 0.05
    assert speed.of_call("nova", "get_server").mean == 0.001
    assert speed.of_call("glance", "create_image") == Speed().of_call("glance", "create_image")


def test_a_speed_read_back_from_its_json_is_the_same():
    for given in (
        {},
        {"nova": {"latency": "50ms"}},
        {"nova": {"workers": 2}, "calls": {"nova.get_server": "1ms"}},
    ):
        speed = Speed.model_validate(given)
        assert Speed.model_validate_json(speed.model_dump_json()) == speed


def test_a_call_that_does_not_exist_is_refused_with_the_one_that_was_meant():
    with pytest.raises(ValidationError, match=r"no call nova\.create_servers; did you mean nova\.create_server\?"):
        Speed.model_validate({"calls": {"nova.create_servers": "5ms"}})


def test_a_failure_rate_may_name_a_call_or_the_work_behind_it():
    speed = Speed.model_validate({"failure_rate": {"build": "5%", "glance.list_images": 0.5}})
    assert speed.failure_rate == {"build": 0.05, "glance.list_images": 0.5}
    with pytest.raises(ValidationError, match="no call bulid"):
        Speed.model_validate({"failure_rate": {"bulid": "5%"}})


def test_fast_rpc_trades_parallel_calls_for_shorter_ones():
    speed = Speed.model_validate({"rpc": {"calls_per_build": 7}})
    fast, slow = Options(fast_rpc=True).applied_to(speed).rpc, Options(fast_rpc=False).applied_to(speed).rpc
    assert fast.time.mean < slow.time.mean
    assert fast.workers < slow.workers
    assert fast.workers / fast.time.mean < slow.workers / slow.time.mean
    assert fast.calls_per_build == slow.calls_per_build == 7


def test_without_the_option_the_speed_stays_as_it_was_given():
    speed = Speed.model_validate({"rpc": {"workers": 9}})
    assert Options().applied_to(speed) is speed


def test_every_call_has_a_time():
    speed = Speed()
    for name in call_names():
        assert speed.of_call(*name.split(".", 1)).mean > 0
