"""How long a real OpenStack takes: containers, a cloud on one server and on several, its first boot, a changed option.

Run by hand, as root: python tests/bench/bench_openstack.py. It runs the program as a user does, in a home of its own,
and takes the durations from its journal; images and dumps of tables are made first where they are missing. Wall time:
what else runs on the machine counts, and the load is printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("rallyflow")
HEAD = "rallyflow: 1\nname: bench\nsteps:\n"
SERVERS = "  servers: {uses: provision/lxc, with: {count: %d%s}}\n"
CLOUD = '  cloud: {uses: deploy/debian, with: {servers: "${{ steps.servers.servers }}", roles: %s}}\n'
BOOT = """
  boot:
    uses: benchmark
    with:
      cloud: ${{ steps.cloud.cloud }}
      scenario: nova.boot_server
      args: {image: {name: cirros}, flavor: {name: m1.tiny}}
      load: {serial: {iterations: 1}}
  change:
    uses: deploy/debian
    needs: [boot]
    with: {cloud: "${{ steps.cloud.cloud }}", config: {nova: {conductor: {workers: 2}}}}
"""
IMAGE = ', packages: ["@openstack"]'
ALL = "{controller: [server1], compute: [server1], network: [server1], storage: [server1]}"
SEVERAL = "{controller: 1, compute: 2}"


def run(home: Path, text: str) -> dict[str, float]:
    """Run a workflow, and return the seconds that each of its steps took."""
    file = home.with_suffix(".yaml")
    file.write_text(HEAD + text)
    subprocess.run([PROGRAM, "apply", "--home", home, file], check=True, capture_output=True)
    query = "SELECT step, duration_s FROM attempts ORDER BY started_at"
    sql = [PROGRAM, "sql", "--home", home, "--json", query]
    shown = subprocess.run(sql, check=True, capture_output=True, text=True)
    return {row["step"]: row["duration_s"] for row in json.loads(shown.stdout)}


def tell(what: str, seconds: float, bar: str) -> None:
    print(f"{what:52} {seconds:6.1f} s   bar {bar}; load {os.getloadavg()[0]:.1f}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        run(place / "image", SERVERS % (1, IMAGE) + CLOUD % ALL)  # makes what is cached
        three = run(place / "three", SERVERS % (3, IMAGE))
        tell("three containers, until all answer by ssh", three["servers"], "2 s")
        one = run(place / "one", SERVERS % (1, IMAGE) + CLOUD % ALL + BOOT)
        tell("one server: deployed", one["cloud"], "150 s with the boot")
        tell("one server: from the image to the first ACTIVE", one["servers"] + one["cloud"] + one["boot"], "150 s")
        tell("one server: a changed option of Nova is live", one["change"], "20 s")
        several = run(place / "several", SERVERS % (3, IMAGE) + CLOUD % SEVERAL + BOOT)
        tell("a controller and two computes: deployed", several["cloud"], f"{1.5 * one['cloud']:.0f} s")
        tell("a controller and two computes: changed option", several["change"], "20 s")
        print(f"several servers in relation to one: {several['cloud'] / one['cloud']:.2f} (bar 1.5)")


if __name__ == "__main__":
    main()
