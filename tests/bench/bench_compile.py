"""How long compiling takes, and how much memory: cells of a matrix, steps written out, workflows as steps.

Run by hand: python tests/bench/bench_compile.py. Each measurement is a process of its own, CPU time, peak memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
INNER = """rallyflow: 1
name: inner
params: {n: {type: int}}
steps:
  a: {uses: shell, with: {run: "echo ${{ params.n }}"}}
  b: {uses: noop, with: {value: "${{ steps.a.stdout }}"}}
outputs: {out: "${{ steps.b.value }}"}
"""


def cells(count: int) -> str:
    return f"""rallyflow: 1
name: cells
steps:
  a:
    uses: shell
    matrix: {{n: "${{{{ range({count // 100}) }}}}", m: "${{{{ range(100) }}}}"}}
    with: {{run: "echo ${{{{ matrix.n }}}} ${{{{ matrix.m }}}}"}}
"""


def written(count: int) -> str:
    steps = ["  s0: {uses: shell, with: {run: echo}}"]
    steps += [
        f'  s{i}: {{uses: shell, with: {{run: "echo ${{{{ steps.s{i - 1}.stdout }}}}"}}}}' for i in range(1, count)
    ]
    return "rallyflow: 1\nname: written\nsteps:\n" + "\n".join(steps) + "\n"


def nested(count: int) -> str:
    return f"""rallyflow: 1
name: nested
steps:
  a: {{uses: ./inner.yaml, matrix: {{n: "${{{{ range({count}) }}}}"}}, with: {{n: "${{{{ matrix.n }}}}"}}}}
"""


def measure(path: Path) -> None:
    """Compile a file in this process, and print seconds of CPU, MiB, and steps."""
    from rallyflow.compile.compiler import compile_file

    started = time.process_time()
    plan = compile_file(path)
    seconds = time.process_time() - started
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:8.2f} s {mebibytes:8.0f} MiB {seconds / len(plan.steps) * 1e3:8.3f} ms per step")


def wall(command: list[str]) -> float:
    """Return the best of five runs of a command, in seconds."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    shapes = [(cells, 1_000), (cells, 10_000), (cells, 100_000), (written, 1_000), (written, 5_000), (written, 20_000)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inner.yaml").write_text(INNER)
        for shape, count in [*shapes, (nested, 100), (nested, 1_000)]:
            path = Path(folder) / f"{shape.__name__}-{count}.yaml"
            path.write_text(shape(count))
            print(f"{shape.__name__:8} {count:8}", end="", flush=True)
            subprocess.run([sys.executable, __file__, str(path)], check=True)
    nothing = wall([sys.executable, "-c", "pass"])
    for verb in (["--version"], ["validate", "workflows/cloud-bench.yaml"]):
        took = wall([sys.executable, "-m", "rallyflow", *verb])
        print(f"rallyflow {' '.join(verb)}: {took:.3f} s ({took / nothing:.1f} times python -c pass)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        main()
