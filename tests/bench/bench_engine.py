"""CPU of the engine for a no-op step, journalled as usual: chain and fan-out.

Run by hand: python tests/bench/bench_engine.py [N ...]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from rallyflow.compile.compiler import compile_file
from rallyflow.engine.session import begin
from rallyflow.engine.signals import Signals
from rallyflow.settings import Home

BARS = {"compile": 0.2, "run": 0.3}  # ms of CPU per step


class Silent:
    def happened(self, event):
        pass

    def progressed(self, step, progress):
        pass


def chain(count: int) -> str:
    steps = ["  s0: {uses: noop, with: {value: 1}}"]
    steps += [f"  s{i}: {{uses: noop, with: {{value: '${{{{ steps.s{i - 1}.value }}}}'}}}}" for i in range(1, count)]
    return "rallyflow: 1\nname: chain\nsteps:\n" + "\n".join(steps) + "\n"


def fan_out(count: int) -> str:
    return f"""
rallyflow: 1
name: fan
steps:
  first: {{uses: noop, with: {{value: 1}}}}
  cell:
    uses: noop
    matrix: {{x: "${{{{ range({count}) | list }}}}"}}
    with: {{value: "${{{{ steps.first.value + matrix.x }}}}"}}
  last: {{uses: noop, with: {{value: "${{{{ steps.cell.value | sum }}}}"}}}}
"""


def measure(shape: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workflow.yaml"
        path.write_text({"chain": chain, "fan-out": fan_out}[shape](count))
        started = time.process_time()
        plan = compile_file(path)
        compiled = time.process_time()
        wall = time.perf_counter()
        ending = begin(Home(Path(folder) / "home"), plan, b"", workers=2, listener=Silent(), signals=Signals())
        ran, took = time.process_time(), time.perf_counter() - wall
        assert ending.state == "succeeded"
    per = {"compile": (compiled - started) / count * 1e3, "run": (ran - compiled) / count * 1e3}
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{shape:8} {count:6}  compile {per['compile']:.3f} ms/step  run {per['run']:.3f} ms/step CPU"
        f" (bar {BARS['run']})  wall {took / count * 1e3:.3f} ms/step  rss {rss:.0f} MB"
    )


if __name__ == "__main__":
    for number in [int(word) for word in sys.argv[1:]] or [1000, 10_000]:
        for name in ("chain", "fan-out"):
            if not (name == "chain" and number > 5000):  # the file itself may have 200 000 values
                measure(name, number)
