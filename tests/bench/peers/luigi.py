"""Luigi with its local scheduler: that a task is done is the file that it leaves, here an empty one."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import luigi
from peers.timing import COUNT, SHAPE, timed


class Noop(luigi.Task):
    number = luigi.IntParameter()

    def requires(self):
        return Noop(number=self.number - 1) if self.number else []

    def output(self):
        return luigi.LocalTarget(f"{self.number}.done")

    def run(self):
        Path(self.output().path).touch()


class Cell(Noop):
    def requires(self):
        return Noop(number=0)

    def output(self):
        return luigi.LocalTarget(f"cell-{self.number}.done")


class Last(Noop):
    def requires(self):
        return [Cell(number=number) for number in range(COUNT)]

    def output(self):
        return luigi.LocalTarget("last.done")


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    logging.disable()
    with timed():
        done = luigi.build(
            [Noop(number=COUNT - 1) if SHAPE == "chain" else Last(number=0)], local_scheduler=True, no_lock=True
        )
    assert done
