from __future__ import annotations

import pytest

from rallyflow.bench.actions import registry
from rallyflow.bench.scenarios import catalog
from rallyflow.bench.scenarios.check import validate_scenario
from rallyflow.bench.scenarios.lowering import lower
from rallyflow.errors import NotFound


def problems(**written):
    """What is wrong with a scenario, as a person reads it."""
    scenario, found = catalog.read_scenario("x", {"description": "d", **written})
    assert (scenario is None) == bool(found)
    return [str(problem) for problem in found]


@pytest.mark.parametrize("name", catalog.names())
def test_every_shipped_scenario_fits_together(name):
    scenario = catalog.find(name)

    assert scenario.model.description.endswith(".")
    assert scenario.actions


def test_every_action_says_what_it_does():
    for name in registry.names():
        action = registry.find(name)
        assert action.function.__doc__
        assert name.partition(".")[0] == action.function.__module__.rpartition(".")[2]


def test_an_unknown_action_is_found_with_its_place_and_what_was_meant():
    assert problems(do=[{"nova.bot_server": {}}]) == [
        "do[0].nova.bot_server: there is no action 'nova.bot_server' (did you mean 'nova.boot_server'?)"
    ]


def test_unknown_and_missing_arguments_are_found():
    assert problems(do=[{"nova.get_server": {"sever": "$x"}}]) == [
        "do[0].nova.get_server.sever: nova.get_server has no argument 'sever' (did you mean 'server'?)",
        "do[0].nova.get_server: nova.get_server needs the argument 'server'",
    ]


def test_a_name_must_stand_before_its_use():
    do = [{"nova.get_server": {"server": "$server"}}, {"neutron.create_network": None, "as": "server"}]

    assert problems(do=do) == [
        "do[0].nova.get_server.server: nothing before this has the name 'server' (there are: none)"
    ]


def test_types_must_fit():
    do = [
        {"nova.boot_server": {"image": "$flavor", "flavor": "$flavor"}, "as": "server"},
        {"nova.delete_server": {"server": "$server", "force": "yes"}},
        {"glance.delete_image": {"image": "$server"}},
        {"dummy.sleep": {"seconds": "$count"}},
    ]

    assert problems(args={"flavor": "Flavor", "count": "int"}, do=do) == [
        "do[0].nova.boot_server.image: $flavor is FlavorId, and ImageId is wanted",
        "do[1].nova.delete_server.force: 'yes' is not bool",
        "do[2].glance.delete_image.image: $server is ServerId, and ImageId is wanted",
    ]


def test_an_argument_that_may_be_missing_does_not_fit_where_one_is_needed():
    args = {"image": {"type": "Image", "default": None}, "flavor": "Flavor"}

    assert problems(args=args, do=[{"nova.boot_server": {"image": "$image", "flavor": "$flavor"}}]) == [
        "do[0].nova.boot_server.image: $image is ImageId or nothing, and ImageId is wanted"
    ]


@pytest.mark.parametrize(
    "item",
    [
        "nova.list_servers",
        {"nova.list_servers": None, "dummy.nothing": None},
        {"sleep": {"min": 1}},
        {"sleep": "long"},
        {"repeat": 2},
        {"repeat": "twice", "do": [{"dummy.nothing": None}]},
        {"dummy.nothing": [1]},
        {"dummy.nothing": None, "as": "x"},
    ],
)
def test_an_item_of_the_wrong_form_is_found(item):
    assert len(problems(do=[item])) == 1


def test_a_scenario_of_the_wrong_form_is_found():
    assert problems(do=[], twice=1) == [
        "do: List should have at least 1 item after validation, not 0",
        "twice: Extra inputs are not permitted",
    ]


def test_sleeps_and_repeats_become_operations_with_their_values():
    scenario, _ = catalog.read_scenario(
        "x",
        {
            "description": "d",
            "args": {"n": {"type": "int", "default": 2}, "pause": "float"},
            "do": [
                {"repeat": "$n", "do": [{"sleep": {"min": 0, "max": "$pause"}}, {"dummy.nothing": None}]},
                {"neutron.create_network": None, "as": "net"},
                {"neutron.delete_network": {"network": "$net"}},
            ],
        },
    )

    nothing = {"call": "dummy.nothing", "constants": {}, "results": {}, "slot": -1}
    assert lower(scenario, {"n": 3, "pause": 1.5}) == [
        {"repeat": 3, "do": [{"sleep": [0, 1.5]}, nothing]},
        {"call": "neutron.create_network", "constants": {}, "results": {}, "slot": 0},
        {"call": "neutron.delete_network", "constants": {}, "results": {"network": 0}, "slot": -1},
    ]


def test_an_unknown_scenario_is_not_found():
    with pytest.raises(NotFound) as caught:
        catalog.find("nova.boot_and_delete_sever")
    assert caught.value.hint == "did you mean 'nova.boot_and_delete_server'?"


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({"image": {"name": "a"}, "flavor": {"id": "1"}}, []),
        ({"image": {"name": "a"}}, ["args: nova.boot_server needs the argument 'flavor' (it takes Flavor)"]),
        (
            {"image": "cirros", "flavor": {"id": "1"}},
            ["args.image: must say which image, by name or by id (such as {name: cirros})"],
        ),
        (
            {"image": {"name": "a"}, "flavor": {"id": "1"}, "netwrk": 1},
            ["args.netwrk: nova.boot_server has no argument 'netwrk' (did you mean 'network'?)"],
        ),
        ({"image": object(), "flavor": {"id": "1"}, "network": None}, []),
    ],
)
def test_arguments_of_a_workflow_are_checked_offline(args, found):
    assert [str(problem) for problem in validate_scenario("nova.boot_server", args)] == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0.5, []),
        (1, []),
        ("often", ["args.rate: 'often' is not a number"]),
        (True, ["args.rate: True is not a number"]),
        (-0.1, ["args.rate: -0.1 is less than 0"]),
        (2, ["args.rate: 2 is more than 1"]),
        (None, ["args.rate: must not be empty"]),
    ],
)
def test_numbers_are_held_to_their_bounds(value, found):
    checked = validate_scenario("dummy.dummy_random_fail", {"rate": value})

    assert [str(problem) for problem in checked] == found
