"""Going on with an edited workflow, running a run again, and saying why."""

from __future__ import annotations

import json
import time

import pytest

WORKFLOW = """
rallyflow: 1
name: edited
params:
  users: {type: list(int), default: [1, 2]}
  pace: {type: duration, default: 1ms}
steps:
  list: {uses: shell, with: {run: "echo listed >> trace; echo a b"}}
  each:
    foreach: "${{ steps.list.stdout | split }}"
    uses: shell
    with: {run: "echo each-${{ item }} >> trace"}
  load:
    uses: benchmark
    matrix: {users: "${{ params.users }}"}
    with:
      scenario: dummy.dummy
      args: {sleep: "${{ params.pace }}"}
      load: {constant: {iterations: 20, concurrency: "${{ matrix.users }}"}}
  judge: {uses: shell, needs: [each], with: {run: "echo judged >> trace; test -e good"}}
  last: {uses: shell, needs: [judge, load], with: {run: "echo last >> trace"}}
"""


def trace(cli):
    """What ran since the last look."""
    file = cli.directory / "trace"
    words = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return words


def steps_of(cli, run="@latest"):
    return {step["id"]: step for step in cli.json("show", run)["steps"]}


def run_ids(cli):
    return [run["run"] for run in cli.json("runs")]


def measured(cli):
    rows = cli.json("sql", "SELECT run, step, attempt, count(*) AS n FROM iterations GROUP BY ALL ORDER BY ALL")
    return {(row["run"], row["step"], row["attempt"]): row["n"] for row in rows}


@pytest.fixture
def failed(cli):
    """A run in which `judge` could not be done, and `last` was skipped."""
    done = cli.run("apply", cli.workflow(WORKFLOW))
    assert done.returncode == 4
    assert trace(cli) == ["each-a", "each-b", "judged", "listed"]
    return run_ids(cli)[0]


def test_resume_with_an_edited_file_runs_what_has_changed_and_what_comes_after_it(cli, failed):
    edited = WORKFLOW.replace("echo each-${{ item }}", "echo every-${{ item }}").replace("test -e good", "true")
    done = cli.run("resume", "--with", cli.workflow(edited))
    assert done.returncode == 0, done.stderr
    assert "each" in done.stderr
    assert "with.run: echo each-${{ item }} >> trace -> echo every-${{ item }} >> trace" in done.stderr
    assert trace(cli) == ["every-a", "every-b", "judged", "last"]
    steps = steps_of(cli)
    assert {step["state"] for step in steps.values()} == {"succeeded"}
    assert [steps[name]["attempt"] for name in ("list", "load[users=1]", "each[item=a]", "judge", "last")] == [
        1,
        1,
        1,
        2,
        1,
    ]
    assert run_ids(cli) == [failed]
    assert cli.query("SELECT plan, sessions FROM run") == [("plan-2.json", 2)]


def test_resume_with_new_and_removed_cells_measures_only_the_new_ones(cli, failed):
    edited = WORKFLOW.replace("[1, 2]", "[2, 3]").replace("test -e good", "true")
    cli.ok("resume", "--with", cli.workflow(edited))
    assert sorted(step for step in steps_of(cli) if step.startswith("load")) == ["load[users=2]", "load[users=3]"]
    assert measured(cli) == {(failed, "load[users=2]", 1): 20, (failed, "load[users=3]", 1): 20}
    assert trace(cli) == ["judged", "last"]


def test_a_changed_benchmark_forgets_what_it_measured_before(cli, failed):
    (cli.directory / "good").touch()
    cli.ok("resume", "--with", cli.workflow(WORKFLOW), "-p", "pace=2ms")
    assert measured(cli) == {(failed, "load[users=1]", 2): 20, (failed, "load[users=2]", 2): 20}
    assert cli.json("show")["params"]["pace"] == 0.002
    assert "with.args.sleep: 0.001 -> 0.002" in cli.ok("why", failed, "load[users=1]")


def test_an_interrupted_benchmark_that_was_not_changed_keeps_what_it_measured(cli):
    slow = WORKFLOW.replace("iterations: 20", "iterations: 400").replace("1ms", "20ms").replace("test -e good", "true")
    process = cli.start("apply", cli.workflow(slow))
    cli.until(process, "SELECT count(*) FROM part WHERE tbl = 'iterations' AND step = 'load[users=1]'")
    cli.kill(process)
    trace(cli)
    cli.ok("resume", "--with", cli.workflow(slow.replace("echo last", "echo end")))
    counts = measured(cli)
    assert sum(n for (_, step, _), n in counts.items() if step == "load[users=1]") == 400
    assert {attempt for _, step, attempt in counts if step == "load[users=1]"} == {1, 2}
    assert "end" in trace(cli)


def test_a_file_that_asks_for_nothing_new_is_refused_and_changes_nothing(cli):
    (cli.directory / "good").touch()
    cli.ok("apply", cli.workflow(WORKFLOW))
    events = cli.query("SELECT count(*) FROM event")
    refused = cli.run("resume", "--with", cli.workflow(WORKFLOW))
    assert refused.returncode == 1
    assert "nothing of run" in refused.stderr
    assert cli.query("SELECT count(*) FROM event") == events


def test_a_broken_file_is_refused_before_anything_happens(cli, failed):
    refused = cli.run("resume", "--with", cli.workflow(WORKFLOW.replace("uses: shell", "uses: shel")))
    assert refused.returncode == 3
    assert cli.query("SELECT plan, sessions FROM run") == [("plan.json", 1)]
    assert cli.run("resume", "--with", cli.directory / "missing.yaml").returncode == 1
    assert failed


def test_a_kill_while_a_run_goes_on_with_another_file_loses_neither(cli, failed):
    edited = WORKFLOW.replace("test -e good", "while true; do sleep 0.05; done")
    process = cli.start("resume", "--with", cli.workflow(edited))
    cli.until(process, "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'judge' AND attempt = 2")
    cli.kill(process)
    cli.ok("resume", failed, "--with", cli.workflow(WORKFLOW.replace("test -e good", "true")))
    assert cli.query("SELECT plan FROM run") == [("plan-3.json",)]
    assert {step["state"] for step in steps_of(cli).values()} == {"succeeded"}


def test_plan_says_what_resume_with_a_file_would_do_without_doing_it(cli, failed):
    edited = cli.workflow(WORKFLOW.replace("echo last", "echo end"))
    shown = {step["id"]: step for step in cli.json("plan", edited, "--run", failed)["steps"]}
    assert [shown[name]["action"] for name in ("list", "each[item=a]", "load[users=1]", "judge", "last")] == [
        *("reuse", "reuse", "reuse", "run", "run")
    ]
    assert cli.query("SELECT sessions FROM run") == [(1,)]
    assert trace(cli) == []


@pytest.mark.parametrize(
    ("options", "ran", "new"),
    [
        ([], ["each-a", "each-b", "judged", "last", "listed"], 2),
        (["--failed"], ["judged", "last"], 0),
        (["--from", "judge"], ["judged", "last"], 0),
        (["--from", "each"], ["each-a", "each-b", "judged", "last"], 0),
        (["--from", "each[item=a]"], ["each-a", "judged", "last"], 0),
        (["--only", "judge"], ["judged"], 0),
        (["--only", "load[users=2]"], [], 1),
        (["--only", "last"], ["judged", "last"], 0),
        (["--from", "load"], ["judged", "last"], 2),
    ],
)
def test_a_rerun_runs_what_is_asked_for_and_takes_the_rest_over(cli, failed, options, ran, new):
    (cli.directory / "good").touch()
    done = cli.run("rerun", failed, *options)
    assert done.returncode == 0, done.stderr
    assert trace(cli) == ran
    second = run_ids(cli)[1]
    assert sum(run == second for run, _, _ in measured(cli)) == new
    assert cli.query(f"SELECT parent FROM run WHERE id = '{second}'") == [(failed,)]
    steps = steps_of(cli, second)
    assert {step["state"] for step in steps.values()} == {"succeeded"}
    taken = {name for name, step in steps.items() if step["origin"] == failed}
    assert taken == {name for name, step in steps.items() if step["attempt"] == 0 and step["uses"] != "workflow"}
    assert steps_of(cli, failed)["judge"]["state"] == "errored"


def test_what_comes_after_the_only_step_that_is_run_stays_as_it_was(cli, failed):
    (cli.directory / "good").touch()
    cli.ok("resume", failed)
    trace(cli)
    done = cli.run("rerun", failed, "--only", "judge")
    assert done.returncode == 0, done.stderr
    assert trace(cli) == ["judged"]
    assert steps_of(cli)["last"]["origin"] == failed


def test_a_rerun_of_a_rerun_knows_where_outcomes_came_from(cli, failed):
    (cli.directory / "good").touch()
    cli.ok("rerun", failed, "--failed")
    cli.ok("rerun", "--from", "last")
    assert {step["origin"] for step in steps_of(cli).values()} == {failed, run_ids(cli)[1], None}
    refused = cli.run("rerun", "--failed")
    assert refused.returncode == 1
    assert "has done all of that" in refused.stderr
    assert len(run_ids(cli)) == 3


def test_a_killed_rerun_is_resumed_as_any_run(cli, failed):
    text = WORKFLOW.replace("test -e good", "test -e good || while true; do sleep 0.05; done")
    process = cli.start("rerun", failed, "--with", cli.workflow(text))
    cli.until(process, "SELECT count(*) > 1 FROM event WHERE kind = 'intent' AND step = 'judge'")
    cli.kill(process)
    (cli.directory / "good").touch()
    cli.ok("resume")
    assert {step["state"] for step in steps_of(cli).values()} == {"succeeded"}
    assert "listed" not in trace(cli)


def test_a_step_that_there_is_not_is_named_with_what_was_probably_meant(cli, failed):
    refused = cli.run("rerun", failed, "--from", "jugde")
    assert refused.returncode == 1
    assert "did you mean 'judge'?" in refused.stderr
    assert cli.run("rerun", failed, "--from", "judge", "--failed").returncode == 1
    assert len(run_ids(cli)) == 1


CLOUD = """
rallyflow: 1
name: with-cloud
teardown: never
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  boot:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {constant: {iterations: 4, concurrency: 2}}
  hold: {uses: shell, needs: [boot], with: {run: "while test -e hold; do sleep 0.05; done"}}
"""


def test_a_cloud_that_a_run_left_is_used_again_and_stays_its_own(cli):
    cli.ok("apply", cli.workflow(CLOUD))
    (first,) = run_ids(cli)
    done = cli.run("rerun", "--from", "boot")
    assert done.returncode == 0, done.stderr
    assert "cloud  kept: still answers" in done.stderr
    assert [row["run"] for row in cli.json("resources")] == [first]
    assert steps_of(cli)["cloud"]["origin"] == first
    cli.ok("destroy", first, "--yes")
    again = cli.run("rerun", first, "--from", "boot", "--keep")
    assert "what it made is gone" in again.stderr
    assert again.returncode == 0, again.stderr
    assert steps_of(cli)["cloud"]["origin"] is None
    assert [row["run"] for row in cli.json("resources")] == [run_ids(cli)[2]]


def test_nobody_removes_or_uses_a_cloud_that_another_run_is_using(cli):
    cli.ok("apply", cli.workflow(CLOUD))
    (first,) = run_ids(cli)
    (cli.directory / "hold").touch()
    process = cli.start("rerun", "--from", "boot")
    cli.until(process, "SELECT count(*) > 1 FROM event WHERE kind = 'intent' AND step = 'hold'")
    for refused in (cli.run("destroy", first, "--yes"), cli.run("rerun", first, "--from", "boot")):
        assert refused.returncode == 8
        assert str(process.pid) in refused.stderr
        assert f"rallyflow watch {run_ids(cli)[1]}" in refused.stderr
    assert cli.run("watch", first, timeout=30).returncode == 0, "it has ended, whoever uses what it has left"
    (cli.directory / "hold").unlink()
    assert process.wait(timeout=60) == 0
    cli.ok("destroy", first, "--yes")
    assert cli.json("resources") == []


def test_a_dead_run_whose_cloud_is_in_use_is_still_dead_and_can_not_be_cancelled_just_now(cli):
    (cli.directory / "hold").touch()
    intents = "SELECT count(*) = {} FROM event WHERE kind = 'intent' AND step = 'hold'"
    process = cli.start("apply", cli.workflow(CLOUD))
    cli.until(process, intents.format(1))
    cli.kill(process)
    (first,) = run_ids(cli)
    process = cli.start("rerun", "--only", "hold", "--only", "boot")
    cli.until(process, intents.format(2))
    assert [run["state"] for run in cli.json("runs")] == ["dead", "running"]
    refused = cli.run("cancel", first, timeout=30)
    assert refused.returncode == 8
    assert f"rallyflow cancel {run_ids(cli)[1]}" in refused.stderr
    (cli.directory / "hold").unlink()
    assert process.wait(timeout=60) == 0
    cli.ok("cancel", first)


ACCEPTED = """
rallyflow: 1
name: accepted
steps:
  a: {uses: shell, on_failure: pause, with: {run: "echo a >> trace; false"}}
  b: {uses: shell, needs: [a], with: {run: "echo b >> trace"}}
  c: {uses: shell, needs: [b], with: {run: "echo c >> trace; test -e good"}}
"""


@pytest.fixture
def accepted(cli):
    """A run in which the failure of `a` was accepted, and `c` could not be done."""
    assert cli.run("apply", cli.workflow(ACCEPTED)).returncode == 7
    cli.ok("approve")
    assert cli.run("resume").returncode == 4
    assert trace(cli) == ["a", "b", "c"]


@pytest.mark.usefixtures("accepted")
def test_a_failure_that_was_accepted_stays_so_when_other_steps_are_changed(cli):
    done = cli.run("resume", "--with", cli.workflow(ACCEPTED.replace("test -e good", "true")))
    assert done.returncode == 5, done.stderr
    assert trace(cli) == ["c"]
    assert {name: step["state"] for name, step in steps_of(cli).items()} == {
        "a": "failed",
        "b": "succeeded",
        "c": "succeeded",
    }
    assert cli.run("rerun", "--only", "c").returncode == 5
    assert trace(cli) == ["c"]
    assert cli.run("rerun", "--from", "a").returncode == 7, "the step still pauses when it fails"


@pytest.mark.usefixtures("accepted")
def test_a_rerun_that_was_killed_remembers_what_was_accepted(cli):
    slow = ACCEPTED.replace("test -e good", "test -e good || sleep 600")
    process = cli.start("rerun", "--with", cli.workflow(slow))
    cli.until(process, "SELECT count(*) = 2 FROM event WHERE kind = 'intent' AND step = 'c'")
    cli.kill(process)
    trace(cli)
    (cli.directory / "good").touch()
    assert cli.run("resume").returncode == 5
    assert trace(cli) == ["c"]


@pytest.mark.usefixtures("accepted")
def test_that_a_failure_was_accepted_says_nothing_of_the_failure_of_a_changed_step(cli):
    edited = cli.workflow(ACCEPTED.replace("echo a", "echo other"))
    assert cli.run("resume", "--with", edited).returncode == 7
    assert cli.run("resume").returncode == 7, "nobody has answered: it is tried again"
    assert trace(cli) == ["other", "other"]


def test_a_changed_question_is_asked_anew(cli):
    text = """
rallyflow: 1
name: gate
steps:
  gate: {uses: approve, with: {message: "to staging?"}}
  go: {uses: shell, needs: [gate], with: {run: "echo go >> trace; false"}}
"""
    assert cli.run("apply", cli.workflow(text)).returncode == 7
    cli.ok("approve")
    assert cli.run("resume").returncode == 4
    assert cli.run("resume", "--with", cli.workflow(text.replace("staging", "production"))).returncode == 7
    assert trace(cli) == ["go"]


def test_what_may_not_be_repeated_is_asked_about_also_when_other_steps_are_changed(cli):
    text = """
rallyflow: 1
name: once
steps:
  once: {uses: shell, with: {run: "echo once >> trace; test -e good || sleep 600", repeatable: false}}
  last: {uses: shell, needs: [once], with: {run: "echo last >> trace"}}
"""
    process = cli.start("apply", cli.workflow(text))
    while not (cli.directory / "trace").exists():
        assert process.poll() is None
        time.sleep(0.01)
    cli.kill(process)
    (cli.directory / "good").touch()
    for last in ("other", "end"):
        edited = cli.workflow(text.replace("echo last", f"echo {last}"))
        assert cli.run("resume", "--with", edited).returncode == 7
    assert trace(cli) == ["once"]
    cli.ok("approve")
    cli.ok("resume", "--with", edited)
    assert trace(cli) == ["end", "once"]


def test_why_leads_from_a_skipped_step_to_where_it_began(cli, failed):
    (found,) = cli.json("why", failed, "last")
    assert found["state"] == "skipped"
    assert found["because"] == ["judge was errored: RF0610 the command ended with exit code 1"]
    said = cli.ok("why", failed, "judge")
    assert "RF0610" in said
    assert "waits for each[item=a] (succeeded), each[item=b] (succeeded)" in said


def test_why_shows_every_attempt_with_what_followed_it(cli):
    text = """
rallyflow: 1
name: flaky
steps:
  flaky:
    uses: shell
    retry: {attempts: 3, delay: 1ms, on: [permanent]}
    with: {run: "echo x >> n; test $(wc -l < n) = 3"}
"""
    cli.ok("apply", cli.workflow(text))
    (found,) = cli.json("why", "@latest", "flaky")
    assert [(each["number"], each["state"], bool(each["again"])) for each in found["attempts"]] == [
        *((1, "errored", True), (2, "errored", True), (3, "succeeded", False))
    ]
    assert found["attempts"][0]["error"]["kind"] == "permanent"


def test_why_says_what_is_different_from_the_run_before_and_from_a_file(cli, failed):
    assert cli.run("apply", cli.workflow(WORKFLOW), "-p", "pace=3ms").returncode == 4
    (found,) = cli.json("why", "@latest", "load[users=1]")
    assert found["compared"] == [
        {"with": f"run {failed}", "same": False, "changes": ["with.args.sleep: 0.001 -> 0.003"]}
    ]
    (found,) = cli.json("why", failed, "load[users=1]", "--with", cli.workflow(WORKFLOW))
    assert [each["same"] for each in found["compared"]] == [True]
    data = json.loads(cli.ok("why", failed, "load", "--json", "--against", "@latest"))
    assert [each["step"] for each in data] == ["load[users=1]", "load[users=2]"]


REPORTING = """
rallyflow: 1
name: reporting
steps:
  load: {uses: shell, with: {run: "echo load >> trace"}}
  left: {uses: noop, if: "${{ run.name == 'another' }}"}
  gate: {uses: shell, needs: [load], with: {run: "echo gate >> trace; test -e ok"}}
  report: {uses: shell, needs: [gate, left], if: always(), with: {run: "echo report >> trace"}}
  other: {uses: shell, needs: [left], if: always(), with: {run: "echo other >> trace"}}
"""


@pytest.mark.parametrize("how", [["resume"], ["rerun", "--failed"]])
def test_what_ran_after_a_failure_runs_again_when_the_failure_is_mended(cli, how):
    assert cli.run("apply", cli.workflow(REPORTING)).returncode == 4
    assert trace(cli) == ["gate", "load", "other", "report"]
    (cli.directory / "ok").touch()
    if how == ["resume"]:
        shown = {step["id"]: step for step in cli.json("plan", "--run", "@latest")["steps"]}
        assert (shown["report"]["action"], shown["report"]["why"]) == ("run", "what it needs runs again")
        assert shown["other"]["action"] == "reuse"
    cli.ok(*how)
    assert trace(cli) == ["gate", "report"]
    assert cli.run("rerun", "--failed").returncode == 1


def test_the_order_of_steps_in_a_file_changes_nothing(cli):
    lines = ["  a: {uses: noop, with: {value: 1}}\n", "  b: {uses: noop, with: {value: 2}}\n"]
    head, tail = "rallyflow: 1\nname: order\nsteps:\n", "  c: {uses: noop, needs: [a, b]}\n"
    cli.ok("apply", cli.workflow(head + "".join(lines) + tail))
    refused = cli.run("resume", "--with", cli.workflow(head + "".join(reversed(lines)) + tail))
    assert refused.returncode == 1
    assert "nothing of run" in refused.stderr


def test_a_cloud_is_not_made_anew_for_a_step_that_does_not_use_it(cli):
    text = CLOUD.replace("teardown: never", "teardown: always").replace(
        "while test -e hold; do sleep 0.05; done", "test -e ok"
    )
    assert cli.run("apply", cli.workflow(text)).returncode == 4
    (cli.directory / "ok").touch()
    done = cli.run("resume")
    assert done.returncode == 0, done.stderr
    assert "cloud" not in done.stderr
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'cloud'") == [(1,)]


def test_an_error_stays_known_when_the_engine_dies_before_the_step_is_tried_again(cli):
    text = """
rallyflow: 1
name: waiting
steps:
  flaky: {uses: shell, retry: {attempts: 2, delay: 60s, on: [permanent]}, with: {run: "test -e ok"}}
"""
    process = cli.start("apply", cli.workflow(text))
    cli.until(process, "SELECT count(*) FROM event WHERE kind = 'retry'")
    cli.kill(process)
    assert steps_of(cli)["flaky"]["state"] == "interrupted"
    (cli.directory / "ok").touch()
    assert "waited to be tried again" in cli.run("resume").stderr
    (found,) = cli.json("why", "@latest", "flaky")
    assert [(each["state"], each["error"].get("code")) for each in found["attempts"]] == [
        ("errored", "RF0610"),
        ("succeeded", None),
    ]


def test_what_a_file_would_change_is_said_from_what_is_to_what_would_be(cli, failed):
    (found,) = cli.json("why", failed, "last", "--with", cli.workflow(WORKFLOW.replace("echo last", "echo end")))
    assert found["compared"][0]["changes"] == ["with.run: echo last >> trace -> echo end >> trace"]


def test_a_dry_run_tells_programs_too_and_a_missing_file_is_said_to_be_missing(cli, failed):
    shown = {each["step"]: each["action"] for each in cli.json("rerun", failed, "--failed", "--dry-run")}
    assert (shown["list"], shown["judge"]) == ("reuse", "run")
    refused = cli.run("rerun", failed, "--with", cli.directory / "missing.yaml")
    assert (refused.returncode, "RF0101" in refused.stderr) == (1, True)
    assert len(run_ids(cli)) == 1
