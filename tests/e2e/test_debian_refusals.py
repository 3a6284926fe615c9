"""What `deploy/debian` says of servers that can't have a cloud: at once, and before it changes anything on them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("lxc_host")]

WORKFLOW = """
rallyflow: 1
name: refused
steps:
  servers:
    uses: provision/lxc
    with: {count: 1}
  cloud:
    uses: deploy/debian
    with: {servers: "${{ steps.servers.servers }}", %s}
"""


@pytest.fixture
def refused(cli_in, leftovers, tmp_path):
    """Run a deployment on a bare server; returns what the program says about it."""
    cli = cli_in(tmp_path)

    def run(options):
        done = cli.run("apply", cli.workflow(WORKFLOW % options), timeout=1800)
        assert done.returncode == 4, done.stdout + done.stderr
        return re.sub(r"\s+", " ", cli.ok("why", "@latest", "cloud"))

    yield run
    cli.stop_all()
    assert leftovers(cli.home) == []


def test_a_server_without_the_packages_and_without_a_way_to_them(refused):
    said = refused("services: {heat: true}")
    assert "RF0675" in said
    assert '"@openstack", "@openstack-heat"' in said
    assert "nat: true" in said


@pytest.mark.skipif("device-mapper" in Path("/proc/misc").read_text(), reason="this kernel has device-mapper")
def test_a_server_whose_kernel_has_no_volumes_for_lvm(refused):
    said = refused("volume_driver: lvm")
    assert "RF0676" in said
    assert "no device-mapper" in said
