"""`rallyflow discover`, against the simulated cloud."""

from __future__ import annotations

import pytest

KEPT = """
rallyflow: 1
name: kept
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}", keep: true}}
teardown: never
"""


@pytest.fixture
def kept(cli):
    cli.ok("apply", cli.workflow(KEPT))
    yield cli
    cli.ok("destroy", "@latest", "--yes")


def test_the_cloud_of_a_run_is_shown_with_what_it_offers(kept):
    found = kept.json("discover")
    services = {each["type"]: each for each in found["services"]}
    assert {"compute", "identity", "image", "network"} <= services.keys()
    assert services["compute"]["microversions"].startswith("2.1-2.")
    assert not any(each["error"] for each in services.values())
    assert "cirros" in [each["name"] for each in found["images"]]
    assert "m1.tiny" in [each["name"] for each in found["flavors"]]
    assert found["errors"] == []


def test_a_person_gets_tables(kept):
    shown = kept.ok("discover")
    for word in ("microversions", "cirros", "m1.tiny", "external"):
        assert word in shown


def test_a_cloud_is_named_by_its_entry(kept):
    (cloud,) = [row["outputs"]["cloud"] for row in kept.json("show", "@latest")["steps"] if row["name"] == "cloud"]
    found = kept.json("discover", "--cloud", cloud["name"], "--clouds-yaml", cloud["clouds_yaml"])
    assert found["auth_url"] == cloud["auth_url"]


def test_a_run_without_a_cloud_is_told_so(cli):
    cli.ok("apply", cli.workflow("rallyflow: 1\nname: none\nsteps: {nothing: {uses: noop}}\n"))
    done = cli.run("discover")
    assert done.returncode != 0
    assert "has no cloud" in done.stderr


@pytest.mark.parametrize("text", ["clouds: {mine: 5}", "clouds: {mine: [1]}", "clouds: {mine: {auth: x}}", "clouds: 7"])
def test_a_clouds_yaml_of_another_form_is_an_error_and_no_bug(cli, tmp_path, text):
    file = tmp_path / "clouds.yaml"
    file.write_text(text)
    done = cli.run("discover", "--cloud", "mine", "--clouds-yaml", str(file))
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "RF0613" in done.stderr


def test_a_run_and_a_name_are_one_too_many(cli):
    done = cli.run("discover", "@latest", "--cloud", "mycloud")
    assert done.returncode == 1
    assert "named twice" in done.stderr


def test_the_help_has_its_examples_on_lines_of_their_own(cli):
    shown = cli.ok("discover", "--help")
    assert [line.split()[0:2] for line in shown.splitlines() if "of the cloud that" in line] == [
        ["rallyflow", "discover"]
    ]
    assert "\\b" not in shown
