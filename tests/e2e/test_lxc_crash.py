"""Runs of containers that are killed at every event of their journal, and hosts that lose what is on them."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("lxc_host")]

STATE = Path("/var/lib/rallyflow/lxc")
CACHE = Path("~/.cache/rallyflow/images").expanduser()
WORKFLOW = """
rallyflow: 1
name: crash
steps:
  servers:
    uses: provision/lxc
    with: {count: 2, nat: true}
  work:
    uses: ssh
    with:
      servers: ${{ steps.servers.servers }}
      run: hostname
"""
WORKER_EVENTS = ("resource_intended", "resource_created")
KEPT = """
rallyflow: 1
name: kept
teardown: never
steps:
  servers:
    uses: provision/lxc
    with: {count: 2}
  note:
    uses: ssh
    with:
      servers: ${{ steps.servers.servers }}
      run: date +%s%N >/root/note
  ask:
    uses: approve
    needs: [note]
    with: {message: look}
  read:
    uses: ssh
    needs: [ask]
    with:
      servers: ${{ steps.servers.servers }}
      run: cat /root/note; ping -q -c 1 server1 && ping -q -c 1 server2
"""


@pytest.fixture(autouse=True)
def nothing_left(request, leftovers):
    cli = request.getfixturevalue("cli")
    yield
    cli.stop_all()
    cli.started.clear()
    if cli.home.joinpath("journal.db").exists():
        assert leftovers(cli.home) == []


def killed(cli, fault: str, text: str = WORKFLOW) -> int:
    process = cli.start("apply", cli.workflow(text), RALLYFLOW_FAULT=fault)
    process.communicate(timeout=300)
    return process.returncode


def reset(cli, leftovers) -> None:
    """Check that nothing is left, and begin a home anew."""
    assert cli.query("SELECT count(*) FROM resource WHERE state <> 'deleted'") == [(0,)]
    assert leftovers(cli.home) == []
    subprocess.run(["rm", "-rf", cli.home], check=True)


@pytest.mark.parametrize(("when", "first"), [("kill", 2), ("kill-before", 3)])
def test_after_a_kill_at_any_event_resume_ends_as_a_run_without_one(cli, leftovers, when, first):
    """Once an event is there, and just before it is: each at every other event, which takes half the time."""
    cli.ok("apply", cli.workflow(WORKFLOW))
    (events,) = cli.query("SELECT count(*) FROM event")[0]
    reset(cli, leftovers)
    assert events > 15
    for event in range(first, events + 1, 2):
        if killed(cli, f"{when}:{event}") == -signal.SIGKILL:
            if not cli.home.joinpath("journal.db").exists() or not cli.query("SELECT count(*) FROM run")[0][0]:
                continue
            if cli.query("SELECT state FROM run") != [("succeeded",)]:
                done = cli.run("resume")
                assert done.returncode == 0, (event, done.stderr)
        assert cli.query("SELECT DISTINCT state FROM step") == [("succeeded",)], event
        reset(cli, leftovers)


@pytest.mark.parametrize("kind", WORKER_EVENTS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_after_a_kill_destroy_removes_what_was_half_made(cli, leftovers, kind, number):
    assert killed(cli, f"kill:{kind}@servers#{number}") == -signal.SIGKILL
    assert cli.json("resources")
    cli.ok("destroy", "@latest", "--yes")
    assert leftovers(cli.home) == []


@pytest.mark.parametrize("kind", WORKER_EVENTS)
def test_a_worker_that_dies_costs_one_attempt_and_leaves_nothing(cli, kind):
    workflow = WORKFLOW.replace("    with: {count", "    retry: {attempts: 2, on: [transient]}\n    with: {count")
    cli.ok("apply", cli.workflow(workflow), RALLYFLOW_FAULT=f"kill-worker:{kind}@servers#2")
    assert cli.query("SELECT max(attempt) FROM event WHERE step = 'servers'") == [(2,)]


def test_a_kill_while_containers_are_made_leaves_them_to_be_taken_over(cli):
    assert killed(cli, "kill:resource_created@servers#3", WORKFLOW + "teardown: never\n") == -signal.SIGKILL
    made = {path.name: (path / "upper").stat().st_ino for path in STATE.glob("rf-*") if _is_of(cli, path)}
    assert len(made) == 2
    process = cli.start("resume")
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert made == {path.name: (path / "upper").stat().st_ino for path in STATE.glob("rf-*") if _is_of(cli, path)}
    assert "took over" in cli.query("SELECT json_extract(body, '$.reason') FROM event WHERE kind = 'outcome'")[0][0]


def _is_of(cli, path: Path) -> bool:
    return any(run in path.name for (run,) in cli.query("SELECT id FROM run"))


def test_containers_and_networks_that_a_reboot_took_are_there_again_with_what_was_stored(cli):
    assert cli.run("apply", cli.workflow(KEPT)).returncode == 7
    folders = [path for path in STATE.glob("rf-*") if _is_of(cli, path)]
    notes = {(path / "upper/root/note").read_text() for path in folders}
    for path in folders:
        subprocess.run(["lxc-stop", "-P", STATE, "-n", path.name, "-k"], check=True)
    (bridge,) = cli.query("SELECT json_extract(detail, '$.bridge') FROM resource WHERE kind = 'lxc.network'")[0]
    subprocess.run(["ip", "link", "delete", bridge], check=True)
    cli.ok("approve")
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    (read,) = [each for each in cli.json("show")["steps"] if each["id"] == "read"]
    assert {each["stdout"].splitlines()[0] for each in read["outputs"]["results"]} == {note.strip() for note in notes}
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'servers'") == [(1,)]


def stop_one(cli) -> Path:
    path = next(path for path in STATE.glob("rf-*") if _is_of(cli, path))
    subprocess.run(["lxc-stop", "-P", STATE, "-n", path.name, "-k"], check=True)
    return path


def test_a_container_that_is_started_again_is_reached_at_once_by_those_that_knew_it(cli):
    greet = "for each in server1 server2; do ping -q -c 1 -W 2 $each || exit; done; cat /sys/class/net/eth0/address"
    text = KEPT.replace("date +%s%N >/root/note", greet)
    text = text.replace("cat /root/note; ping -q -c 1 server1 && ping -q -c 1 server2", greet)
    assert cli.run("apply", cli.workflow(text)).returncode == 7
    stop_one(cli)
    cli.ok("approve")
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    steps = {
        each["id"]: each["outputs"]["results"] for each in cli.json("show")["steps"] if each["id"] in ("note", "read")
    }
    first, second = ([each["stdout"].splitlines()[-1] for each in steps[name]] for name in ("note", "read"))
    assert first == second
    assert len(set(first)) == 2


def test_a_container_of_an_older_version_starts_again_as_well(cli):
    assert cli.run("apply", cli.workflow(KEPT)).returncode == 7
    file = stop_one(cli) / "config"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if ".hwaddr" not in line))
    cli.ok("approve")
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'servers'") == [(1,)]


def test_a_container_that_is_gone_makes_its_step_run_again(cli):
    assert cli.run("apply", cli.workflow(KEPT)).returncode == 7
    subprocess.run(["rm", "-rf", stop_one(cli)], check=True)
    cli.ok("approve")
    cli.run("resume")
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'servers'") == [(2,)]


def test_a_container_whose_monitor_was_killed_goes_as_well(cli, leftovers):
    cli.ok("apply", cli.workflow(WORKFLOW), "--keep")
    (name,) = cli.query("SELECT name FROM resource WHERE kind = 'lxc.server'")[0]
    kill_monitor(name)
    cli.ok("destroy", "@latest", "--yes")
    assert leftovers(cli.home) == []


def kill_monitor(name: str) -> None:
    (monitor,) = [pid for pid, command in commands() if command.startswith("[lxc monitor]") and name in command]
    os.kill(monitor, signal.SIGKILL)


def groups_of(name: str) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"*/lxc.*.{name}*"))


def test_a_monitor_that_is_killed_again_and_again_leaves_no_control_groups(cli, eventually):
    assert cli.run("apply", cli.workflow(KEPT)).returncode == 7
    (name,) = cli.query("SELECT name FROM resource WHERE kind = 'lxc.server'")[0]
    before = set(groups_of(name))
    for _ in range(2):
        kill_monitor(name)
        eventually(lambda: first_process(name) == "")
        assert cli.run("resume").returncode == 7
        assert first_process(name)
        assert set(groups_of(name)) == before
    for each in before:  # as a version before this one may have left them
        each.with_name(f"{each.name}-1").mkdir()
    cli.ok("destroy", "@latest", "--yes")
    assert groups_of(name) == []


def test_a_kill_while_an_image_is_built_leaves_no_process_no_mount_and_no_image(cli, eventually):
    seconds = f"{os.getpid()}{cli.directory.stat().st_ino}"  # a sleep that nobody else sleeps
    text = WORKFLOW.replace("{count: 2, nat: true}", f"{{count: 1, seed: [sleep {seconds}]}}")
    before = set(CACHE.glob(".*.making"))
    process = cli.start("apply", cli.workflow(text))
    eventually(lambda: any(seconds in command for _, command in commands() if command.startswith("sleep")), seconds=90)
    cli.kill(process)
    eventually(lambda: not any(seconds in command for _, command in commands()))
    assert ".making" not in Path("/proc/mounts").read_text()
    cli.ok("destroy", "@latest", "--yes")
    for folder in set(CACHE.glob(".*.making")) - before:  # which the next build of this image would remove
        subprocess.run(["rm", "-rf", "--one-file-system", folder], check=True)


def is_underway(cli, what: str) -> bool:
    """Whether the making of something has begun, as the machine itself shows it."""
    try:
        ((run,),) = cli.query("SELECT id FROM run")
        rows = dict(cli.query("SELECT kind, json_extract(detail, '$.bridge') FROM resource ORDER BY kind DESC"))
    except (sqlite3.Error, ValueError):
        return False
    if what == "monitor":
        return any(f"rf-{run}" in command for _, command in commands() if command.startswith("[lxc monitor]"))
    if what == "complete":
        return any('"complete": true' in text_of(file) for file in STATE.glob(f"rf-{run}-*/server.json"))
    files = {
        "record": f"/var/lib/rallyflow/networks/{rows.get('lxc.network')}.json",
        "bridge": f"/sys/class/net/{rows.get('lxc.network')}",
        "folder": f"{STATE}/rf-{run}-*",
        "configuration": f"{STATE}/rf-{run}-*/config",
    }
    return bool(list(Path("/").glob(files[what][1:])))


def text_of(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:  # it is not there yet, or not any more
        return ""


@pytest.mark.parametrize("what", ["record", "bridge", "folder", "configuration", "monitor", "complete"])
@pytest.mark.parametrize("then", ["destroy", "resume"])
def test_a_kill_of_all_processes_in_the_middle_of_a_call_leaves_nothing_either(cli, leftovers, eventually, what, then):
    process = cli.start("apply", cli.workflow(WORKFLOW))
    eventually(lambda: is_underway(cli, what) or process.poll() is not None, seconds=90)
    cli.kill(process)
    if then == "resume":
        done = cli.run("resume")
        assert done.returncode == 0, done.stderr
        assert cli.query("SELECT DISTINCT state FROM step") == [("succeeded",)]
    else:
        cli.ok("destroy", "@latest", "--yes")
    assert leftovers(cli.home) == []


SNAPSHOT = """
rallyflow: 1
name: copied
steps:
  servers:
    uses: provision/lxc
    with: {count: 1}
  fill:
    uses: ssh
    with:
      servers: ${{ steps.servers.servers }}
      run: head -c 800M /dev/zero >/root/blob
"""


@pytest.mark.parametrize(
    ("when", "number", "group"),
    [
        ("stopping", signal.SIGINT, True),
        ("copying", signal.SIGINT, True),
        ("copying", signal.SIGTERM, False),
        ("copying", signal.SIGKILL, True),
    ],
)
def test_a_snapshot_that_is_ended_starts_its_container_again(cli, eventually, when, number, group):
    cli.ok("apply", cli.workflow(SNAPSHOT), "--keep")
    ((name,),) = cli.query("SELECT name FROM resource WHERE kind = 'lxc.server'")
    process = cli.start("snapshot", "@latest", "server1", f"test-{cli.directory.name}")
    read_until(process, when)
    before = first_process(name)
    (os.killpg if group else os.kill)(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    eventually(lambda: first_process(name) not in {"", before} and "start_again" not in record_of(name), seconds=20)
    cli.ok("destroy", "@latest", "--yes")
    assert not list(CACHE.glob(".golden-*.making"))


@pytest.mark.parametrize("then", ["snapshot", "destroy"])
def test_after_a_kill_of_the_snapshot_on_the_host_itself_the_next_one_starts_the_container(cli, eventually, then):
    image = f"test-{cli.directory.name}"
    cli.ok("apply", cli.workflow(SNAPSHOT), "--keep")
    ((name,),) = cli.query("SELECT name FROM resource WHERE kind = 'lxc.server'")
    process = cli.start("snapshot", "@latest", "server1", image)
    read_until(process, "copying")
    eventually(lambda: any(CACHE.glob(".golden-*.making/rootfs/root/blob")), seconds=20)
    for pid in agents_of(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert first_process(name) == ""
    assert "start_again" in record_of(name)
    half_made = set(CACHE.glob(".golden-*.making"))
    assert half_made
    try:
        if then == "snapshot":
            cli.ok("snapshot", "@latest", "server1", image)
            assert first_process(name)
            assert "start_again" not in record_of(name)
    finally:
        cli.ok("destroy", "@latest", "--yes")
        cli.run("images", "--remove", image)
    assert not half_made & set(CACHE.glob(".golden-*.making"))


def read_until(process: subprocess.Popen[str], word: str) -> None:
    """Read what a snapshot says, which is on its error output, until a word of it."""
    assert process.stderr
    assert any(line.startswith(word) for line in process.stderr)


def first_process(name: str) -> str:
    """Return the first process of a container; nothing when it does not run."""
    words = ["lxc-info", "-P", str(STATE), "-n", name, "-p", "-H"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def record_of(name: str) -> str:
    return (STATE / name / "server.json").read_text()


def agents_of(ancestor: int) -> list[int]:
    """Return the agents that a process, or one that it has started, works with."""
    parents = {pid: parent_of(pid) for pid, _ in commands()}
    found = [pid for pid, command in commands() if command.startswith("python3") and "agent.entry" in command]
    return [pid for pid in found if ancestor in ancestors_of(pid, parents)]


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return 0


def ancestors_of(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def commands() -> Iterator[tuple[int, str]]:
    """Every process with its command line."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            yield int(process.name), (process / "cmdline").read_bytes().decode(errors="replace")
