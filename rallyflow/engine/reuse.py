"""Decides what of an earlier run counts for a plan: which steps keep their outcomes, which run, and why.

One algorithm serves `resume --with FILE`, `rerun` in all its forms, and the plan that is shown before either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rallyflow.engine.answering import is_done
from rallyflow.engine.changes import UPSTREAM, changes
from rallyflow.errors import UsageError
from rallyflow.hints import did_you_mean
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan, PlannedStep, foreach_cells
from rallyflow.model.records import StepRecord
from rallyflow.model.states import StepState


class Selection(StrEnum):
    """What is to run although it has an outcome."""

    CHANGED = "changed"  # what the file has changed, and what comes after it
    EVERYTHING = "everything"
    FROM = "from"  # the chosen steps, and what comes after them
    ONLY = "only"  # the chosen steps, and nothing else that they can do without
    FAILED = "failed"  # what did not succeed, and what comes after it


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which steps a person wants to run; `chosen` are the ids of FROM and ONLY."""

    selection: Selection = Selection.CHANGED
    chosen: frozenset[StepId] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a step: it keeps the outcome of its record, or runs."""

    kept: StepRecord | None
    why: str
    anew: bool = False  # it had done something that counts no more
    skipped: StepRecord | None = None  # by its own condition, which is asked again without harm to what it led to

    @property
    def stays(self) -> bool:
        """Whether what comes after it has nothing new to expect."""
        return self.kept is not None or self.skipped is not None


@dataclass(frozen=True, slots=True)
class Reuse:
    """A plan, with its foreach steps as far as they are kept, and what happens to each of its steps."""

    plan: Plan
    decisions: Mapping[StepId, Decision]
    gone: tuple[StepId, ...] = ()  # steps of the earlier run that the plan does not have
    decided: frozenset[StepId] = frozenset()  # kept failures that pause, for which the plan has what a person decided

    @property
    def kept(self) -> list[StepRecord]:
        """The records that count."""
        return [decision.kept for decision in self.decisions.values() if decision.kept is not None]

    @property
    def skipped(self) -> list[StepRecord]:
        """The records of what was skipped by its own condition, and will be again."""
        return [decision.skipped for decision in self.decisions.values() if decision.skipped is not None]

    @property
    def unexpanded(self) -> Plan:
        """The plan as its file has it: without what only the run knew."""
        parents = {step.id for step in self.plan.steps if step.foreach is not None}
        cells = {cell for parent in parents for cell in self.plan.groups.get(parent, ())}
        groups = {name: ids for name, ids in self.plan.groups.items() if name not in parents}
        steps = tuple(
            replace(step, on_failure="pause") if step.id in self.decided else step
            for step in self.plan.steps
            if step.id not in cells
        )
        return replace(self.plan, steps=steps, groups=groups)

    @property
    def why(self) -> dict[StepId, str]:
        """Why each step is kept or runs."""
        return {step: decision.why for step, decision in self.decisions.items()}

    @property
    def outlook(self) -> list[StepRecord]:
        """The steps as they stand when this is what counts: kept, or still to do."""
        return [self._outlook_of(step) for step in self.plan.steps]

    def _outlook_of(self, step: PlannedStep) -> StepRecord:
        decision = self.decisions[step.id]
        record = decision.kept or decision.skipped
        if record is None:
            return StepRecord(RunId(""), step.id, step.name, step.uses, StepState.PLANNED)
        return replace(record, origin=record.origin or record.run)

    @property
    def runs(self) -> list[StepId]:
        """The steps that run."""
        return [step for step, decision in self.decisions.items() if not decision.stays]


def reuse(plan: Plan, before: Plan, records: Sequence[StepRecord], wanted: Wanted) -> Reuse:
    """Decide about every step of a plan; `before` is the plan of the earlier run as it went, with its records."""
    deciding = _Deciding(plan, {step.id: step for step in before.steps}, {step.id: step for step in records}, wanted)
    deciding.run()
    decided = replace(plan, steps=tuple(deciding.steps), groups=deciding.groups)
    if wanted.selection is Selection.ONLY:
        decided = _without_the_rest(decided, deciding.decisions, wanted.chosen)
    names = {step.id for step in decided.steps}
    gone = tuple(step.id for step in records if step.id not in names)
    decisions = {step.id: deciding.decisions[step.id] for step in decided.steps}
    return Reuse(decided, decisions, gone, frozenset(deciding.decided & names))


@dataclass(slots=True)
class _Deciding:
    plan: Plan
    before: Mapping[StepId, PlannedStep]
    records: Mapping[StepId, StepRecord]
    wanted: Wanted
    steps: list[PlannedStep] = field(default_factory=list)
    groups: dict[str, tuple[StepId, ...]] = field(default_factory=dict)
    decisions: dict[StepId, Decision] = field(default_factory=dict)
    decided: set[StepId] = field(default_factory=set)

    def run(self) -> None:
        self.groups = dict(self.plan.groups)
        for planned in self.plan.steps:
            self._decide(planned)
            kept = self.decisions[planned.id].kept
            if planned.foreach is not None and kept is not None:
                cells = foreach_cells(planned, kept.outputs.get("items", ()))
                self.groups[planned.id] = tuple(cell.id for cell in cells)
                for cell in cells:
                    self._decide(cell)

    def _decide(self, planned: PlannedStep) -> None:
        record = self.records.get(planned.id)
        decided = self._as_decided(planned)
        why = self._why_it_runs(decided, record)
        if why is None and record is not None:
            self.steps.append(decided)
            if decided is not planned:
                self.decided.add(planned.id)
            self.decisions[planned.id] = Decision(record, f"it has {record.state}")
        else:
            self.steps.append(planned)
            anew = record is not None and (is_done(decided, record.state) or record.fingerprint != planned.fingerprint)
            self.decisions[planned.id] = Decision(None, why or "", anew, self._skipped(planned, record))

    def _as_decided(self, planned: PlannedStep) -> PlannedStep:
        """Return a step with what a person has decided about its failure, which counts while it is as it was."""
        old = self.before.get(planned.id)
        if (
            old is None
            or planned.on_failure != "pause"
            or old.on_failure == "pause"
            or old.fingerprint != planned.fingerprint
        ):
            return planned
        return replace(planned, on_failure=old.on_failure)

    def _why_it_runs(self, planned: PlannedStep, record: StepRecord | None) -> str | None:
        """Return why a step runs; None when it keeps its outcome."""
        selection = self.wanted.selection
        if planned.id in self.wanted.chosen:
            return "asked for"
        if record is None:
            return "not in the earlier run"
        if selection is Selection.EVERYTHING:
            return ""
        failed = selection is Selection.FAILED and record.state is not StepState.SUCCEEDED
        changed = self._what_changed(planned) if record.fingerprint != planned.fingerprint else ""
        if failed or not is_done(planned, record.state):
            what = record.reason if changed in ("", UPSTREAM) else changed
            return f"it was {record.state}" + (f": {what}" if what else "")
        if changed:
            return changed
        return None if selection is Selection.ONLY else self._why_again(planned)

    def _why_again(self, planned: PlannedStep) -> str | None:
        running = (step for step in self._needs(planned) if not self.decisions[step].stays)
        again = next(running, None)
        return f"{again} runs again" if again is not None else None

    def _skipped(self, planned: PlannedStep, record: StepRecord | None) -> StepRecord | None:
        if record is None or record.state is not StepState.SKIPPED or planned.id in self.wanted.chosen:
            return None
        same = record.fingerprint == planned.fingerprint and self._why_again(planned) is None
        return record if same else None

    def _what_changed(self, planned: PlannedStep) -> str:
        old = self.before.get(planned.id)
        found = changes(old, planned) if old is not None else []
        return "; ".join(str(change) for change in found) or UPSTREAM

    def _needs(self, planned: PlannedStep) -> Iterable[StepId]:
        for need in (*planned.needs, *([planned.gate] if planned.gate else [])):
            yield from (step for step in self.groups.get(need, (StepId(need),)) if step in self.decisions)


def _without_the_rest(plan: Plan, decisions: Mapping[StepId, Decision], chosen: frozenset[StepId]) -> Plan:
    """Return the part of a plan that is kept or chosen, with what the chosen steps can't do without."""
    by_id = {step.id: step for step in plan.steps}
    todo = list(chosen)
    wanted = set(chosen)
    while todo:
        step = by_id[todo.pop()]
        for need in (*step.needs, *([step.gate] if step.gate else [])):
            for each in plan.groups.get(need, (StepId(need),)):
                if each not in wanted and decisions[each].kept is None:
                    wanted.add(each)
                    todo.append(each)
    stays = {step for step, decision in decisions.items() if decision.kept is not None} | wanted
    for step in plan.steps:  # the journal has the items of a foreach step only as a whole
        if step.foreach is not None and step.id in stays:
            stays.update(plan.groups.get(step.id, ()))
    groups = {name: tuple(step for step in ids if step in stays) for name, ids in plan.groups.items()}
    groups = {name: ids for name, ids in groups.items() if ids or StepId(name) in stays}
    there = {*stays, *groups}
    steps = (
        replace(
            step,
            needs=tuple(need for need in step.needs if need in there),
            after=tuple(each for each in step.after if each in there),
        )
        for step in plan.steps
        if step.id in stays
    )
    return replace(plan, steps=tuple(steps), groups=groups)


def chosen_steps(known: Mapping[StepId, str], names: Iterable[str]) -> frozenset[StepId]:
    """Return the steps that a person names: by id, by what the cells of a matrix share, or by the workflow around them.

    `known` has the name of each step by its id. Raises UsageError for a name that fits none.
    """
    found: set[StepId] = set()
    for name in names:
        fits = {step for step, shared in known.items() if name in (step, shared) or step.startswith(f"{name}/")}
        if not fits:
            raise UsageError(f"there is no step {name!r}", hint=did_you_mean(name, dict.fromkeys(known.values())))
        found |= fits
    return frozenset(found)
