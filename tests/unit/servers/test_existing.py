"""`provision/existing` against a real sshd: what is checked, what is handed on, and what is said when it fails."""

from __future__ import annotations

import dataclasses
import platform
import subprocess

import pytest
from pydantic import ValidationError

from rallyflow.errors import (
    HostKeyMismatch,
    HostKeyUnknown,
    InputsInvalid,
    LoginRefused,
    PermanentError,
    ServerUnreachable,
)
from rallyflow.model.secret import Secret
from rallyflow.model.states import StepState
from rallyflow.servers.machine import Machine
from rallyflow.servers.providers.existing import Existing


def given(sshd, **fields):
    base = {"host": "127.0.0.1", "port": sshd.port, "user": sshd.user, "key_file": str(sshd.key_file)}
    return base | {"host_key": sshd.host_key} | fields


def run(context, *servers, **fields):
    return Existing().run(Existing.Inputs.model_validate({"servers": servers, **fields}), context)


def test_a_server_answers_with_facts_and_can_be_used_by_later_steps(sshd, context):
    outputs = run(context, given(sshd, name="db", role="database", networks={"storage": "10.0.0.7"})).outputs
    (server,), (facts,) = outputs.servers, outputs.facts
    assert (server.name, server.role, server.networks) == ("db", "database", {"storage": "10.0.0.7"})
    assert (facts.kernel, facts.architecture) == (platform.release(), platform.machine())
    assert facts.cores > 0
    assert facts.memory > 1 << 28
    assert facts.os
    assert Machine(server).run("echo yes").stdout == "yes"
    assert server.known_hosts.parent == context.artifacts
    assert server.known_hosts.stat().st_mode & 0o777 == 0o600


def test_a_host_key_may_be_given_as_a_line_a_fingerprint_or_a_file(sshd, context):
    line = f"anything {sshd.host_key}"
    for key in ({"host_key": line}, {"host_key": sshd.fingerprint}):
        assert run(context, given(sshd, **key)).state is StepState.SUCCEEDED
    fields = {"host_key": "", "known_hosts": str(sshd.known_hosts())}
    assert run(context, given(sshd, **fields)).state is StepState.SUCCEEDED


def test_a_fingerprint_may_be_of_any_of_the_servers_keys(sshd_in, tmp_path, context):
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", tmp_path / "rsa"], check=True)
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "rsa.pub"], capture_output=True, text=True, check=True)
    sshd = sshd_in(tmp_path / "sshd", f"HostKey {tmp_path}/rsa")
    outputs = run(context, given(sshd, host_key=shown.stdout.split()[1])).outputs
    assert "ssh-rsa" in outputs.servers[0].known_hosts.read_text()


def test_a_wrong_fingerprint_is_an_error_with_both(sshd, context):
    wrong = "SHA256:" + "A" * 43
    with pytest.raises(HostKeyMismatch) as caught:
        run(context, given(sshd, host_key=wrong))
    assert wrong in caught.value.what
    assert sshd.fingerprint in caught.value.what


@pytest.mark.parametrize("right", ["host_key", "fingerprint"])
def test_what_one_server_says_of_an_address_does_not_hide_that_another_says_something_wrong(sshd, context, right):
    wrong = given(sshd, name="wrong", host_key="SHA256:" + "A" * 43)
    with pytest.raises(HostKeyMismatch):
        run(context, given(sshd, host_key=getattr(sshd, right)), wrong)


def test_a_server_whose_key_nobody_has_written_down_is_refused(sshd, context):
    with pytest.raises(HostKeyUnknown) as caught:
        run(context, given(sshd, host_key=""))
    assert sshd.fingerprint in caught.value.what
    with pytest.raises(PermanentError, match="not a host key"):
        run(context, given(sshd, host_key="trust me"))


def test_every_server_that_fails_is_named_with_its_own_reason(sshd, context):
    (context.directory / "junk").write_text("x")
    servers = [
        given(sshd, name="good"),
        given(sshd, name="dead", port=9),
        given(sshd, name="locked", key_file=str(context.directory / "junk")),
    ]
    with pytest.raises(PermanentError) as caught:
        run(context, *servers)
    assert "server dead (127.0.0.1:9) does not answer" in caught.value.what
    assert "server locked" in caught.value.what
    assert "good" not in caught.value.what


def test_what_stands_beside_the_servers_is_for_all_that_say_nothing_else(sshd, context):
    common = {"user": sshd.user, "key_file": str(sshd.key_file), "known_hosts": str(sshd.known_hosts())}
    plain = {"host": "127.0.0.1", "port": sshd.port}
    found = run(context, {**plain, "name": "a"}, {**plain, "name": "b"}, **common)
    assert [server.user for server in found.outputs.servers] == [sshd.user] * 2
    with pytest.raises(LoginRefused, match="nobody-here"):
        run(context, {**plain, "user": "nobody-here"}, **common)


def test_a_jump_host_has_a_fingerprint_of_its_own(sshd, sshd_in, tmp_path, context):
    jump = sshd_in(tmp_path / "jump")
    hop = given(jump, host_key=jump.fingerprint)
    outputs = run(context, given(sshd, host_key=sshd.fingerprint), jump=[hop]).outputs
    with Machine(outputs.servers[0]) as machine:
        assert machine.run("echo through").stdout == "through"
        assert len(jump.children()) == 1


def test_secrets_go_to_files_that_nobody_else_reads_and_into_no_output(sshd, context):
    key = sshd.key_file.read_text().rstrip("\n")
    context = dataclasses.replace(context, secrets=(*context.secrets, Secret(key)))
    outputs = run(context, given(sshd, key_file=None, key=key, password="open sesame")).outputs
    server = outputs.servers[0]
    assert server.password_file.read_text() == "open sesame"
    for file in (server.password_file, server.key_file):
        assert file.stat().st_mode & 0o777 == 0o600
    assert "sesame" not in outputs.model_dump_json()
    assert key.splitlines()[1] not in outputs.model_dump_json()


def test_a_password_that_is_no_secret_of_the_workflow_is_refused(sshd, context):
    with pytest.raises(InputsInvalid, match="stands in the workflow itself") as caught:
        run(context, given(sshd, password="written down"))
    assert "written down" not in caught.value.what


def test_two_servers_of_one_name_are_refused():
    with pytest.raises(ValidationError, match=r"two servers are called '10\.0\.0\.1'"):
        Existing.Inputs.model_validate({"servers": [{"host": "10.0.0.1"}, {"host": "10.0.0.1", "port": 23}]})


def test_revival_asks_again_and_starts_anew_without_its_files(sshd_in, tmp_path, context):
    sshd = sshd_in(tmp_path / "sshd")
    outputs = run(context, given(sshd)).outputs
    assert Existing().revive(outputs, context) == outputs
    sshd.stop()
    with pytest.raises(ServerUnreachable):
        Existing().revive(outputs, context)
    outputs.servers[0].known_hosts.unlink()
    assert Existing().revive(outputs, context) is None
