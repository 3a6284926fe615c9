"""Finds the explanation of a word: `RF0203`, `benchmark`, `benchmark.load.constant`, `retry.delay`, `filter.map`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rallyflow import plugins
from rallyflow.errors import Exit, UsageError
from rallyflow.explanations import codes, library, models, steps
from rallyflow.explanations.sections import sections
from rallyflow.explanations.topic import Topic
from rallyflow.hints import did_you_mean

EXITS = {
    Exit.OK: "All went well.",
    Exit.USAGE: "The command line was wrong, or rallyflow itself made a mistake.",
    Exit.CHANGES: "A plan has changes to make.",
    Exit.INVALID: "The workflow file has errors; nothing was started.",
    Exit.ERRORED: "A step could not be done.",
    Exit.FAILED: "Everything could be done, and something is bad: an SLA was missed, or a test failed.",
    Exit.INCONCLUSIVE: "Everything could be done, but a measurement can't be trusted.",
    Exit.PAUSED: "The run waits for a person.",
    Exit.LOCKED: "Another process works on the run.",
    Exit.LEFT_BEHIND: "Resources could not be removed; `rallyflow destroy` tries again.",
    Exit.INTERRUPTED: "The run was stopped by a signal; `rallyflow resume` goes on.",
}
"""What each exit code means."""

_GROUPS = {"contexts": "contexts", "sla": "sla"}
"""Inputs of `benchmark` whose keys are plugins, with the group of those."""


def roots() -> Mapping[str, Any]:
    """Return the models of the workflow file by the word that names each."""
    from rallyflow.model import workflow
    from rallyflow.model.retry import RetryPolicy
    from rallyflow.model.secret import SecretSource

    return {
        "workflow": workflow.Workflow,
        "step": workflow.Step,
        "param": workflow.Param,
        "secret": SecretSource,
        "defaults": workflow.Defaults,
        "retry": RetryPolicy,
        "timeout": workflow.Timeouts,
    }


def words() -> tuple[str, ...]:
    """Return every word that can be explained, but for keys below those of a step type or model."""
    fixed = [*codes.codes(), *(f"exit.{int(each)}" for each in Exit), *roots(), *sections(), *plugins.FAMILIES]
    fixed += library.KINDS
    inner = [f"{kind}.{name}" for kind in library.KINDS for name in library.entries()[kind]]
    keys = [f"{root}.{key.name}" for root, model in roots().items() for key in models.keys_of(model)]
    return tuple(dict.fromkeys([*fixed, *plugins.step_types(), *keys, *inner]))


def explain(word: str) -> Topic:
    """Return the explanation of a word; UsageError, with what was probably meant, when there is none."""
    if word.upper() in codes.explained():
        return codes.explain_code(word.upper())
    start, dot, rest = word.partition(".")
    if dot and not rest:
        raise _unknown(word, words())
    if start == "exit" and rest.isdecimal() and int(rest) in {int(each) for each in Exit}:
        return Topic("exit code", word, EXITS[Exit(int(rest))])
    if start in library.KINDS and (not rest or rest in library.entries()[start]):
        return library.explain_entry(start, rest) if rest else library.explain_kind(start)
    found = _of_file(start, rest) or _of_steps(start, rest)
    if found is None:
        raise _unknown(word, words())
    return found


def _of_file(start: str, rest: str) -> Topic | None:
    model = roots().get(start)
    if rest:
        return _key(start, [model], rest) if model is not None else None
    if model is None and start not in sections():
        return None
    keys = {start: models.keys_of(model)} if model is not None else {}
    see = tuple(f"{start}.{key.name}" for key in keys.get(start, ()))
    part = sections()[start]
    summary, _, text = part.text.partition("\n\n")
    if model is not None:
        summary, text = models.doc_of(model), part.text
    examples = {"example": part.example}
    texts = {"": text} if text else {}
    return Topic("part of a workflow file", start, summary, text=texts, keys=keys, examples=examples, see=see)


def _of_steps(start: str, rest: str) -> Topic | None:
    if start in plugins.FAMILIES:
        return None if rest else steps.explain_family(start)
    if start not in plugins.step_types():
        return None
    if not rest:
        return steps.explain_step(start)
    step = plugins.step_type(start)
    first, _, inner = rest.partition(".")
    if start == "benchmark" and first in _GROUPS and inner:
        return _plugin(f"{start}.{first}", _GROUPS[first], inner)
    if first in ("with", "outputs") and inner:
        return _key(f"{start}.{first}", [step.Inputs if first == "with" else step.Outputs], inner)
    return _key(start, [step.Inputs, step.Outputs], rest)


def _plugin(start: str, group: str, rest: str) -> Topic:
    """Return the explanation of a plugin whose class is the model of its settings, or of a key of it."""
    name, _, inner = rest.partition(".")
    if name not in plugins.names(group):
        raise _unknown(f"{start}.{name}", [f"{start}.{each}" for each in plugins.names(group)])
    model = plugins.load(group, name)
    if inner:
        return _key(f"{start}.{name}", [model], inner)
    return Topic("key", f"{start}.{name}", models.doc_of(model), keys={name: models.keys_of(model)})


def _key(start: str, roots: list[Any], rest: str) -> Topic:
    """Return the explanation of a key below the first of some models that has it."""
    known: list[str] = []
    for model in roots:
        found = models.explain_key(start, model, tuple(rest.split(".")))
        if isinstance(found, Topic):
            return found
        known += [f"{found[0]}.{name}" for name in found[1]]
    raise _unknown(f"{start}.{rest}", known)


def _unknown(word: str, known: Any) -> UsageError:
    hint = did_you_mean(word, known, "there are: {}") or "`rallyflow explain` lists what can be explained"
    return UsageError(f"{word!r} is nothing that can be explained", hint=hint)
