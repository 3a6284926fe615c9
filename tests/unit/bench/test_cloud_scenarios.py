"""The shipped scenarios, against a cloud."""

from __future__ import annotations

import pytest

from rallyflow.clouds.connection import sign_in
from rallyflow.errors import NotFound
from rallyflow.model.states import StepState

BOOT = {"image": {"name": "cirros"}, "flavor": {"name": "m1.tiny"}}


def leftovers(cloud, ledger):
    """Everything in the cloud whose name is one of ours, or that the ledger still has open."""
    session = sign_in(cloud)
    found = [row.name for row in ledger.open()]
    for service, path, key in (
        ("compute", "/servers/detail?all_tenants=1", "servers"),
        ("image", "/images", "images"),
        ("network", "/networks", "networks"),
        ("network", "/routers", "routers"),
        ("block-storage", "/volumes/detail?all_tenants=1", "volumes"),
        ("compute", "/flavors", "flavors"),
        ("identity", "/projects", "projects"),
        ("identity", "/users", "users"),
    ):
        entries = session.service(service).get(path).json()[key]
        found += [entry["name"] for entry in entries if str(entry["name"]).startswith("rf-")]
    return found


@pytest.mark.parametrize(
    ("scenario", "args", "actions"),
    [
        ("nova.boot_server", BOOT, ["nova.boot_server"]),
        ("nova.boot_and_delete_server", BOOT, ["nova.boot_server", "nova.delete_server"]),
        ("nova.boot_and_list_server", BOOT, ["nova.boot_server", "nova.list_servers"]),
        ("nova.boot_and_show_server", BOOT, ["nova.boot_server", "nova.get_server"]),
        (
            "nova.boot_and_reboot_server",
            BOOT,
            ["nova.boot_server", "nova.reboot_server", "nova.delete_server"],
        ),
        (
            "nova.pause_and_unpause_server",
            BOOT,
            ["nova.boot_server", "nova.pause_server", "nova.unpause_server", "nova.delete_server"],
        ),
        (
            "nova.snapshot_server",
            BOOT,
            [
                "nova.boot_server",
                "nova.create_image",
                "nova.delete_server",
                "nova.boot_server",
                "nova.delete_server",
                "glance.delete_image",
            ],
        ),
        ("nova.list_servers", {}, ["nova.list_servers"]),
        ("nova.list_flavors", {}, ["nova.list_flavors"]),
        ("glance.create_and_delete_image", {}, ["glance.create_image", "glance.delete_image"]),
        ("glance.list_images", {}, ["glance.list_images"]),
        ("neutron.create_and_list_networks", {}, ["neutron.create_network", "neutron.list_networks"]),
        ("neutron.create_and_delete_networks", {}, ["neutron.create_network", "neutron.delete_network"]),
        (
            "neutron.create_and_delete_subnets",
            {},
            [
                "neutron.create_network",
                "neutron.create_subnet",
                "neutron.delete_subnet",
                "neutron.delete_network",
            ],
        ),
        ("cinder.create_and_delete_volume", {}, ["cinder.create_volume", "cinder.delete_volume"]),
        ("cinder.create_and_list_volume", {}, ["cinder.create_volume", "cinder.list_volumes"]),
        ("authenticate.keystone", {}, ["authenticate.keystone"]),
    ],
)
def test_a_shipped_scenario_runs_its_actions_and_leaves_nothing(bench, cloud, scenario, args, actions):
    outcome = bench.run(
        cloud=cloud, scenario=scenario, args=args, load={"constant": {"iterations": 2, "concurrency": 2}}
    )

    rows = bench.parts.rows("iterations")
    assert [row["error_message"] for row in rows] == [None, None]
    assert outcome.state is StepState.SUCCEEDED
    for number in (0, 1):
        mine = [row for row in bench.parts.rows("actions") if row["iteration"] == number]
        assert [row["name"] for row in sorted(mine, key=lambda row: row["position"])] == actions
        assert all(row["ok"] and row["requests"] > 0 and row["http_ns"] > 0 for row in mine)
    assert leftovers(cloud, bench.ledger) == []


def test_a_wait_records_how_far_apart_its_polls_were(bench, cloud):
    bench.run(cloud=cloud, scenario="nova.boot_and_delete_server", args=BOOT)

    boot = next(row for row in bench.parts.rows("actions") if row["name"] == "nova.boot_server")
    assert 30e6 <= boot["poll_ns"] <= max(30e6, 0.11 * boot["duration_ns"])


def test_contexts_give_the_load_users_networks_images_and_flavors(bench, cloud):
    outcome = bench.run(
        cloud=cloud,
        scenario="nova.boot_and_delete_server",
        args={"image": {"name": "mine"}, "flavor": {"name": "small"}},
        contexts={
            "users": {"tenants": 2, "users_per_tenant": 2},
            "network": {"networks_per_tenant": 2, "router": {"external": True}},
            "images": {"images": {"mine": {"size": 10}}},
            "flavors": {"flavors": {"small": {"ram": 64, "disk": 1}}},
        },
        load={"constant": {"iterations": 4, "concurrency": 2}},
    )

    assert outcome.state is StepState.SUCCEEDED, [row["error_message"] for row in bench.parts.rows("iterations")]
    made = [row.kind.removeprefix("openstack.") for row in bench.ledger.rows.values()]
    assert {kind: made.count(kind) for kind in made} == {
        "project": 2,
        "user": 4,
        "flavor": 1,
        "network": 4,
        "subnet": 4,
        "router": 2,
        "image": 1,
        "objects": 1,
    }
    assert leftovers(cloud, bench.ledger) == []


def test_without_users_the_clouds_own_user_carries_the_load(bench, cloud):
    outcome = bench.run(
        cloud=cloud, scenario="nova.boot_server", args=BOOT, contexts={"users": None}, load={"serial": {}}
    )

    assert outcome.state is StepState.SUCCEEDED
    assert [row.kind for row in bench.ledger.rows.values()] == ["openstack.objects"]
    assert leftovers(cloud, bench.ledger) == []


def test_a_load_that_is_stopped_leaves_nothing_and_can_go_on(bench, cloud, monkeypatch):
    monkeypatch.setattr("rallyflow.bench.load.plan.FLUSH_AFTER", 0.1)
    bench.parts.on_add = lambda _parts: bench.stop.set()
    inputs = {
        "cloud": cloud,
        "scenario": "nova.boot_server",
        "args": BOOT,
        "load": {"constant": {"iterations": 60, "concurrency": 2}},
    }

    assert bench.run(**inputs).state is StepState.INTERRUPTED
    assert leftovers(cloud, bench.ledger) == []
    bench.stop.clear()
    bench.parts.on_add = lambda _parts: None
    assert bench.run(**inputs).state is StepState.SUCCEEDED
    assert sorted(row["iteration"] for row in bench.parts.rows("iterations")) == list(range(60))
    assert leftovers(cloud, bench.ledger) == []


def test_a_load_whose_generator_was_busy_is_not_to_be_trusted(bench, cloud, monkeypatch):
    monkeypatch.setattr("rallyflow.steps.benchmark.BUSY", 0.0)
    monkeypatch.setattr("rallyflow.steps.benchmark.BUSY_AFTER", 0.0)

    outcome = bench.run(cloud=cloud, scenario="nova.list_servers", load={"serial": {"iterations": 5}})

    assert outcome.state is StepState.INCONCLUSIVE
    assert "they, not the cloud, set the pace" in outcome.reason


def test_what_nova_refuses_fails_the_iteration_with_its_reason(bench, cloud):
    outcome = bench.run(
        cloud=cloud,
        scenario="nova.boot_and_delete_server",
        args={"image": {"name": "cirros"}, "flavor": {"id": "no-such-flavor"}},
    )

    assert outcome.state is StepState.FAILED
    row = bench.parts.rows("iterations")[0]
    assert row["error_action"] == "nova.boot_server"
    assert "no-such-flavor" in row["error_message"]
    assert leftovers(cloud, bench.ledger) == []


def test_a_misspelt_image_is_found_before_the_load_and_nothing_stays(bench, cloud):
    with pytest.raises(NotFound, match="no image 'cirrus'") as caught:
        bench.run(
            cloud=cloud,
            scenario="nova.boot_server",
            args={"image": {"name": "cirrus"}, "flavor": {"name": "m1.tiny"}},
        )

    assert "did you mean" in caught.value.hint
    assert bench.parts.parts == []
    assert leftovers(cloud, bench.ledger) == []


def test_a_context_that_fails_midway_is_taken_down(bench, cloud):
    with pytest.raises(NotFound, match="no role 'nobody'"):
        bench.run(cloud=cloud, scenario="nova.list_servers", contexts={"users": {"role": "nobody"}})
    with pytest.raises(Exception, match="image"):
        bench.run(
            cloud=cloud,
            scenario="nova.list_servers",
            contexts={"users": {"tenants": 3}, "images": {"images": {"x": {"file": "/nowhere/at/all"}}}},
        )

    assert leftovers(cloud, bench.ledger) == []
