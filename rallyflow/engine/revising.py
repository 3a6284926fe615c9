"""Goes on with an edited workflow, or runs an earlier run again: what is unchanged counts, the rest runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rallyflow.engine.answering import as_decided, plan_as_it_went
from rallyflow.engine.locks import wait_for_the_dead
from rallyflow.engine.reopening import replanned, taken_over
from rallyflow.engine.reuse import Reuse, Wanted, reuse
from rallyflow.engine.secrets import read_secrets
from rallyflow.engine.session import Ending, Session, borrowed, new_record, prepare, read_plan, write_plan
from rallyflow.engine.signals import Signals
from rallyflow.engine.surroundings import Listener
from rallyflow.errors import UsageError
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import guarded
from rallyflow.model.ids import RunId, new_run_id
from rallyflow.model.plan import Plan
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState
from rallyflow.settings import Home


def look_ahead(reader: JournalReader, home: Home, run: RunRecord, plan: Plan, wanted: Wanted) -> Reuse:
    """Return what of a run would count for a plan, and what would run, without doing anything."""
    before, steps = earlier_plan(reader, home, run), reader.steps(run.id)
    return reuse(plan, before, steps, wanted)


def workflow_of(home: Home, run: RunRecord) -> bytes:
    """Return the text of the workflow that a run goes by, as it was then; StorageError when it is gone."""
    name = run.plan.replace("plan", "workflow").replace(".json", ".yaml")
    with guarded(home.run(run.id)):
        return (home.run(run.id) / name).read_bytes()


def earlier_plan(reader: JournalReader, home: Home, run: RunRecord) -> Plan:
    """Return the plan of a run, with what only the run knew."""
    return plan_as_it_went(read_plan(home.run(run.id), run.plan), reader.steps(run.id), reader.answers(run.id))


def resume_with(
    home: Home, run: RunId, plan: Plan, workflow_text: bytes, *, workers: int, listener: Listener, signals: Signals
) -> Ending:
    """Go on with a run by the plan of an edited workflow, and see it through.

    Raises as `resume`; UsageError also when the workflow asks for nothing that is not done.
    """
    session = Session(home, run)
    with session.entered():
        wait_for_the_dead(session.place.directory)
        record = session.reader.run(run)
        decided = look_ahead(session.reader, home, record, plan, Wanted())
        if not decided.runs and record.state is not RunState.RUNNING:
            raise UsageError(f"nothing of run {run} would run: the workflow asks for nothing that is not done")
        secrets = read_secrets(plan.secrets, base=Path(plan.file).absolute().parent)
        new = new_record(run, plan, workflow_text)
        with borrowed(home, run, decided.plan, decided.kept):
            with guarded(session.place.directory):
                name = write_plan(session.place.directory, plan, workflow_text)
            body = {
                "plan": name,
                "workflow": str(new.workflow),
                "params": new.params,
                "provenance": new.provenance,
            }
            parts = [replace(part, path=part.path.relative_to(home.root)) for part in session.reader.parts(run)]
            steps, answers = session.reader.steps(run), session.reader.answers(run)
            session.book(replanned(run, decided, steps, answers, parts, body, workers), listener)
            steps = session.reader.steps(run)
            going = as_decided(decided.plan, steps, session.reader.answers(run))
            return session.go_on(going, steps, secrets, workers, listener, signals)


def rerun(
    home: Home, run: RunId, decided: Reuse, workflow_text: bytes, *, workers: int, listener: Listener, signals: Signals
) -> Ending:
    """Make a new run that takes over from an earlier one what is kept of it, and see it through.

    What the earlier run left running, such as a cloud, is probed before it is used, and stays its own: the new run does
    not remove it. Raises RunLocked while another process works on the earlier run and something of it is needed.
    """
    plan = decided.plan
    secrets = read_secrets(plan.secrets, base=Path(plan.file).absolute().parent)
    new = new_run_id()
    record = new_record(new, plan, workflow_text, run)
    session = Session(home, new)
    with borrowed(home, new, plan, [replace(step, origin=step.origin or step.run) for step in decided.kept]):
        with guarded(home.root):
            prepare(home, session.place.directory, decided.unexpanded, workflow_text)
        with session.entered():
            taken = taken_over(new, decided, session.reader.answers(run))
            for event in (session.journal.create_run(record, plan, taken, workers=workers), *taken):
                listener.happened(event)
            return session.go_on(plan, session.reader.steps(new), secrets, workers, listener, signals)
