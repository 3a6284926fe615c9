"""Plans of no-op steps to measure the engine with: one behind the other, and all side by side between two others."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from rallyflow.compile.compiler import compile_file
from rallyflow.model.ids import StepId
from rallyflow.model.plan import Plan, PlannedStep

_AXIS = 100  # a range has at most 10 000 numbers


def chain(count: int) -> Plan:
    """Return a plan in which each step takes the value of the one before.

    A file has room for some 5 000 such steps, so the compiler's own third step is the model of all that follow: but
    for `where` and the fingerprint, the plan is what the compiler makes of a file with all of them.
    """
    head = [f"  s{i}: {{uses: noop, with: {{value: {_value_of(i - 1) if i else 1}}}}}" for i in range(3)]
    plan = _compiled("rallyflow: 1\nname: chain\nsteps:\n" + "\n".join(head) + "\n")
    model = plan.steps[2]
    return replace(plan, steps=(*plan.steps, *(_behind(model, i) for i in range(3, count))))


def fan_out(count: int) -> Plan:
    """Return a plan with a matrix of `count` cells behind one step, and one step behind all of them."""
    return _compiled(f"""
rallyflow: 1
name: fan
steps:
  first: {{uses: noop, with: {{value: 1}}}}
  cell:
    uses: noop
    matrix: {{x: "${{{{ range({count // _AXIS}) }}}}", y: "${{{{ range({_AXIS}) }}}}"}}
    with: {{value: "${{{{ steps.first.value + matrix.y }}}}"}}
  last: {{uses: noop, with: {{value: "${{{{ steps.cell.value | sum }}}}"}}}}
""")


def in_workers(plan: Plan) -> Plan:
    """Return the same plan with every step in a worker process."""
    return replace(plan, steps=tuple(replace(step, inline=False) for step in plan.steps))


SHAPES = {"chain": chain, "fan-out": fan_out}


def _behind(model: PlannedStep, number: int) -> PlannedStep:
    name = f"s{number}"
    [place] = model.deferred
    deferred = replace(place, source=_value_of(number - 1).strip('"'))
    return replace(model, id=StepId(name), name=name, needs=(f"s{number - 1}",), deferred=(deferred,))


def _value_of(number: int) -> str:
    return f'"${{{{ steps.s{number}.value }}}}"'


def _compiled(text: str) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workflow.yaml"
        path.write_text(text)
        return compile_file(path)
