"""For every prefix of the events of a real run: the tables are its fold, and resuming it leads to the same end."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rallyflow.compile.compiler import compile_file
from rallyflow.doctor.fsck import planned_rows
from rallyflow.engine.session import begin, read_plan, resume
from rallyflow.engine.signals import Signals
from rallyflow.errors import UsageError
from rallyflow.journal.event import Event
from rallyflow.journal.fold import insert_steps, planned_row
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.refold import differences, refold
from rallyflow.journal.store import Journal, append
from rallyflow.model.states import RunState
from rallyflow.settings import Home

FORMS = (
    "{{uses: noop, needs: {needs}, with: {{value: {number}}}}}",
    "{{uses: noop, needs: {needs}, with: {{value: {number}}}}}",
    "{{uses: noop, needs: {needs}, matrix: {{x: [1, 2]}}, with: {{value: '${{{{ matrix.x }}}}'}}}}",
    "{{uses: noop, needs: {needs}, foreach: [a, b], with: {{value: '${{{{ item }}}}'}}}}",
    "{{uses: noop, needs: {needs}, with: {{value: '${{{{ [1][run.name | length] }}}}'}}}}",  # has no value
    "{{uses: noop, needs: {needs}, if: '${{{{ run.name == ''another'' }}}}'}}",
    "{{uses: noop, needs: {needs}, if: '${{{{ failure() }}}}'}}",
    "{{uses: noop, needs: {needs}, if: '${{{{ always() }}}}', locks: [one]}}",
)


class Silent:
    def happened(self, event):
        pass

    def progressed(self, step, progress):
        pass


@st.composite
def workflows(draw):
    """Give the text of a workflow of steps that run inside the engine, some of which can't be done or are left out."""
    lines = ["rallyflow: 1", "name: prefixes", "steps:"]
    for number in range(draw(st.integers(1, 5))):
        earlier = [f"s{n}" for n in range(number)]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        form = draw(st.sampled_from(FORMS)).format(needs=f"[{', '.join(needs)}]", number=number)
        lines.append(f"  s{number}: {form}")
    return "\n".join(lines) + "\n"


def states(home: Home) -> tuple[RunState, dict[str, str]]:
    with closing(Journal(home.journal)) as journal:
        reader = JournalReader(journal, home.root)
        (run,) = reader.runs()
        return run.state, {step.id: step.state for step in reader.steps(run.id)}


def events_of(home: Home) -> list[Event]:
    with closing(Journal(home.journal)) as journal:
        reader = JournalReader(journal, home.root)
        (run,) = reader.runs()
        return [event for _, event in reader.events(run.id)]


def home_with(events: Sequence[Event], whole: Home, folder: Path) -> Home:
    """Return a home whose journal has only these events of a run."""
    home = Home(folder)
    shutil.copytree(whole.run(events[0].run), home.run(events[0].run))
    plan = read_plan(home.run(events[0].run))
    with closing(Journal(home.journal)) as journal, journal.transaction() as connection:
        append(connection, events[0])
        rows = [planned_row(step, position) for position, step in enumerate(plan.steps)]
        insert_steps(connection, events[0].run, rows)
        for event in events[1:]:
            append(connection, event)
    return home


def is_a_fold(home: Home) -> bool:
    with closing(Journal(home.journal)) as journal, journal.transaction() as connection:
        folded = refold(connection, lambda run, file: planned_rows(home, run, file))
        return list(differences(connection, folded)) == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=workflows())
def test_every_prefix_of_the_events_of_a_run_is_resumed_to_the_same_end(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("prefixes")
    file = folder / "workflow.yaml"
    file.write_text(text)
    whole = Home(folder / "whole")
    ending = begin(whole, compile_file(file), text.encode(), workers=2, listener=Silent(), signals=Signals())
    expected, events = states(whole), events_of(whole)
    assert expected[0] == ending.state
    for count in range(1, len(events) + 1):
        home = home_with(events[:count], whole, folder / str(count))
        assert is_a_fold(home)
        try:
            resume(home, ending.run, workers=2, listener=Silent(), signals=Signals())
        except UsageError as error:
            assert "nothing to resume" in error.what  # noqa: PT017 - most prefixes can be resumed
        assert states(home) == expected, f"after {count} of {len(events)} events"
        assert is_a_fold(home)
    shutil.rmtree(folder)
