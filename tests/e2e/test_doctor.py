"""`rallyflow doctor`: the machine, and a home that was damaged in every way we can think of."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

WORKFLOW = """
rallyflow: 1
name: sound
steps:
  list: {uses: noop, with: {value: [1, 2]}}
  each: {uses: noop, foreach: "${{ steps.list.value }}", with: {value: "${{ item }}"}}
  fails: {uses: shell, retry: {attempts: 2, delay: 1ms, on: [permanent]}, with: {run: "exit 3"}, on_failure: continue}
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  boot:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 8, concurrency: 2}}
"""
MEASURED = "SELECT count(*) FROM part WHERE tbl = 'iterations'"


def change(cli, *statements):
    with closing(sqlite3.connect(cli.home / "journal.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def rows(cli):
    return {table: cli.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in ("run", "step", "resource", "part")}


def damage(cli):
    done = cli.run("doctor", "--fsck")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "--fix" in done.stderr
    return done.stdout


@pytest.fixture
def sound(cli):
    """A home in which a run has ended."""
    cli.run("apply", cli.workflow(WORKFLOW))
    return cli


def test_the_machine_is_looked_at_before_there_is_a_home(cli):
    found = {check["name"]: check for check in cli.json("doctor")["checks"]}
    assert list(found) == [
        "python",
        "libcurl",
        "disk space",
        "disk speed",
        "file system",
        "clock",
        "journal",
        "clouds.yaml",
    ]
    assert {check["state"] for check in found.values()} <= {"ok", "warn"}
    assert "none yet" in found["journal"]["text"]
    assert not cli.home.exists()
    assert cli.run("doctor", "--fsck").returncode == 1


def test_clouds_yaml_is_looked_at(cli):
    file = cli.directory / "clouds.yaml"
    for text, mode, state, said in (
        ("clouds: {mine: {}}", 0o600, "ok", "mine"),
        ("clouds: {mine: {}}", 0o644, "warn", "mine"),
        ("clouds: [", 0o600, "warn", "can't be read"),
        ("[]", 0o600, "warn", "can't be read"),
    ):
        file.write_text(text)
        file.chmod(mode)
        (check,) = (each for each in cli.json("doctor")["checks"] if each["name"] == "clouds.yaml")
        assert (check["state"], said in check["text"]) == (state, True)


def test_a_journal_that_does_not_fit_fails_the_check(cli):
    cli.ok("apply", cli.workflow("rallyflow: 1\nname: x\nsteps: {a: {uses: noop}}\n"))
    change(cli, "UPDATE event SET time_ns = time_ns + 86400000000000")
    assert " min later" in cli.ok("doctor")
    change(cli, "PRAGMA user_version = 99")
    done = cli.run("doctor")
    assert done.returncode == 1
    assert "newer rallyflow" in done.stdout
    (cli.home / "journal.db").write_bytes(b"no database" * 1000)
    done = cli.run("doctor")
    assert done.returncode == 1
    assert "damaged" in done.stdout
    assert "Traceback" not in done.stderr
    (cli.home / "journal.db").unlink()


def test_a_home_of_an_older_version_is_no_damage_before_and_after_its_killed_run_has_gone_on(cli):
    with tarfile.open(Path(__file__).with_name("data") / "home-of-journal-2.tar.gz") as archive:
        archive.extractall(cli.directory, filter="data")
    assert {check["name"]: check["state"] for check in cli.json("doctor")["checks"]}["journal"] == "warn"
    found = cli.json("doctor", "--fsck")
    assert (found["clean"], [each["kind"] for each in found["findings"]]) == (True, ["dead"])
    cli.ok("resume")
    assert cli.json("doctor", "--fsck")["findings"] == []
    change(cli, "UPDATE step SET state = 'failed'")
    assert "but the events say 'succeeded'" in damage(cli)
    cli.ok("doctor", "--fsck", "--fix")
    assert set(cli.query("SELECT state FROM step")) == {("succeeded",)}


def test_a_home_hangs_together_after_a_run_and_after_a_kill(sound):
    assert "hangs together: 1 run," in sound.run("doctor", "--fsck").stderr
    (first,) = (each["run"] for each in sound.json("runs"))
    process = sound.start("apply", sound.workflow(WORKFLOW.replace("iterations: 8", "iterations: 100000")))
    sound.until(process, f"{MEASURED} AND run <> '{first}'")
    live = sound.json("doctor", "--fsck")
    assert live["clean"]
    sound.kill(process)
    run = sound.json("runs")[-1]["run"]
    done = sound.run("doctor", "--fsck")
    assert done.returncode == 0, done.stdout
    assert f"no process works on run {run}" in done.stdout
    assert f"of run {run} may still be there" in done.stdout
    sound.ok("destroy", run, "--yes")
    assert sound.json("doctor", "--fsck")["clean"]


def test_damaged_tables_are_named_and_built_anew_from_the_events(sound):
    before, events = rows(sound), sound.query("SELECT * FROM event")
    change(
        sound,
        "UPDATE step SET state = 'errored', outputs = '{}' WHERE id = 'boot'",
        "DELETE FROM step WHERE id LIKE 'each[%'",
        "UPDATE resource SET state = 'created' WHERE kind = 'embedded.cloud'",
        "DELETE FROM part",
        "DELETE FROM run",
    )
    said = damage(sound)
    for what in (
        "boot: state is 'errored', but the events say 'succeeded'",
        "each[item=1]: is not there",
        "resource 1: state",
    ):
        assert what in said
    fixed = sound.ok("doctor", "--fsck", "--fix")
    assert "built the tables of 1 run anew" in fixed
    assert rows(sound) == before
    assert sound.query("SELECT * FROM event") == events
    assert sound.json("doctor", "--fsck") == {"clean": True, "findings": [], "fixed": [], "left": None}


def test_parts_that_can_not_be_used_are_dropped_and_unbooked_files_removed(sound):
    folder = next(iter(sound.home.glob("runs/*/results/boot/1")))
    stray = folder / "iterations-9.parquet"
    for path in folder.glob("iterations-*.parquet"):
        stray.write_bytes(path.read_bytes())
        path.write_bytes(path.read_bytes()[:-100])
    (folder / "half.tmp").write_bytes(b"x")
    next(iter(folder.glob("actions*.parquet"))).unlink()
    said = damage(sound)
    assert "results/boot/1/iterations" in said
    assert "can't be read" in said
    assert "actions" in said
    assert "is not there" in said
    assert "iterations-9.parquet was never booked" in said
    (sound.home / "results.duckdb").unlink()

    found = sound.json("doctor", "--fsck", "--fix")
    assert found["clean"]
    assert {each["kind"] for each in found["findings"]} == {"part", "stray"}
    assert found["left"] == []
    assert not stray.exists()
    assert not (folder / "half.tmp").exists()
    assert sound.json("sql", "SELECT count(*) AS n FROM iterations") == [{"n": 0}]
    assert (sound.home / "results.duckdb").exists()
    assert sound.query("SELECT count(*) FROM event WHERE kind = 'parts_dropped'") != [(0,)]


def test_a_part_with_another_number_of_rows_is_damage(sound):
    folder = next(iter(sound.home.glob("runs/*/results/boot/1")))
    shutil.copy(next(iter(folder.glob("actions*.parquet"))), next(iter(folder.glob("iterations*.parquet"))))
    assert "rows, but" in damage(sound)


def test_measurements_whose_booking_is_lost_are_not_taken_for_strays(sound):
    before = sorted(sound.home.glob("runs/*/results/boot/1/*"))
    change(
        sound, "DELETE FROM part", "DELETE FROM event WHERE kind = 'parts_booked'", "DELETE FROM event WHERE seq = 2"
    )
    done = sound.run("doctor", "--fsck", "--fix")
    assert done.returncode == 4
    assert "1 events before number 3 are not there" in done.stdout
    assert sorted(sound.home.glob("runs/*/results/boot/1/*")) == before


def test_a_run_whose_folder_is_gone_can_be_fixed(sound):
    (folder,) = sound.home.glob("runs/*")
    shutil.rmtree(folder)
    assert "is not there" in damage(sound)
    sound.ok("doctor", "--fsck", "--fix")
    assert sound.json("runs")[0]["state"] in ("errored", "succeeded")


def test_a_journal_with_damaged_pages_is_salvaged(sound):
    journal = sound.home / "journal.db"
    with closing(sqlite3.connect(journal)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'run'").fetchone()
    content = bytearray(journal.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xaa" * 4096
    journal.write_bytes(bytes(content))
    done = sound.run("doctor", "--fsck")
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "--salvage" in done.stderr + done.stdout

    new = sound.directory / "new.db"
    saved = sound.run("doctor", "--salvage", new)
    assert saved.returncode == 0, saved.stderr
    assert "0 runs" in saved.stderr
    assert sound.run("doctor", "--salvage", new).returncode == 1
    for line in saved.stderr.partition("going on:\n")[2].splitlines()[:3]:
        subprocess.run(line.split(), check=True)
    sound.ok("doctor", "--fsck", "--fix")
    assert [run["name"] for run in sound.json("runs")] == ["sound"]
    assert "boot" in sound.ok("show")


def test_fix_is_for_fsck(cli):
    done = cli.run("doctor", "--fix")
    assert done.returncode == 1
    assert "rallyflow doctor --fsck --fix" in done.stderr


CONTAINERS = """
rallyflow: 1
name: containers
params: {{memory: {{type: size, default: 900TiB}}}}
steps:
  hosts: {{uses: provision/local}}
  servers:
    uses: provision/lxc
    matrix: {{count: [1, 2]}}
    with: {{count: "${{{{ matrix.count }}}}", memory: "${{{{ params.memory }}}}"{more}}}
"""


def test_it_says_what_a_workflow_lacks_on_this_machine(cli):
    path = cli.workflow(CONTAINERS.format(more=""))
    done = cli.run("doctor", path, "--json")
    found = [check for check in json.loads(done.stdout)["checks"] if check["name"].startswith("servers: ")]
    assert done.returncode == 1
    assert {(check["name"], check["state"]) for check in found} == {("servers: containers", "fail")}
    assert found[0]["hint"]
    assert found[0]["text"] in cli.run("doctor", path).stdout
    assert not cli.home.exists(), "it touches nothing"


def test_it_does_not_look_here_for_what_runs_elsewhere(cli):
    path = cli.workflow(CONTAINERS.format(more=', hosts: "${{ steps.hosts.servers }}"'))
    assert not [check for check in cli.json("doctor", path)["checks"] if check["name"].startswith("servers: ")]


@pytest.mark.parametrize("arguments", [("--fsck", "{}"), ("-p", "memory=1GiB"), ("--salvage", "new.db", "{}")])
def test_a_workflow_does_not_go_with_everything(cli, arguments):
    path = cli.workflow(CONTAINERS.format(more=""))
    done = cli.run("doctor", *(each.format(path) for each in arguments))
    assert done.returncode == 1
    assert "workflow" in done.stderr
