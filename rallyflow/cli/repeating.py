"""What `rallyflow verification rerun` and `import` do: both make a run, as `rerun` and `apply` do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rallyflow.cli.options import open_reader
from rallyflow.cli.output import say
from rallyflow.errors import Exit, UsageError
from rallyflow.settings import Home

_TEMPEST = "verify/tempest"


def repeat(home: Home, run: str, *, failed: bool, parallel: int, as_json: bool) -> Exit:
    """Run the verifications of a run again, with all else taken over; with `failed`, only their tests that failed."""
    from rallyflow.cli.detached import run_anywhere
    from rallyflow.engine.reuse import Selection, Wanted
    from rallyflow.engine.revising import look_ahead, rerun, workflow_of
    from rallyflow.engine.session import read_plan
    from rallyflow.report.verifications import chosen_of

    reader = open_reader(home)
    reference, _, step = run.partition(":")
    record = reader.find(reference or "@latest")
    found = chosen_of(reader, record, step, run)
    if failed:
        found = [each for each in found if _failures(each.counts)]
        other = next((each for each in found if each.step.uses != _TEMPEST), None)
        if other is not None:
            raise UsageError(
                f"{other.place} is of {other.step.uses}, which runs all of its tests or none",
                hint="leave --failed out, or name the step of verify/tempest as RUN:STEP",
            )
        if not found:
            raise UsageError(f"no test failed in run {record.id}", hint="leave --failed out to repeat all of them")
    ids = frozenset(each.step.id for each in found)
    plan = replace(read_plan(home.run(record.id), record.plan), file=str(record.workflow))
    if failed:
        steps = (_only_failed(step, record.id) if step.id in ids else step for step in plan.steps)
        plan = replace(plan, steps=tuple(steps))
    decided = look_ahead(reader, home, record, plan, Wanted(Selection.ONLY, ids))
    text = workflow_of(home, record)
    say(f"a new run of {plan.name} repeats {', '.join(sorted(ids))} of run {record.id}")

    def start(listener: Any, signals: Any) -> Any:
        return rerun(home, record.id, decided, text, workers=parallel, listener=listener, signals=signals)

    reader.journal.close()
    return run_anywhere(home, start, workers=parallel, as_json=as_json, detach=False)


def _failures(counts: dict[str, int]) -> int:
    return counts["failed"] + counts["errored"] + counts["uxsuccess"]


def _only_failed(step: Any, run: str) -> Any:
    return replace(step, inputs={**step.inputs, "failed_of": f"{run}:{step.id}"})


def bring_in(home: Home, file: Path, kind: str, name: str, xfail: Path | None, *, as_json: bool) -> Exit:
    """Make a run of one step, `verify/import`, of a file of results."""
    import yaml

    from rallyflow.cli.detached import run_anywhere
    from rallyflow.compile.compiler import compile_data
    from rallyflow.compile.reader import read_text
    from rallyflow.engine.session import begin

    if not file.is_file():
        raise UsageError(f"there is no file {file}", hint="a stream on a pipe has to be written to a file first")
    inputs = {"file": str(file.absolute()), "format": kind}
    if xfail is not None:
        inputs["xfail"] = str(xfail.absolute())
    workflow = {
        "rallyflow": 1,
        "name": name or "imported",
        "description": f"The results in {file.name}, which something else has made.",
        "steps": {"tests": {"uses": "verify/import", "with": {key: _literal(value) for key, value in inputs.items()}}},
    }
    text = yaml.safe_dump(workflow, sort_keys=False, allow_unicode=True).encode()
    data, source = read_text(text, "imported.yaml")
    plan = compile_data(data, source, {})

    def start(listener: Any, signals: Any) -> Any:
        return begin(home, plan, text, workers=1, listener=listener, signals=signals)

    return run_anywhere(home, start, workers=1, as_json=as_json, detach=False)


def _literal(text: str) -> str:
    """Return a text that no expression is looked for in."""
    return text.replace("${{", "${{ '${{' }}")
