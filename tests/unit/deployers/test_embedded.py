import dataclasses
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from rallyflow.clouds.connection import connect
from rallyflow.clouds.embedded import process
from rallyflow.deployers.embedded import Embedded
from rallyflow.deployers.probe import probe
from rallyflow.errors import StepError
from rallyflow.model.states import ResourceState

LOCAL = {"name": "here", "host": "127.0.0.1", "connection": "local"}
SSH = {"name": "there", "host": "10.0.0.1"}


def inputs(**fields):
    return Embedded.Inputs.model_validate({"servers": [LOCAL]} | fields)


def deploy(context, **fields):
    return Embedded().run(inputs(**fields), context).outputs


def state_of(ledger):
    return Path(ledger.open()[0].detail["state"])


def test_a_deployed_cloud_answers_and_is_in_the_ledger(context, ledger):
    cloud = deploy(context).cloud
    assert (cloud.kind, cloud.simulated, cloud.region) == ("embedded", True, "RegionOne")
    assert probe(cloud.name, cloud.clouds_yaml).auth_url == cloud.auth_url
    (row,) = ledger.open()
    assert (row.kind, row.name, row.state) == ("embedded.cloud", "rf-r-abcdefghjk", ResourceState.CREATED)
    assert process.running(state_of(ledger)) == (int(row.external_id),)
    assert cloud.ledger_id == row.id


def test_the_credentials_are_in_a_file_that_nobody_else_reads(context):
    cloud = deploy(context).cloud
    assert cloud.clouds_yaml.stat().st_mode & 0o777 == 0o600
    password = yaml.safe_load(cloud.clouds_yaml.read_text())["clouds"]["embedded"]["auth"]["password"]
    assert password not in cloud.model_dump_json()


def test_the_intent_is_booked_before_the_process_starts(context, ledger, monkeypatch):
    def explode(state, **_options):
        raise StepError(f"no process for {state}")

    monkeypatch.setattr(process, "start", explode)
    with pytest.raises(StepError):
        deploy(context)
    (row,) = ledger.open()
    assert row.state is ResourceState.INTENT
    assert row.detail == {"state": str(state_of(ledger))}


def test_a_process_that_dies_while_it_is_waited_for_says_why(context, monkeypatch):
    monkeypatch.setattr(process, "MODULE", "rallyflow.clouds.no_such_module")
    with pytest.raises(StepError, match="No module named"):
        deploy(context)


def test_servers_without_this_machine_are_refused():
    with pytest.raises(ValidationError, match="runs on this machine only"):
        Embedded.Inputs.model_validate({"servers": [SSH]})
    assert Embedded.Inputs.model_validate({"servers": [SSH, LOCAL]}).servers[1].name == "here"


def test_options_speed_and_seed_change_the_fingerprint_and_nothing_else_does(context, tmp_path):
    def fingerprint(number, **fields):
        directory = tmp_path / str(number)
        directory.mkdir()
        return deploy(dataclasses.replace(context, directory=directory), **fields).cloud.fingerprint

    plain = fingerprint(1)
    assert fingerprint(2) == plain
    others = [
        fingerprint(3, options={"fast_rpc": True}),
        fingerprint(4, seed=7),
        fingerprint(5, speed={"compute": {"build": "1ms"}}),
    ]
    assert len({plain, *others}) == 4


def test_a_cloud_that_died_is_revived_with_its_rows_on_its_port(context, ledger):
    outputs = deploy(context)
    keep_something(outputs.cloud)
    os.kill(int(ledger.open()[0].external_id), signal.SIGKILL)
    revived = Embedded().revive(outputs, context)
    assert revived == outputs
    assert found_something(revived.cloud)
    assert process.running(state_of(ledger)) == (int(ledger.open()[0].external_id),)


def test_a_revived_cloud_ends_with_its_new_guardian(context, ledger):
    outputs = deploy(context)
    guardian = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        Embedded().revive(outputs, dataclasses.replace(context, guardian=guardian.pid))
        descriptor = os.pidfd_open(int(ledger.open()[0].external_id))
    finally:
        guardian.kill()
        guardian.communicate()
    assert ended(descriptor)


def test_a_kept_cloud_is_left_alone_by_revival_and_by_the_end_of_its_run(context, ledger):
    guardian = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        outputs = deploy(dataclasses.replace(context, guardian=guardian.pid), keep=True)
    finally:
        guardian.kill()
        guardian.communicate()
    pid = process.running(state_of(ledger))
    assert Embedded().revive(outputs, context) == outputs
    assert process.running(state_of(ledger)) == pid


def test_a_cloud_whose_port_was_taken_is_revived_on_another(context, ledger):
    outputs = deploy(context)
    process.stop(state_of(ledger))
    port = int(outputs.cloud.auth_url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        revived = Embedded().revive(outputs, context)
    assert revived.cloud.auth_url != outputs.cloud.auth_url
    assert probe(revived.cloud.name, revived.cloud.clouds_yaml).auth_url == revived.cloud.auth_url
    assert revived.cloud.fingerprint == outputs.cloud.fingerprint


def test_a_cloud_without_its_state_can_not_be_revived(context, ledger):
    outputs = deploy(context)
    process.stop(state_of(ledger))
    shutil.rmtree(state_of(ledger))
    assert Embedded().revive(outputs, context) is None


def keep_something(cloud):
    with connect(cloud) as connection:
        body = {"keypair": {"name": "kept", "public_key": "ssh-ed25519 AAAA me"}}
        assert connection.compute.post("/os-keypairs", json=body).ok


def found_something(cloud):
    with connect(cloud) as connection:
        return connection.compute.get("/os-keypairs/kept").ok


def ended(descriptor):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        return bool(poll.poll(20_000))
    finally:
        os.close(descriptor)
