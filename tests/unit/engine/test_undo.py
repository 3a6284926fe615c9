from __future__ import annotations

from pathlib import Path

import pytest

from rallyflow.engine.undo import undo, with_contents
from rallyflow.errors import NotFound
from rallyflow.journal.books import JournalLedger, mark_deleted
from rallyflow.journal.reader import JournalReader
from rallyflow.journal.store import Journal
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.plan import Plan
from rallyflow.model.records import RunRecord
from rallyflow.model.states import RunState

RUN = RunId("20260101-000000-aaaaa")
NOWHERE = {"name": "c", "kind": "embedded", "clouds_yaml": "/nowhere/clouds.yaml", "auth_url": "http://127.0.0.1:9/v3"}


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.db")
    opened.create_run(RunRecord(RUN, "plan", RunState.RUNNING, Path("w.yaml"), 1), Plan("plan", "file", (), {}))
    yield opened
    opened.close()


@pytest.fixture
def ledger(journal, tmp_path):
    return JournalLedger(journal, tmp_path, (RUN, StepId("s"), 1))


def test_what_was_inside_of_something_that_is_gone_is_gone_without_asking_its_cloud(journal, ledger, tmp_path):
    reader = JournalReader(journal, tmp_path)
    cloud = ledger.intend("embedded.cloud", "cloud")
    inside = ledger.intend("openstack.server", "inside", inside=cloud, detail={"cloud": NOWHERE})
    outside = ledger.intend("openstack.server", "outside", detail={"cloud": NOWHERE})
    mark_deleted(journal, [row for row in reader.resources(RUN) if row.id == cloud])

    removed = []
    (left,) = undo(journal, reader.resources(RUN), removed.append)

    assert [row.id for row in removed] == [inside]
    assert left.resource.id == outside
    assert isinstance(left.error, NotFound)
    assert "/nowhere/clouds.yaml is not there, and with it how to sign in to the cloud c" in left.error.what
    assert [row.id for row in reader.resources(RUN)] == [outside]


def test_what_is_inside_of_what_was_chosen_is_chosen_too(journal, ledger, tmp_path):
    cloud = ledger.intend("embedded.cloud", "cloud")
    project = ledger.intend("openstack.project", "project", inside=cloud)
    server = ledger.intend("openstack.server", "server", inside=project)
    other = ledger.intend("openstack.server", "other")
    rows = JournalReader(journal, tmp_path).resources(RUN)

    def chosen(*wanted):
        return [row.id for row in with_contents(rows, lambda row: row.id in wanted)]

    assert chosen(cloud) == [cloud, project, server]
    assert chosen(server, other) == [server, other]
    assert chosen() == []
