"""`deploy/existing`, with the simulated cloud of another run as a cloud that was there before."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

KEPT = """
rallyflow: 1
name: kept
steps:
  servers: {uses: provision/local}
  cloud: {uses: deploy/embedded, with: {servers: "${{ steps.servers.servers }}", keep: true}}
teardown: never
"""

USED = """
rallyflow: 1
name: used
steps:
  cloud: {uses: deploy/existing, with: %s}
  health:
    uses: verify/api
    with: {cloud: "${{ steps.cloud.cloud }}", image: cirros, flavor: m1.tiny}
  load:
    uses: benchmark
    needs: [health]
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_and_delete_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {serial: {iterations: 1}}
  sdk:
    uses: shell
    with:
      run: '"$PYTHON" -c "import openstack; print(len(list(openstack.connect().compute.flavors())))"'
      env:
        PYTHON: %s
        OS_CLIENT_CONFIG_FILE: ${{ steps.cloud.cloud.clouds_yaml }}
        OS_CLOUD: ${{ steps.cloud.cloud.name }}
"""
"""A cloud that is used in every way that there is."""


@pytest.fixture(scope="module")
def entry(cli_in, tmp_path_factory):
    """The entry of a clouds.yaml for a cloud that tests share, and must not break."""
    cli = cli_in(tmp_path_factory.mktemp("kept"))
    try:
        cli.ok("apply", cli.workflow(KEPT))
        (cloud,) = (row["outputs"]["cloud"] for row in cli.json("show", "@latest")["steps"] if row["name"] == "cloud")
        yield yaml.safe_load(Path(cloud["clouds_yaml"]).read_text())["clouds"][cloud["name"]]
    finally:
        cli.stop_all()


def use(cli, **given):
    """Return a workflow that uses a cloud in every way."""
    return cli.workflow(USED % (json.dumps(given), json.dumps(sys.executable)))


def succeeded(cli, *arguments, **env):
    cli.ok(*arguments, **env)
    assert {state for (state,) in cli.query("SELECT state FROM step")} == {"succeeded"}


def test_the_cloud_of_the_os_variables_serves_all_steps(cli, entry):
    variables = {f"OS_{name.upper()}": value for name, value in entry["auth"].items()}
    succeeded(cli, "apply", use(cli, cloud="envvars"), **variables, OS_REGION_NAME=entry["region_name"])
