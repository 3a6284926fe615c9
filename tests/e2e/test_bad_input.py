"""Mistakes and mishaps as users meet them: an exit code, a stable code, where, and what to do; never a traceback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import pytest
import yaml

from rallyflow.errors import Exit

GOOD = "rallyflow: 1\nname: good\nsteps:\n  a: {uses: noop}\n"
HEAD = "rallyflow: 1\nname: bad\nsteps:\n"


def refused(done, code, exit_code, *texts):
    assert done.returncode == exit_code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert f"error[{code}]" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "" or done.stdout[0] in "[{"
    for text in texts:
        assert text in done.stderr, f"{text!r} is not in\n{done.stderr}"


@pytest.mark.parametrize(
    ("body", "code", "place", "hint"),
    [
        ("  a: {uses: noop, neds: [b]}\n", "RF0210", ":4:19", "did you mean 'needs'?"),
        ("  a: {uses: shell, with: {run: [ls]}}\n", "RF0212", ":4:32", "takes a text"),
        ("  a: {uses: noop, needs: [b]}\n  b: {uses: noop, needs: [a]}\n", "RF0221", ":4:3", "a -> b -> a"),
        ("  a: {uses: noop, needs: [c]}\n", "RF0220", ":4:27", "there are: a"),
        ("  a: {uses: noop}\n  a: {uses: noop}\n", "RF0203", ":5:3", "line 4"),
        ("  a: {uses: nop}\n", "RF0214", ":4:13", "did you mean 'noop'?"),
        ("  a: {uses: noop, with: {value: ${{ 1 }}}}\n", "RF0202", ":4:3", "without quotes"),
        ('  a: {uses: noop, if: "${{ success }}"}\n', "RF0241", ":4:23", "write success()"),
    ],
)
@pytest.mark.parametrize("verb", ["validate", "apply"])
def test_a_mistake_in_a_file_is_shown_with_its_place_and_a_hint(cli, verb, body, code, place, hint):
    path = cli.workflow(HEAD + body)
    refused(cli.run(verb, path), code, Exit.INVALID, f"{path}{place}", hint, "^")
    assert not cli.home.exists()


def test_validate_tells_programs_the_same(cli):
    done = cli.run("validate", cli.workflow(HEAD + "  a: {uses: nop}\n"), "--json")
    assert done.returncode == Exit.INVALID
    said = yaml.safe_load(done.stdout)
    assert said["valid"] is False
    assert [(each["code"], each["line"], each["column"]) for each in said["diagnostics"]] == [("RF0214", 4, 13)]


@pytest.mark.parametrize("verb", ["validate", "plan", "apply"])
def test_a_file_that_is_not_there_or_is_a_directory(cli, verb):
    refused(cli.run(verb, "nowhere.yaml"), "RF0101", Exit.USAGE, "nowhere.yaml", "No such file", "hint")
    refused(cli.run(verb, cli.directory), "RF0101", Exit.USAGE, "Is a directory", "hint")


def test_values_of_params_that_do_not_fit(cli):
    path = cli.workflow("rallyflow: 1\nname: p\nparams: {n: {type: int, max: 3}}\nsteps: {a: {uses: noop}}\n")
    refused(cli.run("apply", path), "RF0303", Exit.INVALID, "-p n=")
    refused(cli.run("apply", path, "-p", "n=many"), "RF0304", Exit.INVALID, "not a whole number")
    refused(cli.run("apply", path, "-p", "n=4"), "RF0304", Exit.INVALID, "larger than 3")
    refused(cli.run("apply", path, "-p", "n=1", "-p", "m=1"), "RF0302", Exit.INVALID, "'m'")
    refused(cli.run("apply", path, "-p", "n"), "RF0101", Exit.USAGE, "NAME=VALUE")


@pytest.mark.parametrize("content", ["- a\n", "{", "a: &a [*a]\n", "n: yes\n", "d: 2001-99-99\n", "[" * 3000, "\xff"])
def test_a_params_file_that_can_not_be_used(cli, content):
    file = cli.directory / "params.yaml"
    file.write_bytes(content.encode("latin-1"))
    done = cli.run("validate", cli.workflow(GOOD), "--params", file)
    assert done.returncode in (Exit.USAGE, Exit.INVALID)
    assert "error[RF" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_secrets_are_named_before_anything_runs(cli):
    path = cli.workflow("rallyflow: 1\nname: s\nsecrets: [api-token]\nsteps: {a: {uses: noop}}\n")
    refused(cli.run("apply", path), "RF0101", Exit.USAGE, "RALLYFLOW_SECRET_API_TOKEN", "environment")
    assert not cli.home.exists()
    cli.ok("apply", path, RALLYFLOW_SECRET_API_TOKEN="sesame")


def test_runs_that_are_not_there(cli):
    for arguments in (
        ["runs"],
        ["show"],
        ["logs"],
        ["resume"],
        ["destroy", "@latest"],
        ["sql", "SELECT 1"],
        ["report"],
    ):
        refused(cli.run(*arguments), "RF0101", Exit.USAGE, "no runs", "rallyflow apply")
    path = cli.workflow(GOOD)
    cli.ok("apply", path)
    cli.ok("apply", path)
    for verb in ("show", "logs", "resume", "destroy", "resources", "report"):
        refused(cli.run(verb, "nope"), "RF0101", Exit.USAGE, "'nope'", "rallyflow runs")
    (first,), (second,) = cli.query("SELECT id FROM run ORDER BY id")
    refused(cli.run("show", "20"), "RF0101", Exit.USAGE, "fits 2 runs", first, second)
    refused(cli.run("resume"), "RF0101", Exit.USAGE, "nothing to resume")
    refused(cli.run("logs", "@latest", "b"), "RF0101", Exit.USAGE, "no step 'b'", "there are: a")
    assert first in cli.ok("show", first[-5:])


def test_verbs_and_options_that_are_not_there(cli):
    assert "did you mean 'apply'?" in cli.run("aply").stderr
    for arguments in (["aply"], ["apply"], ["apply", "x", "--nope"], ["apply", "x", "--parallel", "0"]):
        done = cli.run(*arguments)
        assert done.returncode == Exit.USAGE
        assert "Traceback" not in done.stderr


def test_a_home_that_is_a_file(cli):
    cli.home.write_text("")
    done = cli.run("apply", cli.workflow(GOOD))
    refused(done, "RF0501", Exit.ERRORED, "hint")
    cli.home.unlink()


def test_a_damaged_journal(cli):
    cli.home.mkdir()
    (cli.home / "journal.db").write_bytes(b"this is not a database, not at all" * 100)
    for arguments in (["runs"], ["apply", cli.workflow(GOOD)]):
        refused(cli.run(*arguments), "RF0503", Exit.ERRORED, "damaged", "hint")
    (cli.home / "journal.db").unlink()


def test_a_step_type_that_gives_the_wrong_thing_at_run_time(cli):
    path = cli.workflow(
        "rallyflow: 1\nname: late\nsteps:\n  a: {uses: noop, with: {value: 5}}\n"
        '  b: {uses: shell, with: {run: "${{ steps.a.value }}"}}\n'
    )
    done = cli.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert "RF0630" in done.stderr
    assert "with.run" in done.stderr
    assert "Traceback" not in done.stderr


def use_of(cli, auth_url, password, retries=""):
    auth = {
        "auth_url": auth_url,
        "username": "admin",
        "password": password,
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    file = cli.directory / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"mine": {"auth": auth, "region_name": "RegionOne"}}}))
    return cli.workflow(
        f"rallyflow: 1\nname: use\nsteps:\n  cloud:\n    uses: deploy/existing\n{retries}"
        f"    with: {{cloud: mine, clouds_yaml: {file}}}\n"
    )


PLUGIN = """
from rallyflow.model.step import Progress, StepModel, StepType


class Odd(StepType[StepModel, StepModel]):
    Inputs = Outputs = StepModel

    def run(self, inputs, context):
        context.report(Progress(note="at caf\\udce9"))
        raise FileNotFoundError("caf\\udce9 is not there")
"""


def test_a_step_may_tell_of_a_file_whose_name_is_not_utf_8(cli):
    (cli.directory / "odd.py").write_text(PLUGIN)
    folder = cli.directory / "odd-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[rallyflow.steps]\nodd = odd:Odd\n")
    done = cli.run("apply", cli.workflow(HEAD + "  a: {uses: odd, on_failure: pause}\n"), PYTHONPATH=str(cli.directory))
    assert done.returncode == Exit.PAUSED, done.stderr
    assert "is not there" in cli.ok("show")
    cli.ok("approve", "--reject")
    again = cli.run("resume", PYTHONPATH=str(cli.directory))
    assert again.returncode == Exit.FAILED, again.stderr


def test_a_workflow_whose_path_is_not_utf_8_is_refused_before_anything_is_written(cli):
    folder = cli.directory / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    path = cli.workflow(GOOD, f"{folder.name}/good.yaml")
    refused(cli.run("apply", path), "RF0101", Exit.USAGE, "is not UTF-8", "hint:")
    assert not cli.home.exists()


def test_a_cloud_that_refuses_the_password(cli):
    from pydantic import SecretStr

    from rallyflow.clouds.embedded import process
    from rallyflow.clouds.embedded.settings import Settings

    state = cli.directory / "state"
    process.save_settings(state, Settings(password=SecretStr("right")))
    pid = process.start(state, guardian=os.getpid())
    try:
        endpoint = process.wait_until_up(state, pid)
        cli.ok("apply", use_of(cli, endpoint.auth_url, "right"))
        done = cli.run("apply", use_of(cli, endpoint.auth_url, "wrong"))
    finally:
        process.stop(state)
    assert done.returncode == Exit.ERRORED
    assert "RF0611" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong" not in done.stderr
    assert "check user, password" in cli.ok("show")
    assert cli.json("resources") == []


def test_a_cloud_that_does_not_answer_is_tried_again(cli):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        retries = "    retry: {attempts: 3, delay: 10ms}\n"
        done = cli.run("apply", use_of(cli, f"http://127.0.0.1:{closed.getsockname()[1]}/v3", "x", retries))
    assert done.returncode == Exit.ERRORED
    assert "RF0602" in done.stderr
    assert "Traceback" not in done.stderr
    assert cli.query("SELECT kind, count(*) FROM event WHERE kind IN ('intent', 'retry') GROUP BY kind") == [
        ("intent", 3),
        ("retry", 2),
    ]
    assert "is its auth_url right?" in cli.ok("show")


@pytest.fixture
def mounted(tmp_path):
    """Mount small file systems; skipped where this user may not."""
    folders = []

    def mount(size):
        folder = tmp_path / f"mounted{len(folders)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"mounting needs root: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_read_only_home_can_be_read_and_says_why_it_can_not_be_written(cli, mounted):
    home = mounted("20m")
    cli.home = home / "home"
    path = cli.workflow(GOOD)
    cli.ok("apply", path)
    subprocess.run(["mount", "-o", "remount,ro", home], check=True)
    assert "good" in cli.ok("runs")
    assert "succeeded" in cli.ok("show")
    for arguments in (["apply", path], ["resume"], ["destroy", "@latest", "-y"], ["report"]):
        done = cli.run(*arguments)
        assert done.returncode in (Exit.ERRORED, Exit.USAGE), done.stderr
        assert "error[RF" in done.stderr
        assert "Traceback" not in done.stderr


LOAD = """
rallyflow: 1
name: load
steps:
  load:
    uses: benchmark
    with:
      scenario: dummy.dummy
      args: {sleep: 0.001}
      load: {constant: {iterations: 3000, concurrency: 4}}
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("free_kb", [0, 60, 200])
def test_a_full_disk_stops_the_run_and_resume_finishes_it(cli, mounted, free_kb):
    home = mounted("24m")
    cli.home = home / "home"
    cli.ok("apply", cli.workflow(GOOD))
    ballast = home / "ballast"
    with ballast.open("wb") as file:
        file.write(b"x" * (shutil.disk_usage(home).free - free_kb * 1024))
    done = cli.run("apply", cli.workflow(LOAD))
    assert done.returncode == Exit.ERRORED, done.stderr
    assert "RF0502" in done.stderr
    assert "free some space" in done.stderr
    assert "Traceback" not in done.stderr
    ballast.unlink()
    if not cli.query("SELECT 1 FROM run WHERE name = 'load'"):
        assert free_kb < 200  # not even the run could be booked
        return
    assert "rallyflow resume" in done.stderr
    cli.ok("resume")
    counted = cli.json("sql", "SELECT count(*) AS n, count(DISTINCT iteration) AS d FROM iterations")
    assert counted == [{"n": 3000, "d": 3000}]
