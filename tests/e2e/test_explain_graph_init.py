"""The verbs that explain, draw, begin and complete, through the real program and a real shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from xml.etree import ElementTree as ET

import pytest

from rallyflow.explanations.codes import codes
from rallyflow.templates import SCHEMA, TEMPLATES

from .conftest import PROGRAM

FAILING = """
rallyflow: 1
name: failing
params:
  hosts: {type: list(str), default: [a, b], description: Where}
  mode: {type: enum, choices: [fast, slow], default: fast}
steps:
  first: {uses: noop}
  check:
    uses: shell
    needs: [first]
    matrix: {host: "${{ params.hosts }}"}
    with: {run: "test ${{ matrix.host }} = a"}
  last: {uses: noop, needs: [check]}
"""
RUNNABLE = [name for name in TEMPLATES if name != "existing-cloud"]
QUICK = {
    "quickstart": ["-p", "users=1", "-p", "requests=2"],
    "cloud-bench": ["-p", "users=1", "-p", "requests=2"],
    "option-compare": ["-p", "users=1", "-p", "requests=2"],
}


@pytest.fixture
def run(cli):
    """A run with two cells, of which one has failed."""
    cli.workflow(FAILING)
    assert cli.run("apply", "workflow.yaml").returncode == 4
    return cli.json("runs")[0]["run"]


# --- explain ---


def test_everything_in_the_list_can_be_explained(cli):
    listed = cli.json("explain")
    assert set(listed["error codes"]) == set(codes())
    for word in ["RF0203", "benchmark", "deploy", "workflow", "filter", "exit.5"]:
        assert word in {each for kind in listed.values() for each in kind}
        assert cli.ok("explain", word).startswith(word)


def test_an_error_is_explained_with_a_wrong_and_a_right_example(cli):
    said = cli.ok("explain", "rf0203")
    assert [line for line in said.splitlines() if line in {"wrong:", "right:"}] == ["wrong:", "right:"]
    assert "How it usually comes about:" in said


def test_an_explanation_is_json_for_programs(cli):
    topic = cli.json("explain", "benchmark.load.constant")
    assert topic["kind"] == "key"
    assert "concurrency" in [key["name"] for key in topic["keys"]["keys"]]


def test_an_unknown_word_is_a_usage_error_with_what_was_meant(cli):
    done = cli.run("explain", "benchmark.laod")
    assert done.returncode == 1
    assert "did you mean 'benchmark.load'?" in done.stderr


def test_an_explanation_fits_a_narrow_terminal(cli):
    said = cli.ok("explain", "RF0245", COLUMNS="60")
    prose = said.partition("wrong:")[0]
    assert max(map(len, prose.splitlines())) <= 60


# --- graph ---


def test_the_graph_of_a_file_is_drawn_for_a_terminal(cli):
    cli.workflow(FAILING)
    said = cli.ok("graph", "workflow.yaml")
    assert [line.split()[1] for line in said.splitlines()] == ["first", "check", "last"]
    assert "\N{MULTIPLICATION SIGN}2" in said


def test_params_change_the_graph(cli):
    cli.workflow(FAILING)
    nodes = cli.json("graph", "workflow.yaml", "--cells", "-p", "hosts=x,y,z")["nodes"]
    assert {"check[host=x]", "check[host=y]", "check[host=z]"} <= {node["id"] for node in nodes}


def test_the_graph_of_a_run_needs_no_file_and_shows_states(cli, run):
    (cli.directory / "workflow.yaml").unlink()
    said = cli.ok("graph", "--run", "@latest")
    assert "1 errored, 1 succeeded" in said
    assert "skipped" in said
    states = {node["id"]: node["states"] for node in cli.json("graph", "--run", run, "--cells")["nodes"]}
    assert states["check[host=b]"] == {"errored": 1}


@pytest.mark.parametrize("form", ["svg", "dot", "mermaid", "text", "json"])
def test_the_graph_is_written_to_a_file_in_the_format_of_its_name(cli, form):
    cli.workflow(FAILING)
    name = {"mermaid": "graph.mmd", "text": "graph.txt"}.get(form, f"graph.{form}")
    assert cli.ok("graph", "workflow.yaml", "-o", name) == ""
    assert (cli.directory / name).read_text() == cli.ok("graph", "workflow.yaml", "--format", form)


def test_a_picture_is_one_file_that_loads_nothing(cli):
    cli.workflow(FAILING)
    drawn = cli.ok("graph", "workflow.yaml", "--format", "svg")
    ET.fromstring(drawn)  # noqa: S314 - we have drawn it ourselves
    assert re.findall(r"(?:href|src|url)\W+https?:", drawn) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give a workflow file, or --run RUN"),
        (["workflow.yaml", "--run", "@latest"], "give a workflow file, or --run RUN"),
        (["--run", "@latest", "-p", "hosts=a"], "a run has the params"),
        (["nothing.yaml"], "can't read"),
        (["workflow.yaml", "-o", "nowhere/graph.svg"], "can't write"),
        (["workflow.yaml", "--cells", "-p", f"hosts={','.join(map(str, range(3000)))}"], "at most 2000"),
    ],
)
def test_what_can_not_be_drawn_is_said(cli, arguments, said):
    cli.workflow(FAILING)
    done = cli.run("graph", *arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- init ---


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_new_workflow_is_valid_and_has_its_schema_beside_it(cli, name):
    given = ["-p", "cloud=mine"] if name == "existing-cloud" else []
    cli.ok("init", "--template", name, "ci/nightly.yaml")
    cli.ok("validate", "ci/nightly.yaml", *given)
    assert cli.json("lint", "ci/nightly.yaml", *given)["advice"] == []
    text = (cli.directory / "ci" / "nightly.yaml").read_text()
    assert text.startswith(f"# yaml-language-server: $schema={SCHEMA}\n")
    assert "\nname: nightly\n" in text
    assert json.loads((cli.directory / "ci" / SCHEMA).read_text())["title"] == "rallyflow workflow"


@pytest.mark.parametrize("name", ["shell", "quickstart"])
def test_a_new_workflow_runs_at_once(cli, name):
    cli.ok("init", "--template", name, "new.yaml", "--no-schema")
    cli.ok("apply", "new.yaml", *QUICK.get(name, []))
    assert cli.json("show")["state"] == "succeeded"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in {"shell", "quickstart"}])
def test_every_template_that_needs_no_cloud_of_yours_runs(cli, name):
    cli.ok("init", "--template", name, "new.yaml", "--no-schema")
    cli.ok("apply", "new.yaml", *QUICK.get(name, []))


def test_without_a_path_the_template_gives_the_name(cli):
    done = cli.run("init")
    assert (done.returncode, done.stdout) == (0, "")
    assert (cli.directory / "quickstart.yaml").exists()
    assert "rallyflow apply quickstart.yaml" in done.stderr


def test_without_a_schema_nothing_else_is_written(cli):
    cli.ok("init", "--no-schema")
    assert [path.name for path in cli.directory.iterdir()] == ["quickstart.yaml"]
    assert "yaml-language-server" not in (cli.directory / "quickstart.yaml").read_text()


def test_nothing_is_overwritten_without_force(cli):
    mine = cli.workflow("mine\n", "quickstart.yaml")
    schema = cli.workflow("{}\n", SCHEMA)
    done = cli.run("init")
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert mine.read_text() == "mine\n"
    assert schema.read_text() == "{}\n"
    cli.ok("init", "--force")
    assert "rallyflow: 1" in mine.read_text()
    assert schema.read_text() != "{}\n"


def test_a_schema_that_is_there_is_kept_beside_a_new_workflow(cli):
    schema = cli.workflow("{}\n", SCHEMA)
    done = cli.run("init", "other.yaml")
    assert done.returncode == 0
    assert "is kept" in done.stderr
    assert schema.read_text() == "{}\n"


def test_templates_are_listed_and_a_misspelt_one_gets_the_name_that_was_meant(cli):
    assert [each["name"] for each in cli.json("init", "--list")] == list(TEMPLATES)
    done = cli.run("init", "--template", "quikstart")
    assert "did you mean 'quickstart'?" in done.stderr


def test_a_folder_that_can_not_be_written_is_said(cli):
    (cli.directory / "file").write_text("")
    done = cli.run("init", "file/new.yaml", "--no-schema")
    assert done.returncode != 0
    assert "can't write" in done.stderr
    assert "Traceback" not in done.stderr


# --- completion ---


def complete(cli, *words):
    """Return what bash would offer for the last of these words, which it has broken as it does."""
    script = (
        'eval "$(rallyflow completion bash)"\n'
        'COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n'
        "compopt() { :; }\n"  # bash refuses it outside of a real completion
        "_rallyflow_completion rallyflow\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words],
        cwd=cli.directory,
        env={**os.environ, "PATH": path, "RALLYFLOW_HOME": str(cli.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def test_verbs_and_options_are_completed(cli):
    assert complete(cli, "rallyflow", "gr") == ["graph"]
    assert complete(cli, "rallyflow", "graph", "--fo") == ["--format"]
    assert complete(cli, "rallyflow", "graph", "--format", "s") == ["svg"]


def test_runs_and_their_steps_are_completed(cli, run):
    assert complete(cli, "rallyflow", "show", "") == ["@latest", run]
    assert complete(cli, "rallyflow", "show", run[:5]) == [run]
    assert complete(cli, "rallyflow", "show", "@", "la") == ["latest"]
    assert complete(cli, "rallyflow", "graph", "--run", "=", "@") == ["latest"]
    assert complete(cli, "rallyflow", "logs", run, "fir") == ["first"]
    assert complete(cli, "rallyflow", "logs", "@", "latest", "check") == ["check", "check[host=a]", "check[host=b]"]
    assert complete(cli, "rallyflow", "logs", "@", "latest", "check[host", "=", "b") == ["b]"]


def test_params_of_the_workflow_on_the_line_are_completed_with_their_values(cli):
    cli.workflow(FAILING)
    assert complete(cli, "rallyflow", "apply", "workflow.yaml", "-p", "") == ["hosts=", "mode="]
    assert complete(cli, "rallyflow", "apply", "workflow.yaml", "-p", "mode", "=") == ["fast", "slow"]
    assert complete(cli, "rallyflow", "apply", "workflow.yaml", "-p", "mode", "=", "s") == ["slow"]


def test_words_to_explain_and_templates_are_completed(cli):
    assert complete(cli, "rallyflow", "explain", "RF030") == ["RF0301", "RF0302", "RF0303", "RF0304"]
    assert complete(cli, "rallyflow", "explain", "retry.de") == ["retry.delay"]
    assert complete(cli, "rallyflow", "init", "--template", "q") == ["quickstart"]


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense", "x"],
        ["show", ""],
        ["logs", "nothing", ""],
        ["apply", "missing.yaml", "-p", ""],
        ["apply", "broken.yaml", "-p", ""],
        ["explain", "no.such.thing"],
        ["sql", "it's", ""],
    ],
)
def test_where_nothing_can_be_completed_the_shell_hears_nothing(cli, words):
    cli.workflow("{[", "broken.yaml")
    assert complete(cli, "rallyflow", *words) == []
    assert not cli.home.exists()


def test_a_damaged_journal_is_no_reason_for_noise(cli):
    cli.home.mkdir()
    (cli.home / "journal.db").write_text("no journal")
    assert complete(cli, "rallyflow", "show", "") == []
    (cli.home / "journal.db").unlink()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_says_how_to_install_it(cli, shell):
    script = cli.ok("completion", shell)
    assert f"rallyflow completion {shell}" in script
    assert "_RALLYFLOW_COMPLETE" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("shell", "shown"), [("zsh", "plain\ngraph\nDraw"), ("fish", "plain,graph\tDraw")])
def test_other_shells_are_told_what_each_word_means(cli, shell, shown):
    words = {"COMP_WORDS": "rallyflow gr", "COMP_CWORD": "gr" if shell == "fish" else "1"}
    done = cli.run(**words, _RALLYFLOW_COMPLETE=f"{shell}_complete")
    assert done.stdout.startswith(shown)


# --- schema ---


def test_the_schema_of_one_step_type_is_printed(cli):
    schema = json.loads(cli.ok("schema", "--step", "shell"))
    assert {"run", "env"} <= set(schema["properties"])
    assert cli.run("schema", "--step", "shel").returncode == 1
