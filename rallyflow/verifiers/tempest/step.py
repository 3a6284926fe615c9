"""`verify/tempest`: the tests of OpenStack's developers against a cloud, in an environment of their own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from logging import Logger
from pathlib import Path
from typing import ClassVar

from rallyflow.clouds.connection import sign_in
from rallyflow.errors import RallyflowError, VerifierBroke
from rallyflow.masking import Mask
from rallyflow.model.secret import Secret
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, Progress, StepContext
from rallyflow.servers.private import write_private
from rallyflow.verifiers.booking import outcome
from rallyflow.verifiers.case import Case, CaseState, split_tags, totals
from rallyflow.verifiers.earlier import failed_of
from rallyflow.verifiers.environment import Environment, Interrupted
from rallyflow.verifiers.lists import (
    Listed,
    Reasons,
    Selection,
    all_judged,
    idle,
    judged,
    read_names,
    reasons_of,
    select,
    shown,
)
from rallyflow.verifiers.rerunning import again, merged
from rallyflow.verifiers.tempest.choosing import choose
from rallyflow.verifiers.tempest.conf import Account, compose, render
from rallyflow.verifiers.tempest.conf import merged as with_overrides
from rallyflow.verifiers.tempest.facts import gather
from rallyflow.verifiers.tempest.inputs import TempestInputs
from rallyflow.verifiers.tempest.listing import install
from rallyflow.verifiers.tempest.options import check as check_options
from rallyflow.verifiers.tempest.program import Options, Tempest, completed
from rallyflow.verifiers.tempest.workspace import KIND, TempestWorkspaces, given_account, make_account
from rallyflow.verifiers.verifier import Verifier, VerifyOutputs


class TempestStep(Verifier[TempestInputs]):
    """Run Tempest against a cloud, with a configuration that is found by asking the cloud."""

    Inputs = TempestInputs
    on_resume: ClassVar[OnResume] = OnResume.IDEMPOTENT

    def run(self, inputs: TempestInputs, context: StepContext) -> Outcome[VerifyOutputs]:
        lists = _Lists.read(inputs, context)
        try:
            made = install(inputs.version, inputs.plugins, context)
            check_options(inputs.config, made, context)
        except Interrupted:
            return _nothing(context)
        row = context.ledger.intend(
            KIND,
            f"{context.tag}-",
            inside=inputs.cloud.ledger_id,
            detail={"cloud": inputs.cloud.model_dump(mode="json"), "prefixes": [f"{_short(context)}-"]},
        )
        try:
            return _verify(inputs, context, made, lists)
        finally:
            _remove(row, context)


class _Lists:
    """The lists of tests that a step was given, read before anything else is done."""

    def __init__(self, load: Collection[str] | None, skip: Reasons, xfail: Reasons) -> None:
        self.load = load
        self.skip = skip
        self.xfail = xfail

    @classmethod
    def read(cls, inputs: TempestInputs, context: StepContext) -> _Lists:
        load: Collection[str] | None = None
        if inputs.load_list is not None:
            load = read_names(inputs.load_list) if isinstance(inputs.load_list, Path) else inputs.load_list
        if inputs.failed_of is not None:
            failed = failed_of(inputs.failed_of, context.history)
            load = failed if load is None else failed & {split_tags(name)[0] for name in load}
        return cls(load, reasons_of(inputs.skip), reasons_of(inputs.xfail))

    def select(self, tests: Sequence[Listed], inputs: TempestInputs, log: Logger) -> Selection:
        """Return what runs; a list to load is the whole choice unless the file names patterns as well."""
        chosen_by_list = self.load is not None and "pattern" not in inputs.model_fields_set
        patterns = () if chosen_by_list else inputs.pattern
        unknown = idle(tests, patterns, self.load)
        if unknown:
            log.warning("there is no test for %d of what is to run: %s", len(unknown), shown(unknown))
        unused = self.skip.without_tests({test.name for test in tests})
        if unused:
            total = len(self.skip.exact)
            log.warning("%d of %d in `skip` are about no test that there is: %s", len(unused), total, shown(unused))
        return select(tests, patterns, self.load, self.skip)


def _verify(inputs: TempestInputs, context: StepContext, made: Environment, lists: _Lists) -> Outcome[VerifyOutputs]:
    deadline = time.monotonic() + inputs.timeout if inputs.timeout is not None else None
    folder = _folder(context)
    _write_packages(made, folder)
    account = _configure(inputs, context, folder)
    context = replace(context, secrets=(*context.secrets, Secret(account.password)))
    tempest = Tempest(made, folder, context)
    tests, cut = tempest.list_tests(deadline)
    if cut:
        return _nothing(context) if cut == "stop" else outcome([], context, cut=cut)
    chosen = lists.select(tests, inputs, context.log)
    context.log.info("%d of %d tests run, %d are skipped", len(chosen.run), len(tests), len(chosen.skipped))
    options = Options(inputs.concurrency, deadline, inputs.test_timeout)
    cases, cut = _run(tempest, chosen.run, options, inputs.rerun_failed, _Watch(context, lists.xfail, len(chosen.run)))
    judgements = all_judged(cases, lists.xfail, context.log)
    skipped = [Case(test.name, CaseState.SKIPPED, message=reason, tags=test.tags) for test, reason in chosen.skipped]
    versions = {name: version for name, version in made.packages.items() if name == "tempest" or "plugin" in name}
    return outcome([*judgements, *skipped], context, versions, cut=cut)


def _run(
    tempest: Tempest, tests: Sequence[Listed], options: Options, reruns: int, watch: _Watch
) -> tuple[list[Case], str]:
    """Run tests, and those that failed again; returns them with why it was cut short, if it was."""
    if not tests:
        return [], ""
    heard = tempest.run(tests, options, watch.ended, watch.begun)
    cases, cut = completed(tests, heard.cases, heard.ended.cut), heard.ended.cut
    for number in range(1, reruns + 1):
        failed = again(tests, cases, watch.xfail)
        if not failed or cut:
            break
        watch.restart(len(failed), number)
        try:
            heard = tempest.run(failed, options, watch.ended, watch.begun)
        except VerifierBroke as error:
            watch.gave_up(error)
            break
        cut = heard.ended.cut
        cases = merged(cases, completed(failed, heard.cases, cut), cut)
    return cases, cut


class _Watch:
    """Tells how far the tests are, and writes each failure to the log at once."""

    def __init__(self, context: StepContext, xfail: Reasons, total: int) -> None:
        self.xfail = xfail
        self._context = context
        self._mask = Mask(context.secrets)
        self._total = total
        self._counts: Counter[CaseState] = Counter()
        self._again = ""

    def begun(self, name: str) -> None:
        """Say which test runs now."""
        self._tell(name)

    def ended(self, case: Case) -> None:
        """Count a test that has ended, and log it."""
        case = judged(case, self.xfail)
        self._counts[case.state] += 1
        write = self._context.log.warning if case.state.bad else self._context.log.info
        why = f": {self._mask.text(case.message)}" if case.message else ""
        write("%s %s (%.1f s)%s", case.state, case.name, case.duration_ns / 1e9, why)
        self._tell(case.name)

    def restart(self, total: int, number: int) -> None:
        """Begin to count anew, for tests that run again."""
        self._context.log.info("%d tests failed; running them again, for time %d", total, number)
        self._total, self._again = total, f"run again ({number}): "
        self._counts.clear()

    def gave_up(self, error: RallyflowError) -> None:
        """Say that tests could not run again, so that what they gave before counts."""
        self._context.log.warning("they do not run again, and stay as they were: %s", self._mask.text(str(error)))

    def _tell(self, name: str) -> None:
        bad = sum(count for state, count in self._counts.items() if state.bad)
        failed = f"{bad} failed; " if bad else ""
        short = ".".join(name.rsplit(".", 2)[-2:])
        self._context.report(
            Progress(min(sum(self._counts.values()), self._total), self._total, f"{self._again}{failed}{short}")
        )


def _folder(context: StepContext) -> Path:
    """Return an empty folder for this attempt, readable by nobody else."""
    folder = context.artifacts.absolute() / f"tempest-{context.attempt}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _write_packages(made: Environment, folder: Path) -> None:
    """Keep with the run what exactly was installed, in the form that pip installs from."""
    lines = (f"{name}=={version}\n" for name, version in sorted(made.packages.items()))
    (folder / "packages.txt").write_text("".join(lines), encoding="utf-8")


def _configure(inputs: TempestInputs, context: StepContext, folder: Path) -> Account:
    """Write tempest.conf; returns who Tempest is. What this makes in the cloud is booked already."""
    context.report(Progress(note="asking the cloud what it has"))
    facts = gather(inputs.cloud)
    session = sign_in(inputs.cloud)
    prefix = f"{context.tag}-"
    refs = choose(facts, inputs, session, prefix)
    account = make_account(session, f"{prefix}tempest") if inputs.isolate else given_account(session)
    sections = compose(facts, account, refs, prefix=_short(context), folder=folder)
    write_private(folder / "tempest.conf", render(with_overrides(sections, inputs.config)))
    return account


def _short(context: StepContext) -> str:
    """Return what names begin with that tests make: Keystone takes 64 characters, and Tempest's own part is long."""
    return f"rf-{context.key}"


def _remove(row: int, context: StepContext) -> None:
    """Remove what Tempest left; what can't go now stays in the ledger, and is no verdict on the cloud."""
    context.report(Progress(note="removing what the tests left"))
    mine = next(resource for resource in context.ledger.open() if resource.id == row)
    try:
        TempestWorkspaces().delete(mine)
    except RallyflowError as error:
        context.log.warning("what Tempest made is not all removed yet: %s", error)
    else:
        context.ledger.deleted(row)


def _nothing(context: StepContext) -> Outcome[VerifyOutputs]:
    outputs = VerifyOutputs(verification=totals(context.step, []))
    return Outcome(outputs, StepState.INTERRUPTED, "stopped before the first test")
