"""What disks, clocks and other versions do to a run: it ends as if nothing had been, or says clearly what is wrong."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tarfile
from pathlib import Path

import pytest

LOAD = """
rallyflow: 1
name: load
steps:
  first: {uses: shell, with: {run: echo first}}
  load:
    uses: benchmark
    needs: [first]
    with: {scenario: dummy.dummy, args: {sleep: 0.02}, load: {constant: {iterations: 500, concurrency: 2}}}
  last: {uses: shell, needs: [load], with: {run: echo last}}
"""
BOOKED = "SELECT count(*) FROM part WHERE tbl = 'iterations'"
DATA = Path(__file__).with_name("data")


def counted(cli):
    return cli.json("sql", "SELECT count(*) AS n, count(DISTINCT iteration) AS d FROM iterations")[0]


def check_the_end(cli, iterations=500):
    assert {state for (state,) in cli.query("SELECT state FROM step")} == {"succeeded"}
    assert counted(cli) == {"n": iterations, "d": iterations}


def killed_load(cli):
    """Leave a run that was killed after it had stored some of its iterations."""
    process = cli.start("apply", cli.workflow(LOAD))
    cli.until(process, BOOKED)
    cli.kill(process)


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "garbage"])
@pytest.mark.parametrize("table", ["iterations", "actions"])
def test_a_torn_part_costs_its_iterations_which_are_measured_again(cli, damage, table):
    killed_load(cli)
    ((booked,),) = cli.query(f"SELECT path FROM part WHERE tbl = '{table}' ORDER BY path LIMIT 1")
    part = cli.home / booked
    content = part.read_bytes()
    if damage == "gone":
        part.unlink()
    else:
        part.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "garbage": b"x" * len(content)}[damage])
    cli.ok("resume")
    check_the_end(cli)
    assert "damaged or missing" in cli.ok("logs", "@latest", "load")
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'parts_dropped'") == [(1,)]


def test_a_part_that_was_never_booked_and_a_half_written_one_do_not_count(cli):
    killed_load(cli)
    (part,) = sorted(cli.home.glob("runs/*/results/load/1/iterations-*.parquet"))[:1]
    part.with_name("iterations-9-9.parquet").write_bytes(part.read_bytes())
    part.with_name("iterations-9-8.tmp").write_bytes(part.read_bytes()[:100])
    cli.ok("resume")
    check_the_end(cli)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_torn_log_of_the_journal_loses_its_last_events_and_no_more(cli, gone, damage, seed):
    killed_load(cli)
    gone(cli.directory)  # whoever still has the journal open knows what was in the log
    log = cli.home / "journal.db-wal"
    content = bytearray(log.read_bytes())
    chance = random.Random(seed)  # noqa: S311 - the same places each time
    created = content.find(b"run_created")
    place = chance.randrange(max(created, len(content) // 2), len(content))
    if damage == "cut":
        del content[place:]
    else:
        content[place] ^= 0xFF
    log.write_bytes(bytes(content))
    cli.ok("resume")
    check_the_end(cli)


def test_a_damaged_page_of_the_journal_is_said_with_what_to_do(cli):
    cli.ok("apply", cli.workflow(LOAD.replace("500", "3")))
    with sqlite3.connect(cli.home / "journal.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    journal = cli.home / "journal.db"
    content = bytearray(journal.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    journal.write_bytes(bytes(content))
    for verb in ("runs", "resume", "show", "resources"):
        refused = cli.run(verb)
        assert refused.returncode == 4, refused.stderr
        assert "RF0503" in refused.stderr
        assert "hint" in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.fixture
def older(cli):
    """A home of the second version of the journal, with a run that ended and one that was killed in its benchmark."""
    with tarfile.open(DATA / "home-of-journal-2.tar.gz") as archive:
        archive.extractall(cli.directory, filter="data")
    return cli


def test_a_home_of_an_older_version_is_brought_up_to_date_and_its_killed_run_goes_on(older):
    assert older.query("PRAGMA user_version") == [(2,)]
    assert [run["state"] for run in older.json("runs")] == ["succeeded", "dead"]
    before = counted(older)["n"]
    assert 0 < before < 400
    older.ok("resume")
    assert counted(older) == {"n": 400, "d": 400}
    assert {state for (state,) in older.query("SELECT state FROM step")} == {"succeeded"}
    assert older.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'first'") == [(1,)]
    took = {step["id"]: step["took_ns"] for step in older.json("show")["steps"]}
    assert all(took.values())
    assert "attempt 2" in older.ok("why", "@latest", "load")


def test_a_home_of_a_newer_version_is_left_alone(cli):
    cli.ok("apply", cli.workflow(LOAD.replace("500", "3")))
    with sqlite3.connect(cli.home / "journal.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    refused = cli.run("resume")
    assert refused.returncode == 4
    assert "newer rallyflow" in refused.stderr


STEPPED = """
rallyflow: 1
name: stepped
steps:
  flaky:
    uses: shell
    retry: {attempts: 2, delay: 200ms, on: [permanent]}
    with: {run: "echo x >> tries; test $(wc -l < tries) = 2"}
  load:
    uses: benchmark
    needs: [flaky]
    with: {scenario: dummy.dummy, args: {sleep: 0.02}, load: {constant: {iterations: 500, concurrency: 2}}}
  last: {uses: shell, needs: [load], with: {run: date +%Y}}
"""


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory):
    """A library that steps the clock of the processes that preload it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: Debian's package gcc")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.parametrize("days", [-400, 400])
@pytest.mark.parametrize("how", ["while it runs", "between kill and resume"])
def test_a_clock_that_is_stepped_changes_nothing_but_the_dates(cli, clock_library, days, how):
    clock = cli.directory / "clock"
    clock.write_text("0\n")
    step = days * 86400
    faked = {"LD_PRELOAD": str(clock_library), "STEPPED_CLOCK": str(clock)}
    process = cli.start("apply", cli.workflow(STEPPED), **faked)
    cli.until(process, BOOKED)
    if how == "while it runs":
        clock.write_text(f"{step}\n")
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    else:
        cli.kill(process)
        clock.write_text(f"{step}\n")
        done = cli.run("resume", **faked)
        assert done.returncode == 0, done.stderr
    check_the_end(cli)
    assert all(0 < step["took_ns"] < 60e9 for step in cli.json("show")["steps"])
    longest = cli.json("sql", "SELECT max(duration_s) AS longest, min(duration_s) AS shortest FROM iterations")[0]
    assert 0 <= longest["shortest"] <= longest["longest"] < 10
    second = cli.run("apply", cli.workflow(LOAD.replace("500", "3")))  # the dates of its run are before, or behind
    assert second.returncode == 0, second.stderr
    assert cli.json("show", "@latest")["name"] == "load"


SMALL = """
rallyflow: 1
name: small
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  load:
    uses: benchmark
    needs: [cloud]
    with: {scenario: dummy.dummy, args: {sleep: 0.001}, load: {constant: {iterations: 500, concurrency: 2}}}
  report: {uses: report/html, with: {of: "${{ steps.load.results }}"}}
"""


def resize(folder, kibibytes, *, mounted):
    options = f"size={kibibytes}k"
    command = ["mount", "-o", f"remount,{options}"] if mounted else ["mount", "-t", "tmpfs", "-o", options, "tmpfs"]
    return subprocess.run([*command, str(folder)], capture_output=True, check=False).returncode == 0


@pytest.fixture
def tiny(cli):
    """A home on a file system of its own, whose size the test sets."""
    cli.home.mkdir()
    if os.getuid() != 0 or not resize(cli.home, 64, mounted=False):
        pytest.skip("needs the right to mount a tmpfs")
    yield cli
    cli.stop_all()
    subprocess.run(["umount", "-l", str(cli.home)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
def test_a_disk_that_is_full_at_any_write_costs_nothing_that_was_booked(tiny, gone, share):
    for size in range(16 + 24 * share, 1600, 24 * 4):
        for left in tiny.home.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        assert resize(tiny.home, size, mounted=True)
        done = tiny.run("apply", tiny.workflow(SMALL))
        assert "Traceback" not in done.stderr, done.stderr
        if done.returncode == 0:
            break
        assert done.returncode == 4, done.stderr
        assert "no space left" in done.stderr, done.stderr
        gone(tiny.directory)
        assert resize(tiny.home, 64 * 1024, mounted=True)
        begun = (tiny.home / "journal.db").exists() and tiny.run("runs", "--json").stdout.strip() not in ("", "[]")
        again = tiny.run("resume") if begun else tiny.run("apply", tiny.workflow(SMALL))
        if begun and "nothing to resume" in again.stderr:
            continue
        assert again.returncode == 0, f"{size}: {done.stderr}\n{again.stderr}"
        check_the_end(tiny)
        assert tiny.query("SELECT count(*) FROM resource WHERE state <> 'deleted'") == [(0,)]
    gone(tiny.directory)


def test_the_engine_ends_cleanly_when_its_terminal_goes_away(cli, gone):
    process = cli.start("apply", cli.workflow(LOAD))
    cli.until(process, BOOKED)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    gone(cli.directory)
    assert process.returncode in (130, 0)  # it may just have come to its end
    if process.returncode:
        assert cli.query("SELECT state FROM run") == [("interrupted",)]
        cli.ok("resume")
    check_the_end(cli)


def test_a_journal_that_is_removed_while_a_run_goes_on_ends_it_and_what_it_made(cli, gone):
    text = SMALL.replace("500", "100000").replace("0.001", "0.01")
    process = cli.start("apply", cli.workflow(text), "--keep")
    cli.until(process, BOOKED)
    for file in cli.home.glob("journal.db*"):
        file.unlink()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "RF0504" in said
    gone(cli.directory)
    assert not list(cli.home.glob("runs/*/artifacts/cloud/state"))
