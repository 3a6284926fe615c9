"""How long a report takes, what memory and file: `python tests/bench/bench_report.py [ITERATIONS] [CELLS]`.

The bar: 1 000 000 iterations of 5 actions in at most 10 s, 1 GiB and 5 MB. The parts are made by DuckDB in
another process, so that the memory counted is the report's.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Part, RunRecord, StepRecord
from rallyflow.model.states import RunState, StepState

START = 1_795_363_501_000_000_000
ITERATIONS = """
COPY (
  SELECT 'bench' AS run, '{step}' AS step, 1::INTEGER AS attempt, i AS iteration, 0::SMALLINT AS process,
         (i % 20)::SMALLINT AS thread,
         {start} + i * 1000000 AS planned_ns, {start} + i * 1000000 AS started_ns,
         (15e6 + random() * 5e6 + exp(random() * 4) * 1e6)::BIGINT AS duration_ns, 0::BIGINT AS idle_ns,
         if(hash(i) % 1000 = 0, 'CloudAnswered', NULL) AS error_type,
         if(hash(i) % 1000 = 0, 'server ' || uuid() || ' went to ERROR', NULL) AS error_message,
         if(hash(i) % 1000 = 0, 'nova.boot_server', NULL) AS error_action
  FROM range({count}) rows(i)
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""
ACTIONS = """
COPY (
  SELECT 'bench' AS run, '{step}' AS step, 1::INTEGER AS attempt, i AS iteration, p::SMALLINT AS "position",
         -1::SMALLINT AS parent,
         ['nova.boot_server', 'nova.create_image', 'nova.delete_server', 'nova.boot_server',
         'nova.delete_server'][p + 1] AS "name", {start} + i * 1000000 AS started_ns,
         (2e6 + random() * 2e6 + exp(random() * 3) * 1e5)::BIGINT AS duration_ns, true AS ok,
         2::INTEGER AS requests,
         1000000::BIGINT AS http_ns, 0::BIGINT AS poll_ns
  FROM range({count}) rows(i), range(5) places(p)
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""


class Synthetic:
    """Speaks the protocol of a `History` over the parts in a folder."""

    def __init__(self, folder: Path, cells: int, count: int) -> None:
        self.record = RunRecord(
            RunId("bench"), "bench", RunState.SUCCEEDED, folder / "none.yaml", START, START + 10**12
        )
        self.cells = [
            StepRecord(
                self.record.id,
                StepId(f"load[users={n}]"),
                "load",
                "benchmark",
                StepState.SUCCEEDED,
                1,
                START,
                START + 10**12,
                {"users": n},
            )
            for n in range(1, cells + 1)
        ]
        self.booked = [
            Part(self.record.id, cell.id, 1, table, folder / f"{table}-{number}.parquet", count)
            for number, cell in enumerate(self.cells)
            for table in ("iterations", "actions")
        ]

    def run(self, run):
        del run
        return self.record

    def steps(self, run):
        del run
        return self.cells

    def parts(self, run):
        del run
        return self.booked


def fill(parts: list[Part]) -> None:
    """Write the parts."""
    import duckdb

    for part in parts:
        sql = ITERATIONS if part.table == "iterations" else ACTIONS
        duckdb.execute(sql.format(step=part.step, start=START, count=part.rows, path=part.path))


def main() -> None:
    """Make parts, then a report; print what it cost."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    cells = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as name:
        history = Synthetic(Path(name), cells, count // cells)
        writer = multiprocessing.get_context("spawn").Process(target=fill, args=(history.booked,))
        writer.start()
        writer.join()
        began, cpu = time.perf_counter(), time.process_time()
        from rallyflow.report.page import render

        html = render(history, "bench")
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{count} iterations x 5 actions in {cells} cells: {seconds:.2f} s ({cpu:.2f} s CPU), "
        f"{peak:.0f} MiB, {len(html.encode()) / 1e6:.2f} MB\n"
    )


if __name__ == "__main__":
    main()
