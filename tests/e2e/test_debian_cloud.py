"""`deploy/debian` on containers: one cloud, built once, then used, changed, broken and removed, all by the program."""

from __future__ import annotations

import re
import subprocess

import pytest

from rallyflow.deployers.debian.passwords import Passwords

pytestmark = pytest.mark.cloud

SERVERS = """
  servers:
    uses: provision/lxc
    with:
      packages: ["@openstack"]
      servers: [{name: ctl}, {name: compute, count: 2}]
"""
CLOUD = """
rallyflow: 1
name: real
defaults: {timeout: 40m}
steps:
%(servers)s
  cloud:
    uses: deploy/debian
    with:
      servers: ${{ steps.servers.servers }}
      roles: {controller: 1, compute: 2}
%(more)s
teardown: never
"""
BOOT = """
  boot:
    uses: benchmark
    needs: [%s]
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.snapshot_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 4, concurrency: 2}}
      sla: [{failure_rate: {max: 0%%}}]
"""
CHANGE = """
  change:
    uses: deploy/debian
    with:
      cloud: ${{ steps.cloud.cloud }}
      config: {nova: {conductor: {workers: 2}}}
"""
BREAK = """
  change:
    uses: deploy/debian
    with:
      cloud: ${{ steps.cloud.cloud }}
      config: {uwsgi: {glance-api: {wsgi-file: /nonexistent}}}
"""
CONTROLLER_DAEMONS = {
    "mariadb", "rabbitmq", "memcached", "keystone", "glance-api", "placement-api", "nova-api", "nova-conductor",
    "nova-scheduler", "neutron-api", "neutron-rpc-server", "cinder-api", "cinder-scheduler", "cinder-volume",
}  # fmt: skip


def workflow(more=""):
    return CLOUD % {"servers": SERVERS, "more": more}


def outputs(cli, step):
    return next(row["outputs"] for row in cli.json("show", "@latest")["steps"] if row["name"] == step)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory, cli_in):
    """A cloud of three containers; the tests below leave it as they found it."""
    cli = cli_in(tmp_path_factory.mktemp("cloud"))
    file = cli.workflow(workflow(BOOT % "cloud"))
    done = cli.run("apply", file, timeout=2400)
    yield cli, done
    cli.ok("destroy", "@latest", "--yes")
    assert cli.json("resources") == []


def on(cli, name, command):
    """Run a command on a server of the run, as any ssh does it."""
    server = next(each for each in outputs(cli, "servers")["servers"] if each["name"] == name)
    options = ["-i", server["key_file"], "-o", f"UserKnownHostsFile={server['known_hosts']}", "-p", str(server["port"])]
    return subprocess.run(
        ["ssh", *options, f"{server['user']}@{server['host']}", command], capture_output=True, text=True, check=True
    ).stdout


def test_a_cloud_of_three_servers_boots_and_snapshots(cloud):
    _cli, done = cloud
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_role_runs_what_belongs_to_it(cloud):
    cli, _done = cloud
    started = outputs(cli, "cloud")["started"]
    assert set(started["ctl"]) == CONTROLLER_DAEMONS
    assert set(started["compute1"]) == set(started["compute2"]) == {"nova-compute", "neutron-linuxbridge-agent"}


def test_the_packages_are_known_with_their_versions(cloud):
    cli, _done = cloud
    versions = outputs(cli, "cloud")["cloud"]["versions"]
    there = on(cli, "ctl", "dpkg-query -W -f '${Package} ${Version}\\n' nova-api mariadb-server python3-neutron")
    assert dict(line.split() for line in there.splitlines()).items() <= versions.items()


def test_what_a_cloud_offers_is_shown(cloud):
    cli, _done = cloud
    found = cli.json("discover")
    assert {"compute", "image", "network", "placement", "identity", "volumev3"} == {
        each["type"] for each in found["services"]
    }
    assert not any(each["error"] for each in found["services"])
    assert [each["name"] for each in found["networks"] if each["external"]] == ["public"]


def test_no_password_is_in_the_journal_a_log_or_a_command_line(cloud):
    cli, _done = cloud
    (file,) = cli.home.glob("runs/*/artifacts/cloud/passwords.json")
    secrets = [secret.encode() for secret in Passwords.load(file).all()]
    allowed = {"passwords.json", "clouds.yaml"}
    for path in cli.home.rglob("*"):
        if path.is_file() and path.name not in allowed:
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path
        if path.name in allowed:
            assert path.stat().st_mode & 0o077 == 0
    for name in ("ctl", "compute1"):
        lines = on(cli, name, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '").encode()
        assert not any(secret in lines for secret in secrets)


def test_a_changed_option_starts_only_what_reads_it_and_is_gone_again_afterwards(cloud):
    cli, _done = cloud
    before = outputs(cli, "cloud")["cloud"]["fingerprint"]
    cli.ok("resume", "@latest", "--with", cli.workflow(workflow(CHANGE + BOOT % "change"), "changed.yaml"))
    changed = outputs(cli, "change")
    assert set(changed["started"]["ctl"]) == {"nova-api", "nova-conductor", "nova-scheduler"}
    assert changed["started"]["compute1"] == ["nova-compute"]
    assert changed["cloud"]["fingerprint"] != before
    back = workflow(CHANGE.replace("config: {nova: {conductor: {workers: 2}}}", "config: {}"))
    cli.ok("resume", "@latest", "--with", cli.workflow(back, "back.yaml"))
    assert outputs(cli, "change")["cloud"]["fingerprint"] == before
    assert "workers = 1" in on(cli, "ctl", "grep -A1 '^.conductor' /etc/nova/nova.conf")


def test_a_service_that_fails_is_named_with_the_end_of_its_log(cloud):
    cli, _done = cloud
    done = cli.run("resume", "@latest", "--with", cli.workflow(workflow(BREAK), "broken.yaml"))
    assert done.returncode == 4
    text = re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert "RF0671" in text
    assert "glance-api" in text
    assert "/nonexistent" in text
    back = workflow(CHANGE.replace("config: {nova: {conductor: {workers: 2}}}", "config: {}"))
    cli.ok("resume", "@latest", "--with", cli.workflow(back, "back.yaml"))


def test_what_was_killed_on_a_server_comes_back_with_resume(cloud):
    cli, _done = cloud
    on(cli, "ctl", "pkill -KILL -u nova; pkill -KILL -u mysql; true")
    cli.ok("resume", "@latest", "--with", cli.workflow(workflow(CHANGE + BOOT % "change"), "again.yaml"))


OTHER = """
rallyflow: 1
name: other
steps:
  servers:
    uses: provision/existing
    with:
      key_file: %(key_file)s
      known_hosts: %(known_hosts)s
      servers: [{name: x, host: %(host)s, port: %(port)s}]
  cloud:
    uses: deploy/debian
    with: {servers: "${{ steps.servers.servers }}"}
"""


def test_another_run_does_not_deploy_over_it(cloud, tmp_path, cli_in):
    cli, _done = cloud
    other = cli_in(tmp_path)
    done = other.run("apply", other.workflow(OTHER % outputs(cli, "servers")["servers"][0]))
    assert done.returncode == 4
    assert "RF0672" in done.stdout + done.stderr
