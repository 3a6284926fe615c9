"""Explains step types and their families, from the classes themselves."""

from __future__ import annotations

from typing import Any

from rallyflow import plugins
from rallyflow.explanations.models import doc_of, keys_of
from rallyflow.explanations.topic import Topic
from rallyflow.model.step import OnResume, StepType

RESUMES = {
    OnResume.IDEMPOTENT: "run again",
    OnResume.RECONCILE: "what it had made is removed or taken over, then it is run again",
    OnResume.WATERMARK: "what it had stored is kept, and only the rest is run",
    OnResume.MANUAL: "a person is asked",
}
"""What `resume` does with an attempt that was in flight, in words."""


def explain_step(uses: str) -> Topic:
    """Return the explanation of a step type that is installed."""
    step: Any = plugins.step_type(uses)
    facts = {"when its engine died": RESUMES[step.on_resume], "version": step.version}
    if step.locks:
        facts["locks"] = f"{', '.join(step.locks)} (no two holders run at a time)"
    if step.revive is not StepType.revive:
        facts["on resume"] = "what it left running is probed, and woken where needed"
    summary, _, rest = doc_of(step).partition("\n")
    return Topic(
        "step type",
        uses,
        summary,
        facts,
        {"": rest.strip()} if rest.strip() else {},
        {"with": keys_of(step.Inputs), "outputs": keys_of(step.Outputs)},
        see=tuple(f"{uses}.{key.name}" for key in keys_of(step.Inputs)),
    )


def explain_family(family: str) -> Topic:
    """Return the explanation of what stands before the slash: its plugins, with what each does."""
    names = [f"{family}/{name}" for name in plugins.names(plugins.FAMILIES[family])]
    summaries = {uses: doc_of(plugins.step_type(uses)).partition("\n")[0] for uses in names}
    return Topic("family", family, _FAMILIES[family], facts=summaries, see=tuple(names))


_FAMILIES = {
    "provision": "Steps that provide servers.",
    "deploy": "Steps that build a cloud, or find one.",
    "verify": "Steps that check a cloud.",
    "report": "Steps that write what was measured.",
}
