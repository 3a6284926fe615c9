"""What `resume` does with steps that are done: the cloud is brought back to what each of them had made of it."""

from __future__ import annotations

import dataclasses
import json

import pytest

from rallyflow.deployers.debian import engine
from rallyflow.deployers.debian.deployment import Deployed
from rallyflow.deployers.debian.inputs import DebianInputs
from rallyflow.deployers.debian.layout import lay_out
from rallyflow.deployers.debian.passwords import Passwords
from rallyflow.deployers.debian.site import Site
from rallyflow.model.ids import StepId
from rallyflow.model.values import Server
from rallyflow.servers.ssh.command import StoppedError

SERVER = Server(name="ctl", host="10.0.0.1")


@pytest.fixture
def servers(monkeypatch):
    """What stands for the servers: the options that were brought there last."""
    there = {"workers": None, "deployment": None, "deployed": 0}

    def deploy(inputs, passwords, _context):
        there["workers"] = inputs.config.get("nova", {}).get("conductor", {}).get("workers")
        there["deployment"] = passwords.deployment
        there["deployed"] += 1
        layout = lay_out(inputs.servers, inputs.roles, inputs.network)
        site = Site(layout, passwords, inputs.region, dict(inputs.config.items()), inputs.driver)
        return Deployed(site, {}, {"ctl": ("nova-conductor",)}, {"ctl": {}})

    monkeypatch.setattr(engine, "deploy", deploy)
    monkeypatch.setattr(engine, "all_have", lambda _servers, deployment, _context: there["deployment"] == deployment)
    monkeypatch.setattr(engine, "wait_until_up", lambda *_arguments: None)
    monkeypatch.setattr(engine, "make_base", lambda *_arguments: None)
    return there


def change(context, cloud, name, workers):
    """Run a step that changes the options of a cloud; returns its context and its outputs."""
    own = dataclasses.replace(context, step=StepId(name))
    inputs = DebianInputs(cloud=cloud, config={"nova": {"conductor": {"workers": workers}}})
    return own, engine.Debian().run(inputs, own).outputs


@pytest.fixture
def built(context, servers, ledger):
    """The outputs of a step that has built a cloud with one worker."""
    inputs = DebianInputs(servers=(SERVER,), config={"nova": {"conductor": {"workers": 1}}})
    outputs = engine.Debian().run(inputs, context).outputs
    assert servers["workers"] == 1
    yield outputs
    for row in ledger.open():
        ledger.deleted(row.id)


def test_a_change_that_a_later_one_has_replaced_comes_back(context, built, servers):
    two, with_two = change(context, built.cloud, "two", 2)
    _four, with_four = change(context, built.cloud, "four", 4)
    assert servers["workers"] == 4
    revived = engine.Debian().revive(with_two, two)
    assert servers["workers"] == 2
    assert revived.outputs.cloud == with_two.cloud != with_four.cloud
    assert revived.reason == "started again: nova-conductor"


def test_what_was_built_comes_back_without_later_changes(context, built, servers):
    change(context, built.cloud, "four", 4)
    assert engine.Debian().revive(built, context).outputs.cloud == built.cloud
    assert servers["workers"] == 1


def test_a_server_that_does_not_know_the_deployment_is_not_deployed_on(context, built, servers):
    two, with_two = change(context, built.cloud, "two", 2)
    servers["deployment"] = ""
    before = servers["deployed"]
    assert engine.Debian().revive(with_two, two) is None
    assert engine.Debian().revive(built, context) is None
    assert servers["deployed"] == before


def test_a_change_of_which_nothing_was_kept_is_not_taken_for_what_is_there(context, built):
    assert engine.Debian().revive(built, dataclasses.replace(context, step=StepId("older"))) is None


def test_what_a_change_keeps_is_its_own_and_for_nobody_else_to_read(context, built):
    two, _outputs = change(context, built.cloud, "two", 2)
    file = two.artifacts / "deployment.json"
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text())["config"] == {"nova": {"conductor": {"workers": 2}}}
    assert Passwords.load(context.artifacts / "passwords.json").deployment == context.tag
    assert not (two.artifacts / "passwords.json").exists()


def test_a_revival_that_is_stopped_says_so(context, built, monkeypatch):
    def stopped(*_arguments):
        raise StoppedError

    monkeypatch.setattr(engine, "deploy", stopped)
    assert engine.Debian().revive(built, context) is None
