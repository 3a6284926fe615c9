"""doit: task actions are functions; the state of all tasks is written once, at the end of the run."""

from __future__ import annotations

import os
import tempfile

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from peers.timing import COUNT, SHAPE, timed


def noop() -> bool:
    return True


def task_step():
    for number in range(COUNT):
        behind = [f"step:{number - 1}"] if number and SHAPE == "chain" else []
        yield {
            "name": str(number),
            "actions": [noop],
            "task_dep": behind or (["first"] if SHAPE == "fan-out" else []),
            "verbosity": 0,
        }


def task_first():
    return {"actions": [noop]}


def task_last():
    return {"actions": [noop], "task_dep": ["step"]}


if __name__ == "__main__":
    os.chdir(tempfile.mkdtemp())
    tasks = {"task_step": task_step, "task_first": task_first, "task_last": task_last}
    with timed():
        code = DoitMain(ModuleTaskLoader(tasks)).run(["run", "--output-file", "out.txt"])
    assert code == 0
