"""Containers, made by the real program on this machine: they answer, they have what was asked for, they go."""

from __future__ import annotations

import json
import platform
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rallyflow.servers.providers.lxc.inputs import LxcInputs
from rallyflow.servers.providers.lxc.recipes import recipes

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("lxc_host")]

HEAD = "rallyflow: 1\nname: containers\n"
OUTSIDE = "10.250.17.2"


def steps(provision: str, run: str = "true", more: str = "") -> str:
    """A workflow that makes containers and runs a command on all of them."""
    command = json.dumps(run)
    return f"""{HEAD}{more}
steps:
  servers:
    uses: provision/lxc
    with: {{{provision}}}
  work:
    uses: ssh
    with:
      servers: ${{{{ steps.servers.servers }}}}
      run: {command}
"""


@pytest.fixture(autouse=True)
def nothing_left(request, leftovers):
    """Check after each test that its runs, once destroyed, have left nothing."""
    cli = request.getfixturevalue("cli")
    yield
    cli.stop_all()
    cli.started.clear()
    if cli.home.joinpath("journal.db").exists():
        assert leftovers(cli.home) == []


def said(cli, step: str = "work") -> dict[str, str]:
    """What the command of a step printed on each server."""
    (found,) = [each for each in cli.json("show")["steps"] if each["id"] == step]
    return {each["server"]: each["stdout"] for each in found["outputs"]["results"]}


def servers_of(cli, step: str = "servers") -> dict[str, dict]:
    (found,) = [each for each in cli.json("show")["steps"] if each["id"] == step]
    return {each["name"]: each for each in found["outputs"]["servers"]}


def test_three_containers_answer_know_each_other_and_go_with_their_run(cli, leftovers):
    workflow = cli.workflow(steps("count: 3", "hostname; for each in 1 2 3; do ping -q -c 1 server$each; done"))
    cli.ok("apply", workflow, "--keep")
    printed = said(cli)
    assert [text.split()[0] for text in printed.values()] == ["server1", "server2", "server3"]
    rows = cli.json("resources")
    assert sorted(row["kind"] for row in rows) == ["lxc.network", *["lxc.server"] * 3]
    assert {row["state"] for row in rows} == {"created"}
    assert len(leftovers(cli.home)) > 10  # they are really there, and the check would find them
    (bridge,) = [row["external_id"] for row in rows if row["kind"] == "lxc.network"]
    assert (
        Path(f"/sys/class/net/{bridge}/addr_assign_type").read_text().strip() == "3"
    )  # set, and so it does not change
    for server in servers_of(cli).values():
        assert Path(server["key_file"]).stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" not in "".join(map(str, cli.query("SELECT body FROM event")))
    cli.ok("destroy", "@latest", "--yes")
    assert leftovers(cli.home) == []
    assert cli.json("resources") == []


def test_names_roles_and_static_addresses_are_as_the_file_says(cli):
    kinds = "servers: [{name: controller, role: control, address: 10.214.3.77}, {name: compute, role: work, count: 2}]"
    cli.ok("apply", cli.workflow(steps(f"network: 10.214.3.0/25, {kinds}", "ip -4 -o address show eth0")))
    servers = servers_of(cli)
    assert {name: each["role"] for name, each in servers.items()} == {
        "controller": "control",
        "compute1": "work",
        "compute2": "work",
    }
    assert "10.214.3.77/25" in said(cli)["controller"]
    addresses = {each["host"] for each in servers.values()}
    assert len(addresses) == 3
    assert addresses == {each["networks"]["internal"] for each in servers.values()}


def test_two_runs_at_a_time_get_networks_of_their_own_and_build_nothing_twice(cli, cli_in, tmp_path, leftovers):
    other = cli_in(tmp_path / "other")
    other.directory.mkdir()
    text = steps("count: 1", "ip -4 -o address show eth0")
    runs = [each.start("apply", each.workflow(text)) for each in (cli, other)]
    assert [run.wait(timeout=600) for run in runs] == [0, 0], [run.communicate() for run in runs]
    networks = [re.findall(r"inet (\d+\.\d+\.\d+)\.", said(each)["server1"])[0] for each in (cli, other)]
    assert len(set(networks)) == 2
    assert leftovers(other.home) == []
    other.stop_all()


def test_a_memory_limit_holds(cli):
    eat = "python3 -c 'x = bytearray(200 << 20)'; echo ended with $?"
    cli.ok("apply", cli.workflow(steps("count: 1, memory: 96MiB", eat)))
    assert said(cli)["server1"].splitlines()[-1] == "ended with 137"


def test_a_container_without_a_limit_can_have_that_memory(cli):
    eat = "python3 -c 'x = bytearray(200 << 20)'; echo ended with $?"
    cli.ok("apply", cli.workflow(steps("count: 1", eat)))
    assert said(cli)["server1"].splitlines()[-1] == "ended with 0"


def test_a_limit_of_processor_time_holds(cli):
    burn = """import os, time
began = time.monotonic()
while time.monotonic() - began < 3: pass
print(sum(os.times()[:2]) / 3)"""
    cli.ok("apply", cli.workflow(steps("count: 1, cpus: 0.2", f"python3 -c '{burn}'")))
    assert 0.02 < float(said(cli)["server1"]) < 0.3


@pytest.fixture
def outside() -> Iterator[str]:
    """A machine beyond this one, which has no way back to containers: a network namespace behind a veth."""
    name = "rft-outside"
    run = lambda *words: subprocess.run(["ip", *words], check=True)  # noqa: E731 - a word for five lines
    run("netns", "add", name)
    try:
        run("link", "add", "rft-veth0", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("address", "add", "10.250.17.1/30", "dev", "rft-veth0")
        run("link", "set", "rft-veth0", "up")
        run("-n", name, "address", "add", f"{OUTSIDE}/30", "dev", "eth0")
        run("-n", name, "link", "set", "eth0", "up")
        yield OUTSIDE
    finally:
        run("netns", "delete", name)


@pytest.mark.parametrize(("nat", "reached"), [("true", "0"), ("false", "1")])
def test_with_nat_and_only_then_containers_reach_what_is_beyond_their_host(cli, outside, nat, reached):
    ping = f"ping -q -c 1 -W 2 {outside} >/dev/null; echo $?"
    cli.ok("apply", cli.workflow(steps(f"count: 1, nat: {nat}", ping)))
    assert said(cli)["server1"] == reached


def test_a_port_of_the_host_leads_to_ssh_of_each_container(cli):
    cli.ok("apply", cli.workflow(steps("count: 2, forward_ssh: true")), "--keep")
    found = re.findall(r"port (\d+) of this machine leads to ssh of (server\d)", cli.ok("logs", "@latest", "servers"))
    assert len(dict(found)) == 2
    host = "127.0.0.1" if not (mine := _own_address()) else mine
    for port, _ in found:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            assert connection.recv(8) == b"SSH-2.0-"


def _own_address() -> str:
    shown = json.loads(subprocess.run(["ip", "-j", "-4", "address"], capture_output=True, check=True).stdout)
    return next(each["addr_info"][0]["local"] for each in shown if each["ifname"].startswith("rf-"))


def test_a_snapshot_is_cloned_with_what_was_stored_and_without_who_it_was(cli):
    image = f"test-{cli.directory.name}"
    cli.ok("apply", cli.workflow(steps("count: 1, memory: 256MiB", "echo kept >/root/note")), "--keep")
    first = Path(servers_of(cli)["server1"]["known_hosts"]).read_text().split()[2]
    cli.ok("snapshot", "@latest", "server1", image)
    try:
        assert cli.run("snapshot", "@latest", "server1", image).returncode == 1
        cli.ok("snapshot", "@latest", "server1", image, "--force")
        cli.ok("destroy", "@latest", "--yes")
        show = "cat /root/note; hostname; cat /etc/hostname; wc -l </root/.ssh/authorized_keys"
        cloned = steps(f"servers: [{{name: clone, count: 2}}], image: {image}", show)
        cli.ok("apply", cli.workflow(cloned), "--keep")
        assert said(cli) == {name: f"kept\n{name}\n{name}\n1" for name in ("clone1", "clone2")}
        hosts = Path(servers_of(cli)["clone1"]["known_hosts"]).read_text().splitlines()
        assert len({first, *(line.split()[2] for line in hosts)}) == 3
        (listed,) = [each for each in cli.json("images") if image in each["names"]]
        assert len(listed["containers"]) == 2
        refused = cli.run("images", "--remove", image)
        assert refused.returncode == 1
        assert "RF0663" in refused.stderr
        cli.ok("destroy", "@latest", "--yes")
        assert "openssh-server" in cli.ok("images", "--versions", image)
    finally:
        cli.run("destroy", "@latest", "--yes")
        cli.ok("images", "--remove", image)
    assert not [each for each in cli.json("images") if image in each["names"]]


def test_an_image_that_there_is_not_is_named_with_one_that_is_close(cli):
    done = cli.run("apply", cli.workflow(steps("count: 1, image: no-such-image")))
    assert done.returncode == 4
    assert "RF0662" in done.stderr
    assert "no-such-image" in done.stderr


def test_a_container_that_never_answers_is_named_and_all_of_the_step_is_removed(cli, leftovers):
    seed = "rm /usr/sbin/sshd"
    broken = f"servers: [{{name: one}}, {{name: two}}], seed: ['{seed}'], boot_timeout: 2s"
    done = cli.run("apply", cli.workflow(steps(broken)))
    assert done.returncode == 4
    assert "one" in done.stderr
    assert "two" in done.stderr
    assert cli.query("SELECT DISTINCT state FROM resource") == [("deleted",)]
    assert leftovers(cli.home) == []
    cli.ok("images", "--remove", recipes(LxcInputs(count=1, seed=(seed,)), platform.machine())[-1].digest)


def test_a_seed_command_that_fails_is_an_error_with_its_words_and_leaves_no_image(cli):
    seed = "echo out of luck >&2; exit 3"
    done = cli.run("apply", cli.workflow(steps(f"count: 1, seed: ['{seed}']")))
    assert done.returncode == 4
    assert "RF0661" in done.stderr
    assert "out of luck" in done.stderr
    digest = recipes(LxcInputs(count=1, seed=(seed,)), platform.machine())[-1].digest
    assert digest not in {each["digest"] for each in cli.json("images")}
    assert not list(Path("~/.cache/rallyflow/images").expanduser().glob(f"*{digest}*"))


def test_links_that_a_seed_or_a_container_makes_of_folders_never_lead_to_files_of_the_host(cli, tmp_path):
    (victim := tmp_path / "victim").mkdir()
    for name in ("precious", "authorized_keys"):
        (victim / name).touch()
    image = f"test-{cli.directory.name}"
    seeds = ("cat", f"mkdir -p {victim}; rm -rf /tmp; ln -s {victim} /tmp", "echo done >/etc/seeded")
    linked = f"rm -rf /root/.ssh; ln -s {victim} /root/.ssh; cat /etc/seeded"
    try:
        cli.ok("apply", cli.workflow(steps(f"count: 1, seed: {json.dumps(seeds)}", linked)), "--keep")
        cli.ok("snapshot", "@latest", "server1", image)
        assert said(cli) == {"server1": "done"}  # a command that reads its input does not take the next ones for it
        assert sorted(path.name for path in victim.iterdir()) == ["authorized_keys", "precious"]
    finally:
        cli.run("destroy", "@latest", "--yes")
        for each in (image, recipes(LxcInputs(count=1, seed=seeds), platform.machine())[-1].digest):
            cli.run("images", "--remove", each)


def test_a_network_that_belongs_to_somebody_else_is_refused_and_left_alone(cli, outside):
    done = cli.run("apply", cli.workflow(steps("count: 1, network: 10.250.0.0/16")))
    assert done.returncode == 4
    assert "RF0664" in done.stderr
    assert "10.250.17.0/30" in done.stderr
    assert cli.query("SELECT DISTINCT state FROM resource") == [("deleted",)]
    shown = subprocess.run(["ip", "route", "get", outside], capture_output=True, text=True, check=True).stdout
    assert "rft-veth0" in shown


def test_containers_of_a_run_whose_journal_is_lost_are_found_by_their_names(cli, cli_in, tmp_path, leftovers):
    cli.ok("apply", cli.workflow(steps("count: 2")), "--keep")
    ((run,),) = cli.query("SELECT id FROM run")
    other = cli_in(tmp_path / "other")
    other.directory.mkdir()
    shown = other.json("cleanup", "--lxc", "--run", run, "--dry-run")
    assert sorted(each["kind"] for each in shown["found"]) == ["lxc.network", "lxc.server", "lxc.server"]
    assert shown["removed"] == 0
    assert other.json("cleanup", "--lxc", "--run", run)["removed"] == 3
    assert leftovers(cli.home) == []
    cli.ok("destroy", run, "--yes")  # what is gone already is fine
    assert cli.json("resources") == []


def test_containers_of_a_run_that_goes_on_in_another_home_are_left_alone(cli, cli_in, tmp_path):
    going = cli.start("apply", cli.workflow(steps("count: 1", "while [ ! -e /root/go ]; do sleep 0.1; done")))
    cli.until(going, "SELECT 1 FROM step WHERE id = 'work' AND state = 'running'")
    ((run,),) = cli.query("SELECT id FROM run")
    other = cli_in(tmp_path / "other")
    other.directory.mkdir()
    shown = other.json("cleanup", "--lxc", "--run", run)
    assert (shown["live"], shown["found"], shown["removed"]) == ([run], [], 0)
    cli.ok("cancel", run)
    going.wait()
    assert other.json("cleanup", "--lxc", "--run", run)["found"] == []


def test_a_container_can_have_systemd_and_a_name_as_long_as_names_get(cli):
    name = "s" * 40
    kinds = f"servers: [{{name: {name}}}], init: systemd, packages: [cron]"
    wait = "systemctl is-system-running --wait >/dev/null; systemctl is-active ssh cron; cat /proc/1/comm"
    cli.ok("apply", cli.workflow(steps(kinds, wait, "ttl: 36000d\n")))
    assert said(cli)[name] == "active\nactive\nsystemd"


def test_a_host_is_given_the_packages_that_it_lacks_when_it_is_asked_for(cli):
    text = f"""{HEAD}
steps:
  outer:
    uses: provision/lxc
    with: {{count: 1, nesting: true, nat: true}}
  inner:
    uses: provision/lxc
    with:
      hosts: ${{{{ steps.outer.servers }}}}
      count: 1
      install: true
  work:
    uses: ssh
    with:
      servers: ${{{{ steps.inner.servers }}}}
      run: hostname
"""
    cli.ok("apply", cli.workflow(text))
    assert said(cli) == {"server1": "server1"}
    assert "installing lxc" in cli.ok("logs", "@latest", "inner")
