"""`rallyflow cleanup`: from the ledger of a home, and from what a cloud shows when the journal is lost."""

from __future__ import annotations

import os
import shutil

import openstack
import pytest
import yaml
from pydantic import SecretStr

from rallyflow.clouds.embedded import process as embedded
from rallyflow.clouds.embedded.settings import Settings
from rallyflow.clouds.embedded.speed import Speed
from rallyflow.model.ids import RunId, StepId, Tag, step_key

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of openstacksdk about itself

LEFT = """
rallyflow: 1
name: left
ttl: {ttl}
steps:
  servers: {{uses: provision/local}}
  cloud: {{uses: deploy/embedded, with: {{servers: "${{{{ steps.servers.servers }}}}"}}}}
  hold: {{uses: shell, needs: [cloud], with: {{run: "while test -e hold; do sleep 0.05; done"}}}}
teardown: never
"""
BENCHMARK = """
rallyflow: 1
name: load
ttl: 8h
steps:
  cloud: {{uses: deploy/existing, with: {{cloud: test, clouds_yaml: "{file}"}}}}
  boot:
    uses: benchmark
    with:
      cloud: ${{{{ steps.cloud.cloud }}}}
      scenario: nova.boot_and_delete_server
      args: {{image: {{name: cirros}}, flavor: {{name: own}}}}
      contexts:
        users: {{tenants: 2, users_per_tenant: 2}}
        network: {{router: {{}}}}
        images: {{images: {{mine: {{}}}}}}
        flavors: {{flavors: {{own: {{ram: 64}}}}}}
      load: {{constant: {{iterations: 100000, concurrency: 4}}}}
"""
MEASURED = "SELECT count(*) FROM part WHERE tbl = 'iterations'"


class Existing:
    """A cloud that no run made, in a process of its own."""

    def __init__(self, folder, auth_url):
        self.folder = folder
        self.auth_url = auth_url
        self.file = self.entry("test", username="admin", password="pw", project_name="admin")

    def entry(self, name, **who):
        auth = {"auth_url": self.auth_url, **who, "user_domain_name": "Default", "project_domain_name": "Default"}
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"clouds": {name: {"auth": auth, "region_name": "RegionOne"}}}))
        return file

    def connection(self, name="test"):
        config = openstack.config.OpenStackConfig(config_files=[str(self.folder / f"{name}.yaml")], load_envvars=False)
        return openstack.connection.Connection(config=config.get_one(cloud=name))

    def names(self):
        """All names in the cloud, by kind."""
        with self.connection() as cloud:
            found = {
                "server": cloud.compute.servers(all_projects=True),
                "volume": cloud.block_storage.volumes(all_projects=True),
                "snapshot": cloud.block_storage.snapshots(all_projects=True),
                "image": cloud.image.images(),
                "flavor": cloud.compute.flavors(),
                "router": cloud.network.routers(),
                "subnet": cloud.network.subnets(),
                "network": cloud.network.networks(),
                "keypair": cloud.compute.keypairs(),
                "security_group": cloud.network.security_groups(),
                "user": cloud.identity.users(),
                "project": cloud.identity.projects(),
            }
            return {(kind, each.name) for kind, objects in found.items() for each in objects}


@pytest.fixture
def cloud(tmp_path):
    state = tmp_path / "existing" / "state"
    speed = Speed.model_validate({"compute": {"build": "20ms", "delete": "10ms"}})
    embedded.save_settings(state, Settings(password=SecretStr("pw"), speed=speed))
    pid = embedded.start(state, guardian=os.getpid())
    try:
        yield Existing(state.parent, embedded.wait_until_up(state, pid).auth_url)
    finally:
        embedded.stop(state)


def tag_of(run, step="boot", life=None):
    return str(Tag.of(RunId(run), step_key(RunId(run), StepId(step)), life))


def killed_in_a_load(cli, cloud):
    process = cli.start("apply", cli.workflow(BENCHMARK.format(file=cloud.file)))
    cli.until(process, MEASURED)
    cli.kill(process)


def left_by_a_run(cli, ttl="8h"):
    cli.ok("apply", cli.workflow(LEFT.format(ttl=ttl)))
    return cli.json("runs")[-1]["run"]


def test_all_that_is_left_goes_but_what_a_live_run_has(cli, gone):
    runs = [left_by_a_run(cli), left_by_a_run(cli)]
    (cli.directory / "hold").touch()
    live = cli.start("apply", cli.workflow(LEFT.format(ttl="8h")))
    cli.until(live, "SELECT count(*) = 3 FROM event WHERE kind = 'intent' AND step = 'hold'")
    alive = cli.json("runs")[-1]["run"]

    dry = cli.json("cleanup", "--all", "--dry-run")
    assert [each["run"] for each in dry["found"]] == runs[::-1]
    assert (dry["removed"], dry["live"]) == (0, [alive])
    assert len(cli.json("resources")) == 3

    done = cli.run("cleanup", "--all", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"a process works on run {alive}: it is left alone" in done.stderr
    assert "removed 2 of 2" in done.stderr
    assert [each["run"] for each in cli.json("resources")] == [alive]
    (cli.directory / "hold").unlink()
    assert live.wait(timeout=60) == 0
    cli.ok("cleanup", "--all")
    assert cli.json("resources") == []
    assert "nothing to remove" in cli.run("cleanup", "--all").stderr
    gone(cli.directory)


def test_only_what_has_expired_goes(cli):
    old, new = left_by_a_run(cli, "1ms"), left_by_a_run(cli)
    table = cli.ok("cleanup", "--expired", "--dry-run")
    assert old in table
    assert new not in table
    done = cli.json("cleanup", "--expired")
    assert (done["removed"], done["left"], [each["run"] for each in done["found"]]) == (1, [], [old])
    assert [each["run"] for each in cli.json("resources")] == [new]


def test_a_cloud_is_cleaned_when_the_journal_is_lost(cli, cloud):
    before = cloud.names()
    killed_in_a_load(cli, cloud)
    run = cli.json("runs")[0]["run"]
    with cloud.connection() as connection:  # what else may be in a temporary project, and in our own
        project = next(each for each in connection.identity.projects() if each.name.startswith("rf-"))
        member = next(each for each in connection.identity.users() if each.default_project_id == project.id)
        connection.compute.create_keypair(name="a b", user_id=member.id)
        connection.compute.create_keypair(name=f"{tag_of(run)}-l-key")
        connection.network.create_security_group(name="unnamed", project_id=project.id)
        volume = connection.block_storage.create_volume(size=1, name=f"{tag_of(run)}-l-volume")
        connection.block_storage.wait_for_status(volume, "available", interval=0.02)
        connection.block_storage.create_snapshot(volume_id=volume.id, name=f"{tag_of(run)}-l-snapshot")
        image = next(each for each in connection.image.images() if each.name.startswith("rf-"))
        connection.image.update_image(image, is_protected=True)
        made = connection.network.create_network(name="somebody's rf-network")
    shutil.rmtree(cli.home)

    found = cli.json("cleanup", "--cloud", "test", "--clouds-yaml", cloud.file, "--dry-run")
    kinds = {each["kind"] for each in found["found"]}
    assert kinds >= {
        "image",
        "flavor",
        "router",
        "subnet",
        "network",
        "user",
        "project",
        "keypair",
        "snapshot",
        "volume",
    }
    assert {each["run"] for each in found["found"]} == {run}
    assert found["everything"]

    stays = cli.run("cleanup", "--cloud", "test", "--clouds-yaml", cloud.file)
    assert stays.returncode == 9
    assert f"left: image {image.name}: DELETE" in stays.stderr
    assert "is protected" in stays.stderr
    with cloud.connection() as connection:
        connection.image.update_image(image, is_protected=False)
    done = cli.run("cleanup", "--cloud", "test", "--clouds-yaml", cloud.file)
    assert done.returncode == 0, done.stderr
    assert cloud.names() - before == {("network", "somebody's rf-network")}
    assert made.name == "somebody's rf-network"
    assert not cli.home.exists()


def test_the_ledger_of_this_home_hears_what_was_removed(cli, cloud):
    killed_in_a_load(cli, cloud)
    run = cli.json("runs")[0]["run"]
    assert len(cli.json("resources")) > 10
    table = cli.ok("cleanup", "--cloud-of", run, "--dry-run")
    assert " this " in table
    done = cli.run("cleanup", "--cloud", "test", "--clouds-yaml", cloud.file, "--run", run[-5:])
    assert done.returncode == 0, done.stderr
    assert cli.json("resources") == []
    assert "nothing in this cloud" in cli.run("cleanup", "--cloud-of", run).stderr


def test_a_run_that_goes_on_in_this_home_is_left_alone(cli, cloud):
    process = cli.start("apply", cli.workflow(BENCHMARK.format(file=cloud.file)))
    cli.until(process, MEASURED)
    run = cli.json("runs")[0]["run"]
    done = cli.json("cleanup", "--cloud", "test", "--clouds-yaml", cloud.file)
    assert (done["found"], done["live"]) == ([], [run])
    process.terminate()
    process.terminate()
    process.wait(timeout=60)
    cli.ok("destroy", run, "--yes")


def test_runs_are_chosen_by_age_and_expiry(cli, cloud):
    names = {
        "old": tag_of("20200101-000000-aaaaa"),
        "expired": tag_of("20200102-000000-bbbbb", life=3600),
        "living": tag_of("20200103-000000-ccccc", life=86400 * 36000),
        "new": tag_of("29990101-000000-ddddd"),
    }
    with cloud.connection() as connection:
        for name in names.values():
            connection.network.create_network(name=f"{name}-c-network-0-0")

    def left():
        return {key for key, name in names.items() if ("network", f"{name}-c-network-0-0") in cloud.names()}

    where = ("--cloud", "test", "--clouds-yaml", cloud.file)
    cli.ok("cleanup", *where, "--expired")
    assert left() == {"old", "living", "new"}
    cli.ok("cleanup", *where, "--run", "20200103")
    assert left() == {"old", "new"}
    done = cli.run("cleanup", *where, "--older-than", "1d")
    assert left() == {"new"}
    assert "a run of another home may still be going on" in done.stderr


def test_who_is_no_admin_is_told_that_only_the_own_project_is_seen(cli, cloud):
    with cloud.connection() as admin:
        project = admin.identity.create_project(name="plain", domain_id="default")
        user = admin.identity.create_user(name="plain", password="pw", domain_id="default")
        role = admin.identity.find_role("member")
        admin.identity.assign_project_role_to_user(project, user, role)
        admin.network.create_network(name=f"{tag_of('20200101-000000-aaaaa')}-theirs")
    file = cloud.entry("plain", username="plain", password="pw", project_name="plain")
    with cloud.connection("plain") as plain:
        plain.network.create_network(name=f"{tag_of('20200101-000000-aaaaa')}-mine")
    done = cli.run("cleanup", "--cloud", "plain", "--clouds-yaml", file)
    assert done.returncode == 0, done.stderr
    assert "their own project only" in done.stderr
    networks = [name for kind, name in cloud.names() if kind == "network" and name.startswith("rf-")]
    assert [name.rpartition("-")[2] for name in networks] == ["theirs"]


def test_what_can_not_be_removed_is_said_with_the_reason(cli, cloud):
    killed_in_a_load(cli, cloud)
    run = cli.json("runs")[0]["run"]
    embedded.stop(cloud.folder / "state")
    cloud.file.unlink()
    done = cli.run("destroy", run, "--yes")
    assert done.returncode == 9
    assert "Traceback" not in done.stderr
    assert f"can't be removed: {cloud.file} is not there" in done.stderr
    assert done.stderr.count("openstack.objects") == 1
    assert cli.run("cleanup", "--all", "--json").returncode == 9
    assert cli.run("cleanup", "--cloud-of", run).returncode == 4
    assert len(cli.json("resources")) > 10
    (cli.home / "journal.db").unlink()  # so that nothing is tried again when the test ends


@pytest.mark.parametrize("options", [(), ("--all", "--expired"), ("--all", "--cloud", "x"), ("--all", "--run", "x")])
def test_one_thing_at_a_time_can_be_cleaned(cli, options):
    left_by_a_run(cli)
    done = cli.run("cleanup", *options)
    assert done.returncode == 1
    assert "hint" in done.stderr
    assert len(cli.json("resources")) == 1
