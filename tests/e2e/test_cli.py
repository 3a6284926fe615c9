"""Every verb through the real program: what people and other programs get from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rallyflow.cli.main import VERBS
from rallyflow.errors import Exit

MEASURED = """
rallyflow: 1
name: measured
params:
  runs: {type: int, default: 4}
  words: {type: list(str), default: [a]}
  pace: {type: duration, default: 1ms}
steps:
  talk: {uses: shell, with: {run: "echo one; echo two >&2"}}
  load:
    uses: benchmark
    needs: [talk]
    with:
      scenario: dummy.dummy
      load: {constant: {iterations: "${{ params.runs }}", concurrency: 1}}
outputs: {said: "${{ steps.talk.stdout }}", runs: "${{ params.runs }}", words: "${{ params.words }}"}
"""
STEP = "rallyflow: 1\nname: one\nsteps:\n  a: {}\n"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself(cli, verb):
    said = cli.ok(verb, "--help")
    assert said.startswith(f"Usage: rallyflow {verb}")
    assert len(said.splitlines()) > 4


def test_the_program_lists_its_verbs_and_exit_codes(cli):
    said = cli.ok("--help")
    assert all(verb in said for verb in VERBS)
    assert "130 interrupted" in said


def test_version_and_help_load_nothing_heavy(cli):
    program = (
        "import sys; sys.argv = ['rallyflow', '--version']\n"
        "from rallyflow.__main__ import main; main()\n"
        "print(*[name for name in ('pydantic networkx duckdb altair openstack click paramiko jinja2').split()"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    version, loaded = done.stdout.split("\n")[:2]
    assert version.startswith("rallyflow ")
    assert loaded == ""
    assert cli.ok("--version").strip() == version


def test_validate_of_every_kind_of_step_loads_no_client_and_no_database():
    workflow = Path(__file__).parents[2] / "workflows" / "cloud-bench.yaml"
    program = (
        f"import sys; from rallyflow.cli.main import run; assert run(['validate', {str(workflow)!r}]) == 0\n"
        "print(*[name for name in 'duckdb altair openstack pyarrow pycurl'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_run_can_be_read_in_every_way(cli):
    cli.ok("apply", cli.workflow(MEASURED), "-p", "runs=3")
    (run,) = cli.json("runs")
    assert (run["name"], run["state"]) == ("measured", "succeeded")
    shown = cli.json("show")
    assert [(step["id"], step["state"]) for step in shown["steps"]] == [("talk", "succeeded"), ("load", "succeeded")]
    assert shown["params"]["runs"] == 3
    assert shown["rows"]["iterations"] == 3
    assert cli.json("resources") == []
    assert cli.json("sql", "SELECT count(*) AS n FROM iterations") == [{"n": 3}]
    assert cli.ok("sql", "SELECT 1 AS a, 'x' AS b", "--csv").splitlines() == ["a,b", "1,x"]
    assert cli.json("destroy", run["run"]) == {"run": run["run"], "removed": 0, "left": []}
    logged = cli.run("logs", "@latest", "talk")
    assert "one" in logged.stdout
    assert "two" in logged.stdout
    assert "attempt 1" in logged.stderr
    assert cli.ok("logs", "@latest", "talk", "--attempt", "2") == ""
    path = Path(cli.ok("report").strip())
    assert "measured" in path.read_text(encoding="utf-8")
    other = cli.directory / "deep" / "page.html"
    assert Path(cli.ok("report", run["run"], "-o", other, "--title", "A title").strip()) == other
    assert "A title" in other.read_text(encoding="utf-8")
    for verb in ("runs", "show", "resources"):
        assert "\x1b[" not in cli.ok(verb, FORCE_COLOR="1")


def test_plan_and_validate_touch_nothing(cli):
    path = cli.workflow(MEASURED)
    plan = cli.json("plan", path, "-p", "runs=9")
    assert [step["id"] for step in plan["steps"]] == ["talk", "load"]
    assert plan["steps"][1]["inputs"]["load"]["constant"]["iterations"] == 9
    assert "talk" in cli.ok("plan", path)
    assert cli.json("validate", path) == {"valid": True, "name": "measured", "steps": 2}
    assert "valid, 2 steps" in cli.run("validate", path).stderr
    assert json.loads(cli.ok("schema"))["title"] == "rallyflow workflow"
    assert not cli.home.exists()


def test_params_come_from_options_before_the_file_before_the_environment_before_defaults(cli):
    path = cli.workflow(MEASURED)
    file = cli.directory / "params.yaml"
    file.write_text("runs: 6\nwords: [b, c]\n")
    environment = {"RALLYFLOW_PARAM_RUNS": "5", "RALLYFLOW_PARAM_WORDS": "x, z", "RALLYFLOW_PARAM_PACE": "2s"}

    def params(*arguments, **env):
        return json.loads(cli.ok("plan", path, "--json", *arguments, **env))["params"]

    assert params() == {"runs": 4, "words": ["a"], "pace": 0.001}
    assert params(**environment) == {"runs": 5, "words": ["x", "z"], "pace": 2.0}
    assert params("--params", file, **environment) == {"runs": 6, "words": ["b", "c"], "pace": 2.0}
    assert params("--params", file, "-p", "runs=7", **environment) == {"runs": 7, "words": ["b", "c"], "pace": 2.0}


def test_apply_gives_programs_one_event_per_line(cli):
    done = cli.run("apply", cli.workflow(MEASURED), "--json")
    assert done.returncode == Exit.OK
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all({"version", "type", "time", "run"} <= line.keys() for line in lines)
    assert {line["version"] for line in lines} == {1}
    assert len({line["run"] for line in lines}) == 1
    kinds = [line["type"] for line in lines if line["type"] != "progress"]
    assert kinds == ["run_created", "intent", "outcome", "intent", "outcome", "run_ended"]
    assert lines[-1]["state"] == "succeeded"


def test_apply_gives_programs_errors_as_lines_too(cli):
    cli.home.write_text("")
    done = cli.run("apply", cli.workflow(MEASURED), "--json")
    assert done.returncode == Exit.ERRORED
    (line,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (line["type"], line["code"]) == ("error", "RF0501")
    cli.home.unlink()


def test_outputs_are_printed_at_the_end(cli):
    said = cli.run("apply", cli.workflow(MEASURED)).stderr
    assert "said: one" in said
    assert "runs: 4" in said
    assert "rallyflow show" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("step", "code", "state"),
    [
        ('{uses: shell, with: {run: "exit 0"}}', Exit.OK, "succeeded"),
        ('{uses: shell, with: {run: "exit 3"}}', Exit.ERRORED, "errored"),
        ('{uses: shell, with: {run: "exit 3", failed: [3]}}', Exit.FAILED, "failed"),
        ('{uses: shell, with: {run: "sleep 60"}, timeout: 200ms}', Exit.ERRORED, "errored"),
        ('{uses: shell, with: {run: "kill -9 $PPID"}}', Exit.ERRORED, "errored"),
        (
            (
                "{uses: benchmark, with: {scenario: dummy.dummy_random_fail, args: {rate: 1.0},"
                " load: {constant: {iterations: 5, concurrency: 1}}, sla: [{failure_rate: {max: 0%}}]}}"
            ),
            Exit.FAILED,
            "failed",
        ),
    ],
)
def test_the_exit_code_tells_how_the_run_ended(cli, step, code, state):
    done = cli.run("apply", cli.workflow(STEP.replace("{}", step)))
    assert done.returncode == code, done.stderr
    assert cli.query("SELECT state FROM run") == [(state,)]
    assert "Traceback" not in done.stderr


def test_a_query_that_fails_says_why(cli):
    cli.ok("apply", cli.workflow(STEP.replace("{}", "{uses: noop}")))
    for query in ("SELEC 1", "SELECT * FROM nowhere", "SELECT nope FROM iterations", ""):
        done = cli.run("sql", query)
        assert done.returncode == Exit.USAGE
        assert "Traceback" not in done.stderr
    assert "DESCRIBE" in cli.run("sql", "SELEC 1").stderr


def test_measurements_that_are_gone_and_places_that_can_not_be_written(cli):
    cli.ok("apply", cli.workflow(MEASURED))
    done = cli.run("report", "-o", cli.directory)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    for part in cli.home.glob("runs/*/results/**/*.parquet"):
        part.unlink()
    for arguments in (["sql", "SELECT * FROM iterations"], ["report"]):
        done = cli.run(*arguments)
        assert "Traceback" not in done.stderr, arguments
    assert cli.run("show").returncode == Exit.OK


def test_colour_is_only_for_terminals_that_want_it(cli):
    path = cli.workflow(STEP.replace("{}", "{uses: nop}"))
    assert "\x1b[" not in cli.run("validate", path).stderr
    assert "\x1b[" not in cli.run("validate", path, NO_COLOR="").stderr
    assert "\x1b[" in cli.run("validate", path, NO_COLOR="", FORCE_COLOR="1").stderr
    assert "\x1b[" not in cli.run("validate", path, FORCE_COLOR="1").stderr


def test_a_reader_that_leaves_early_is_no_error(cli):
    cli.ok("apply", cli.workflow(MEASURED))
    process = cli.start("sql", "SELECT * FROM range(200000)")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in (said or "")
