"""The lines of `apply --json` and its like, of real runs, against the schema that is checked in."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import jsonschema

from rallyflow import eventlines

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "events.json").read_text()))

MIXED = """
rallyflow: 1
name: mixed
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  cells: {uses: shell, matrix: {n: [1, 2]}, with: {run: "echo ${{ matrix.n }}"}}
  listed: {uses: noop, foreach: [a, b], with: {value: "${{ item }}"}}
  flaky:
    uses: shell
    retry: {attempts: 2, delay: 1ms, on: [permanent]}
    with: {run: "test -e mark || { touch mark; exit 1; }"}
  load:
    uses: benchmark
    with: {scenario: dummy.dummy, args: {sleep: 0.01}, load: {constant: {iterations: 100, concurrency: 2}}}
  bad: {uses: shell, on_failure: continue, with: {run: "exit 3"}}
  skipped: {uses: noop, if: "${{ false }}"}
  asked: {uses: approve, needs: [bad, load, flaky], with: {message: go on?, input: {users: {type: int}}}}
  held: {uses: shell, needs: [asked], with: {run: "while test -e hold; do sleep 0.02; done"}}
"""
HELD = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'held'"


def checked(text):
    """Return the lines of an output, once each has been found to be as its schema and its model say."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert [error.message for error in VALIDATOR.iter_errors(line)] == [], line
        assert set(line) <= set(eventlines.TYPES[line["type"]].model_fields), line
    return lines


def types(lines):
    return {line["type"] for line in lines}


def test_every_line_of_runs_of_all_kinds_is_as_the_schema_says(cli):
    path = cli.workflow(MIXED)
    first = cli.run("apply", path, "--json")
    assert first.returncode == 7
    cli.ok("approve", "@latest", "asked", "-p", "users=5")
    (cli.directory / "hold").touch()
    second = cli.start("resume", "--json")
    cli.until(second, HELD)
    cli.kill(second)
    third = cli.start("resume", "--json")
    cli.until(third, HELD.replace("(*)", "(*) = 2"))
    cli.ok("cancel", "--json")
    (cli.directory / "hold").unlink()
    last = cli.run("resume", "--json")
    assert last.returncode == 4
    printed = [line for text in (first.stdout, third.communicate(timeout=60)[0], last.stdout) for line in checked(text)]
    watched = checked(cli.run("watch", "--json").stdout)
    assert types(printed) & types(watched) >= {
        *("run_created", "run_resumed", "run_ended", "intent", "outcome", "retry", "expanded", "settled"),
        *("reopened", "interrupted", "stop_asked", "teardown", "removed"),
    }
    assert "answered" in types(watched)
    assert "progress" in types(printed)


def test_the_lines_of_a_watcher_end_with_the_death_of_the_run(cli):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(MIXED.replace("needs: [asked], ", "")), "--json")
    cli.until(process, HELD)
    cli.kill(process)
    done = cli.run("watch", "--json")
    assert done.returncode == 130
    assert checked(done.stdout)[-1]["type"] == "run_dead"


def test_what_can_not_begin_is_a_line_as_well(cli):
    done = cli.run("apply", cli.workflow("rallyflow: 1\nname: x\nsecrets: [a]\nsteps: {a: {uses: noop}}\n"), "--json")
    (line,) = checked(done.stdout)
    assert (line["type"], line["run"], line["code"]) == ("error", "", "RF0101")


def test_ctrl_c_is_a_line_here_and_for_those_who_watch(cli):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(MIXED.replace("needs: [asked], ", "")), "--json")
    cli.until(process, HELD)
    process.send_signal(signal.SIGINT)
    (cli.directory / "hold").unlink()
    printed = checked(process.communicate(timeout=60)[0])
    watched = checked(cli.run("watch", "--json").stdout)
    asked = [[line for line in lines if line["type"] == "stop_asked"] for lines in (printed, watched)]
    assert asked[0] == asked[1]
    assert [(line["stage"], line["signal"]) for line in asked[0]] == [(1, True)]


HELD_ONLY = """
rallyflow: 1
name: held
steps:
  held: {uses: shell, with: {run: "while test -e hold; do sleep 0.02; done"}}
  after: {uses: shell, needs: [held], with: {run: "exit 3"}}
"""


def test_a_run_goes_on_when_nobody_reads_its_lines_any_more(cli):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(HELD_ONLY), "--json")
    assert checked(process.stdout.readline())[0]["type"] == "run_created"
    process.stdout.close()
    (cli.directory / "hold").unlink()
    said = process.stderr.read()
    assert process.wait(60) == 4
    assert "the run goes on" in said
    assert dict(cli.query("SELECT id, state FROM step")) == {"held": "succeeded", "after": "errored"}


def test_a_run_goes_on_when_nobody_listens_to_its_talk_any_more(cli):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(HELD_ONLY))
    process.stderr.readline()
    process.stderr.close()
    (cli.directory / "hold").unlink()
    assert process.wait(60) == 4
    assert cli.query("SELECT state FROM run") == [("errored",)]


def test_lines_come_one_by_one_while_the_run_goes_on(cli):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(HELD_ONLY), "--json")
    seen = [checked(process.stdout.readline())[0]["type"] for _ in range(2)]
    assert seen == ["run_created", "intent"]
    assert process.poll() is None
