"""What users do to the language without meaning harm: corner cases, each seen through the real program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rallyflow.errors import Exit

PROGRAM = Path(sys.executable).with_name("rallyflow")
HEAD = "rallyflow: 1\nname: w\n"

INNER = """rallyflow: 1
name: inner
params:
  word: {type: str}
  times: {type: int, default: 1, max: 5}
steps:
  say: {uses: shell, with: {run: "echo ${{ params.word }} ${{ params.times }}"}}
  clean: {uses: noop, if: always(), needs: [say]}
outputs:
  said: ${{ steps.say.stdout }}
"""

BAD_PARAM = """
steps:
  n: {uses: shell, with: {run: "echo 9"}}
  one: {uses: ./inner.yaml, with: {word: x, times: "${{ steps.n.stdout }}"}, on_failure: continue}
  after: {uses: noop, needs: [one], with: {value: "${{ steps.one.said }}"}}
"""


def states(cli):
    return {step["id"]: step["state"] for step in cli.json("show")["steps"]}


def outputs(cli, step):
    return next(each["outputs"] for each in cli.json("show")["steps"] if each["id"] == step)


def test_nothing_inside_a_workflow_runs_without_its_params_though_its_failure_is_let_pass(cli):
    cli.workflow(INNER, "inner.yaml")
    assert cli.run("apply", cli.workflow(HEAD + BAD_PARAM)).returncode == Exit.ERRORED
    assert states(cli) == {
        "n": "succeeded",
        "one/(start)": "errored",
        "one/say": "skipped",
        "one/clean": "skipped",
        "one": "succeeded",
        "after": "succeeded",
    }
    assert outputs(cli, "after") == {"value": None}


def test_a_default_that_pauses_is_not_for_the_gate_of_a_workflow(cli):
    cli.workflow(INNER, "inner.yaml")
    text = BAD_PARAM.replace(", on_failure: continue", "")
    assert cli.run("apply", cli.workflow(HEAD + "defaults: {on_failure: pause}" + text)).returncode == Exit.ERRORED
    assert states(cli)["one/(start)"] == "errored"
    assert states(cli)["after"] == "skipped"


def test_a_list_that_was_none_can_be_accepted_and_the_run_looked_at_again(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  a: {uses: noop, with: {value: 5}}
  b: {uses: noop, foreach: "${{ steps.a.value }}", on_failure: pause}
  c: {uses: noop, needs: [b]}
"""
    )
    assert cli.run("apply", path).returncode == Exit.PAUSED
    cli.ok("approve")
    assert cli.run("resume").returncode == Exit.FAILED
    assert states(cli) == {"a": "succeeded", "b": "failed", "c": "succeeded"}
    assert "nothing to resume" in cli.run("resume").stderr
    cli.ok("plan", "--run", "@latest")


def test_a_condition_that_is_not_about_items_decides_about_the_list_as_a_whole(cli):
    path = cli.workflow(
        HEAD
        + """
params: {x: {type: bool, default: false}}
steps:
  list: {uses: noop, with: {value: []}}
  empty: {uses: noop, foreach: "${{ steps.list.value }}", if: "${{ params.x }}"}
  behind: {uses: noop, needs: [empty]}
  full: {uses: noop, foreach: [1, 2], if: "${{ params.x }}"}
  sorry: {uses: noop, foreach: "${{ steps.list.value }}", if: failure()}
  odd: {uses: noop, foreach: [1, 2], if: "${{ item % 2 }}"}
"""
    )
    foreseen = {step["id"]: step["action"] for step in cli.json("plan", path)["steps"]}
    cli.ok("apply", path)
    found = states(cli)
    for step in ("empty", "behind", "full", "sorry"):
        assert (foreseen[step], found[step]) == ("skip", "skipped")
    assert (found["odd"], found["odd[item=1]"], found["odd[item=2]"]) == ("succeeded", "succeeded", "skipped")


def test_items_that_are_true_or_false_are_named_as_the_cells_of_a_matrix_are(cli):
    cli.ok("apply", cli.workflow(HEAD + "steps:\n  a: {uses: noop, foreach: [true, false]}\n"))
    assert list(states(cli)) == ["a", "a[item=true]", "a[item=false]"]


def test_each_question_has_the_form_that_its_own_cell_and_earlier_steps_give_it(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  four: {uses: noop, with: {value: 4}}
  go:
    uses: approve
    matrix: {max: [5, 9]}
    with: {message: "How many?", input: {n: {type: int, default: "${{ steps.four.value }}", max: "${{ matrix.max }}"}}}
  each: {uses: approve, foreach: [7, 8], with: {message: "Well?", input: {n: {type: int, default: "${{ item }}"}}}}
"""
    )
    assert cli.run("apply", path).returncode == Exit.PAUSED
    asked = {each["step"]: each["input"]["n"] for each in cli.json("approve", "--list")}
    assert {step: (form["default"], form["max"]) for step, form in asked.items()} == {
        "go[max=5]": (4, 5),
        "go[max=9]": (4, 9),
        "each[item=7]": (7, None),
        "each[item=8]": (8, None),
    }
    assert "larger than 5" in cli.run("approve", "@latest", "go[max=5]", "-p", "n=6").stderr
    cli.ok("approve", "@latest", "go[max=5]", "-p", "n=2")
    for step in ("go[max=9]", "each[item=7]", "each[item=8]"):
        cli.ok("approve", "@latest", step)
    cli.ok("resume")
    assert [outputs(cli, step)["answer"]["n"] for step in asked] == [2, 4, 7, 8]


def test_an_answer_that_can_not_be_read_is_refused_and_can_be_given_again(cli):
    path = cli.workflow(HEAD + "steps:\n  go: {uses: approve, with: {message: Go?, input: {n: {type: list(int)}}}}\n")
    cli.run("apply", path)
    done = cli.run("approve", "-p", "n=[1,")
    assert done.returncode == Exit.USAGE
    assert "'n': can't read '[1,'" in done.stderr
    cli.ok("approve", "-p", "n=1,2")


def test_a_step_is_not_tried_again_when_its_time_in_all_is_over_before_that(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  a:
    uses: shell
    with: {run: exit 1}
    retry: {attempts: 5, delay: 1h, max_delay: 1h, on: [permanent]}
    timeout: {step: 10m}
"""
    )
    done = cli.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert "in all leaves no time to try again" in done.stderr
    assert cli.json("show")["steps"][0]["attempt"] == 1


def test_a_time_limit_of_months_is_kept_and_one_of_centuries_is_refused(cli):
    text = HEAD + "steps:\n  a: {uses: shell, with: {run: 'true'}, timeout: %s}\n"
    cli.ok("apply", cli.workflow(text % "90d"))
    done = cli.run("validate", cli.workflow(text % "99999999d"))
    assert done.returncode == Exit.INVALID
    assert "longer than a hundred years" in done.stderr


@pytest.mark.parametrize("value", ["x" * 300, "\U00020000" * 100])
def test_names_longer_than_those_of_files_are_fine(cli, value):
    path = cli.workflow(HEAD + f"steps:\n  a: {{uses: shell, matrix: {{x: [{value}]}}, with: {{run: echo}}}}\n")
    cli.ok("apply", path)
    long = "s" * 300
    cli.ok("apply", cli.workflow(HEAD + f"steps:\n  {long}: {{uses: shell, with: {{run: echo hello}}}}\n"))
    assert "hello" in cli.ok("logs", "@latest", long)


def test_a_plan_that_is_nested_without_end_is_refused_like_any_that_is_broken(cli):
    path = cli.directory / "deep.plan"
    path.write_text('{"rallyflow_plan":' + "[" * 100_000)
    done = cli.run("apply", path)
    assert done.returncode == Exit.USAGE
    assert "not a whole saved plan" in done.stderr


def test_a_run_whose_plan_another_version_wrote_can_be_shown_and_undone_but_not_resumed(cli):
    path = cli.workflow(HEAD + "steps:\n  a: {uses: shell, with: {run: exit 1}}\n")
    cli.run("apply", path)
    (plan,) = cli.home.glob("runs/*/plan.json")
    data = json.loads(plan.read_text())
    plan.write_text(json.dumps({**data, "secrets": ["a"]}))
    for verb in (("resume",), ("approve",), ("plan", "--run", "@latest")):
        done = cli.run(*verb)
        assert "Traceback" not in done.stderr
    assert "start a new run" in cli.run("resume").stderr
    cli.ok("show")
    cli.ok("destroy", "@latest", "--yes")


@pytest.mark.parametrize("condition", ["params.n / 0 > 1", "[1][5]", "matrix.x > 1"])
def test_a_condition_of_known_things_that_has_no_value_is_an_error_of_the_file(cli, condition):
    text = f"""
params: {{n: {{type: int, default: 1}}}}
steps:
  a: {{uses: noop, matrix: {{x: [1, two]}}, if: "${{{{ {condition} }}}}"}}
"""
    done = cli.run("validate", cli.workflow(HEAD + text))
    assert done.returncode == Exit.INVALID
    assert done.stderr.count("error[") == 1
    assert "workflow.yaml:6:" in done.stderr


def test_a_plan_is_never_written_over_what_is_no_plan(cli):
    path = cli.workflow(HEAD + "steps:\n  a: {uses: noop}\n")
    before = path.read_text()
    link = cli.directory / "link"
    link.symlink_to(path)
    for place in (path, cli.directory, link):
        done = cli.run("plan", path, "-o", place)
        assert done.returncode == Exit.USAGE
        assert "is not a saved plan" in done.stderr
    assert path.read_text() == before
    assert link.is_symlink()
    for _ in range(2):
        cli.ok("plan", path, "-o", cli.directory / "a.plan")


def test_a_pipe_is_planned_but_not_run(cli):
    path = cli.workflow(HEAD + "steps:\n  a: {uses: noop}\n")
    for verb, code in (("plan", Exit.OK), ("apply", Exit.USAGE)):
        line = f"'{PROGRAM}' {verb} <(cat '{path}')"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=cli._env({}), check=False)
        assert done.returncode == code
    assert "is a pipe" in done.stderr


def test_a_full_disk_below_the_output_is_an_error_without_a_traceback(cli):
    path = cli.workflow(HEAD + "steps:\n  a: {uses: noop}\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [PROGRAM, "plan", path], stdout=full, stderr=subprocess.PIPE, text=True, env=cli._env({}), check=False
        )
    assert "Traceback" not in done.stderr
    assert done.returncode == Exit.ERRORED
    assert "No space left" in done.stderr


def test_a_home_whose_name_is_too_long_is_an_error_without_a_traceback(cli):
    done = cli.run("runs", "--home", "x" * 300)
    assert "Traceback" not in done.stderr
    assert done.returncode == Exit.ERRORED
    assert "File name too long" in done.stderr


def test_what_is_given_wrongly_to_a_workflow_is_no_error_inside_of_it(cli):
    inner = """rallyflow: 1
name: inner
params: {p: {type: int}}
steps:
  x: {uses: noop, matrix: {n: ["${{ params.p }}"]}}
"""
    cli.workflow(inner, "inner.yaml")
    path = cli.workflow(
        HEAD
        + """
steps:
  a: {uses: ./inner.yaml}
  b: {uses: ./inner.yaml, with: {p: [1]}}
  c: {uses: ./inner.yaml, with: {p: 1}}
"""
    )
    done = cli.run("validate", path)
    assert done.returncode == Exit.INVALID
    assert [line for line in done.stderr.splitlines() if line.startswith("error[")] == [
        "error[RF0211]: the key 'p' is missing",
        "error[RF0212]: p: [1] is not a whole number",
    ]


def test_defaults_of_a_workflow_can_not_have_what_means_nothing_for_it(cli):
    cli.workflow(INNER, "inner.yaml")
    text = """
defaults: {types: {./inner.yaml: {locks: [x], with: {word: hello}}}}
steps:
  a: {uses: ./inner.yaml}
"""
    done = cli.run("validate", cli.workflow(HEAD + text))
    assert done.returncode == Exit.INVALID
    assert "'locks' has no meaning for a step that is a workflow" in done.stderr
    assert "workflow.yaml:4:" in done.stderr
    cli.ok("validate", cli.workflow(HEAD + text.replace("locks: [x], ", "")))


def test_paths_and_types_that_nobody_would_write_are_errors_of_the_file(cli):
    deep = "list(" * 3000 + "int" + ")" * 3000
    path = cli.workflow(
        HEAD + f'params: {{x: {{type: "{deep}", default: []}}}}\nsteps:\n  a: {{uses: "./a\\0.yaml"}}\n'
    )
    done = cli.run("validate", path)
    assert "Traceback" not in done.stderr
    assert done.returncode == Exit.INVALID
    assert "more than 10 deep" in done.stderr
    assert "is not a path" in done.stderr


def test_a_variable_that_no_system_takes_is_an_error_of_the_step_and_not_of_ours(cli):
    path = cli.workflow(HEAD + "steps:\n  a: {uses: shell, with: {run: echo, env: {A=B: x}}}\n")
    done = cli.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert "illegal environment variable name" in done.stderr
    assert "RF0610" in done.stderr
