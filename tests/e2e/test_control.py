from __future__ import annotations

import signal

import pytest

SLEEPER = """
rallyflow: 1
name: sleeper
steps:
  first: {uses: shell, with: {run: "true"}}
  long: {uses: shell, needs: [first], with: {run: "sleep 1.5; echo done"}}
  last: {uses: shell, needs: [long], with: {run: "echo last"}}
"""
RUNNING = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'long'"

LOAD = """
rallyflow: 1
name: load
steps:
  load:
    uses: benchmark
    with:
      scenario: dummy.dummy
      args: {sleep: 0.02}
      load: {constant: {iterations: 600, concurrency: 4}}
"""
MEASURING = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'load'"


def test_the_first_ctrl_c_lets_steps_finish_and_starts_no_other(cli):
    process = cli.start("apply", cli.workflow(SLEEPER))
    cli.until(process, RUNNING)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "rallyflow resume" in said
    assert dict(cli.query("SELECT id, state FROM step")) == {
        "first": "succeeded",
        "long": "succeeded",
        "last": "planned",
    }
    cli.ok("resume")
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent'") == [(3,)]


def test_a_benchmark_that_is_stopped_keeps_its_iterations_and_goes_on_at_resume(cli):
    process = cli.start("apply", cli.workflow(LOAD))
    cli.until(process, MEASURING)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert cli.query("SELECT state FROM step") == [("interrupted",)]
    cli.ok("resume")
    counted = cli.json("sql", "SELECT count(*) AS n, count(DISTINCT iteration) AS d FROM iterations")
    assert counted == [{"n": 600, "d": 600}]


def test_the_second_ctrl_c_cancels(cli, gone):
    process = cli.start("apply", cli.workflow(SLEEPER.replace("sleep 1.5", "sleep 600")))
    cli.until(process, RUNNING)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if "stopping" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert cli.query("SELECT state FROM step WHERE id = 'long'") == [("cancelled",)]
    gone(cli.directory)


def test_a_second_resume_of_a_live_run_is_refused_with_the_owner(cli):
    hold = cli.directory / "hold"
    hold.touch()
    text = SLEEPER.replace("sleep 1.5", "while test -e hold; do sleep 0.05; done")
    process = cli.start("apply", cli.workflow(text))
    cli.until(process, RUNNING)
    refused = cli.run("resume")
    assert refused.returncode == 8
    assert "RF0401" in refused.stderr
    assert str(process.pid) in refused.stderr
    hold.unlink()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_run_that_succeeded_has_nothing_to_resume(cli):
    cli.ok("apply", cli.workflow("rallyflow: 1\nname: one\nsteps:\n  a: {uses: noop}\n"))
    again = cli.run("resume")
    assert again.returncode == 1
    assert "nothing to resume" in again.stderr


def test_a_timeout_ends_the_attempt_with_all_of_its_processes(cli):
    text = """
rallyflow: 1
name: slow
steps:
  slow:
    uses: shell
    timeout: 300ms
    retry: {attempts: 2, delay: 10ms, on: [timeout]}
    with: {run: "sleep 4242 & sleep 4243"}
"""
    done = cli.run("apply", cli.workflow(text))
    assert done.returncode == 4
    assert "RF0620" in done.stderr
    kinds = [kind for (kind,) in cli.query("SELECT kind FROM event WHERE step = 'slow' ORDER BY seq")]
    assert kinds == ["intent", "outcome", "retry", "intent", "outcome"]
    import subprocess

    assert subprocess.run(["pgrep", "-f", "sleep 424[23]"], check=False).returncode == 1


@pytest.mark.parametrize("classes", ["[transient]", "[permanent]"])
def test_retry_counts_only_errors_of_the_named_classes(cli, classes):
    text = f"""
rallyflow: 1
name: flaky
steps:
  flaky:
    uses: shell
    retry: {{attempts: 3, delay: 1ms, on: {classes}}}
    with: {{run: "exit 3"}}
"""
    assert cli.run("apply", cli.workflow(text)).returncode == 4
    intents = cli.query("SELECT count(*) FROM event WHERE kind = 'intent'")[0][0]
    assert intents == (1 if classes == "[transient]" else 3)


def test_a_worker_that_is_killed_is_a_transient_error_that_retry_mends(cli):
    text = """
rallyflow: 1
name: killed
steps:
  killed:
    uses: shell
    retry: {attempts: 2, delay: 1ms}
    with: {run: "test -e mark || { touch mark; kill -9 $PPID; }"}
"""
    cli.ok("apply", cli.workflow(text))
    errors = cli.query("SELECT json_extract(body, '$.error.code') FROM event WHERE kind = 'outcome' ORDER BY seq")
    assert errors == [("RF0603",), (None,)]
