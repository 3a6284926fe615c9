"""What operators and attackers do beyond the ordinary."""

from __future__ import annotations

from pathlib import Path

SECRET = "hunter2-hunter2"

TELLTALE = """
rallyflow: 1
name: telltale
secrets: [token]
steps:
  echo:
    uses: shell
    with: {run: 'echo "out $T"; echo "err $T" >&2; printf %s "$T"', env: {T: "${{ secrets.token }}"}}
  value: {uses: noop, with: {value: ["x ${{ secrets.token }}"]}}
  error: {uses: shell, with: {run: "true", cwd: "/nowhere/${{ secrets.token }}"}}
outputs: {token: "${{ secrets.token }}", said: "${{ steps.echo.stdout }}"}
"""


def holding(folder: Path, text: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_secret_stands_nowhere_in_the_home_and_is_never_printed(cli):
    done = cli.run("apply", cli.workflow(TELLTALE), RALLYFLOW_SECRET_TOKEN=SECRET)
    assert done.returncode == 4, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert holding(cli.home, SECRET) == []
    log = cli.ok("logs", "@latest", "echo")
    assert "out ******" in log
    assert "err ******" in log
    assert "/nowhere/******" in cli.ok("show")


def test_a_worker_that_is_killed_is_noticed_while_a_cloud_that_it_started_lives(cli):
    text = """
rallyflow: 1
name: orphaned
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  killed:
    uses: shell
    needs: [cloud]
    retry: {attempts: 2, delay: 1ms}
    with: {run: "test -e mark || { touch mark; kill -9 $PPID; }"}
"""
    done = cli.run("apply", cli.workflow(text), timeout=30)
    assert done.returncode == 0, done.stderr


REVIVED = """
rallyflow: 1
name: revived
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}"}}
  hold: {uses: shell, needs: [cloud], with: {run: "while test -e hold; do sleep 0.05; done"}}
"""


def test_a_cloud_survives_a_kill_in_the_middle_of_its_revival(cli):
    hold = cli.directory / "hold"
    hold.touch()
    process = cli.start("apply", cli.workflow(REVIVED))
    cli.until(process, "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'hold'")
    cli.kill(process)
    (endpoint,) = cli.home.glob("runs/*/artifacts/cloud/state/endpoint.json")
    endpoint.unlink()  # as the first thing that a revival does
    hold.unlink()
    assert "cloud  kept: still answers" in cli.run("resume").stderr
    assert cli.query("SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'cloud'") == [(1,)]


def test_a_run_whose_measurements_were_deleted_does_not_hide_those_of_others(cli):
    text = """
rallyflow: 1
name: load
steps:
  load: {uses: benchmark, with: {scenario: dummy.dummy, load: {constant: {iterations: 5, concurrency: 1}}}}
"""
    cli.ok("apply", cli.workflow(text))
    cli.ok("apply", cli.workflow(text))
    damaged, whole = (run["run"] for run in sorted(cli.json("runs"), key=lambda run: run["run"]))
    for part in cli.home.glob(f"runs/{damaged}/results/**/*.parquet"):
        part.unlink()
    asked = cli.run("sql", "SELECT DISTINCT run FROM iterations", "--json")
    assert asked.returncode == 0, asked.stderr
    assert whole in asked.stdout
    assert damaged in asked.stderr
    refused = cli.run("sql", "SELECT 1", "--run", damaged)
    assert refused.returncode == 4
    assert "RF0501" in refused.stderr


def test_a_killed_run_goes_on_after_its_home_was_moved(cli):
    hold = cli.directory / "hold"
    hold.touch()
    process = cli.start("apply", cli.workflow(REVIVED))
    cli.until(process, "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'hold'")
    cli.kill(process)
    hold.unlink()
    cli.home = cli.home.rename(cli.directory / "moved")
    assert "cloud  kept: still answers" in cli.run("resume").stderr
    assert dict(cli.query("SELECT id, state FROM step"))["hold"] == "succeeded"
    assert not list(cli.home.glob("runs/*/artifacts/cloud/state"))


def test_a_time_with_a_zone_is_no_traceback(cli):
    cli.ok("apply", cli.workflow("rallyflow: 1\nname: one\nsteps:\n  a: {uses: noop}\n"))
    refused = cli.run("sql", "SELECT current_timestamp")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_a_mapping_with_keys_that_are_no_texts_is_an_error_of_the_file(cli):
    text = 'rallyflow: 1\nname: one\nsteps:\n  a: {uses: noop, with: {value: "${{ {1: 2, (1, 2): 3} }}"}}\n'
    refused = cli.run("validate", cli.workflow(text))
    assert refused.returncode == 3
    assert "RF0240" in refused.stderr
    assert "Traceback" not in refused.stderr
