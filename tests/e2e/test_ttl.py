"""How long things live: `ttl` in the file, `--ttl` over it, in the ledger and in the names that a cloud shows."""

from __future__ import annotations

import time

import pytest

from rallyflow.model.ids import parse_tag

LEFT = """
rallyflow: 1
name: left
{ttl}
steps:
  servers: {{uses: provision/local}}
  cloud:
    uses: deploy/embedded
    with: {{servers: "${{{{ steps.servers.servers }}}}"}}
teardown: never
"""
HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize(
    ("ttl", "options", "life"),
    [("", (), 0), ("ttl: 8h", (), 8), ("ttl: 8h", ("--ttl", "30h"), 30), ("", ("--ttl", "2h"), 2)],
)
def test_the_ledger_and_the_names_say_when_things_expire(cli, ttl, options, life):
    before = time.time_ns()
    cli.ok("apply", cli.workflow(LEFT.format(ttl=ttl)), *options)
    (row,) = cli.json("resources")
    tag = parse_tag(row["name"])
    assert tag.run == row["run"]
    if not life:
        assert (row["expires_ns"], tag.expires_ns) == (0, 0)
    else:
        assert tag.expires_ns == tag.started_ns + life * HOUR_NS
        assert before < row["expires_ns"] - life * HOUR_NS < time.time_ns()
        assert f"in {life - 1} h 59 min" in cli.ok("resources")
    assert cli.json("resources", "--expired") == []


def test_resources_says_what_has_expired_how_old_it_is_and_how_its_run_ended(cli):
    cli.ok("apply", cli.workflow(LEFT.format(ttl="ttl: 1ms")))
    (row,) = cli.json("resources", "--expired")
    assert (row["kind"], row["state"], row["run_state"]) == ("embedded.cloud", "created", "succeeded")
    assert row["external_id"].isdigit()
    header, line = cli.ok("resources").splitlines()
    assert " ".join(header.split()) == "id run run state step kind name state external id age expires"
    assert line.endswith("ago")
    assert row["external_id"] in line


def test_resources_can_be_chosen_by_run_and_kind(cli):
    for _ in range(2):
        cli.ok("apply", cli.workflow(LEFT.format(ttl="")))
    first, second = cli.json("resources")
    assert cli.json("resources", "--run", second["run"]) == cli.json("resources", second["run"]) == [second]
    for kind in ("embedded", "cloud", "embedded.cloud"):
        assert cli.json("resources", "--kind", kind) == [first, second]
    assert cli.json("resources", "--kind", "server") == []
    assert "twice" in cli.run("resources", "@latest", "--run", "@latest").stderr


def test_the_file_that_is_run_decides_for_the_workflows_inside(cli):
    inner = 'outputs: {cloud: "${{ steps.cloud.cloud }}"}\n'
    cli.workflow(LEFT.format(ttl="ttl: 5h") + inner, "inner.yaml")
    outer = "rallyflow: 1\nname: outer\nttl: 2h\nteardown: never\nsteps: {all: {uses: ./inner.yaml}}\n"
    assert "what stays expires after 2 h 00 min" in cli.run("plan", cli.workflow(outer, "outer.yaml")).stderr
    cli.ok("apply", cli.workflow(outer, "outer.yaml"))
    assert "-x2h-" in cli.json("resources")[0]["name"]


@pytest.mark.parametrize("ttl", ["0s", "8w", "-1h", "soon"])
def test_a_ttl_that_is_none_is_refused(cli, ttl):
    file = cli.workflow(LEFT.format(ttl=""))
    assert cli.run("apply", file, f"--ttl={ttl}").returncode == 1
    assert cli.run("validate", cli.workflow(LEFT.format(ttl=f"ttl: {ttl}"))).returncode == 3
