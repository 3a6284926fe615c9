import os
import select
import signal
import socket
import subprocess
import sys

import pytest

from rallyflow.clouds.embedded import process
from rallyflow.clouds.embedded.resources import KIND, EmbeddedClouds
from rallyflow.model.ids import RunId, StepId
from rallyflow.model.records import Resource
from rallyflow.model.states import ResourceState


def contents(connection):
    return {
        "servers": [(s.id, s.name, s.status, s.addresses) for s in connection.compute.servers()],
        "images": [(i.id, i.status, i.checksum) for i in connection.image.images()],
        "users": [(u.id, u.name) for u in connection.identity.users()],
        "networks": [(n.id, n.name, n.subnet_ids) for n in connection.network.networks()],
        "ports": [(p.id, p.fixed_ips) for p in connection.network.ports()],
        "volumes": [(v.id, v.status) for v in connection.block_storage.volumes()],
        "keypairs": [(k.name, k.public_key) for k in connection.compute.keypairs()],
    }


def fill(connection, boot):
    boot(connection, "one", networks="auto")
    boot(connection, "two", networks="auto")
    connection.image.create_image(name="bytes", data=b"0123", container_format="bare", disk_format="raw")
    connection.identity.create_user(name="somebody", password="x")
    connection.network.create_network(name="net")
    volume = connection.block_storage.create_volume(size=1)
    connection.block_storage.wait_for_status(volume, "available", interval=0.01, wait=20)
    connection.compute.create_keypair(name="key")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_cloud_started_again_is_the_same(new_cloud, boot, number):
    cloud = new_cloud()
    with cloud.connect() as connection:
        fill(connection, boot)
        before = contents(connection)
    end(cloud.endpoint.pid, number)
    cloud.restart()
    with cloud.connect() as connection:
        assert contents(connection) == before
        image = connection.image.find_image("bytes")
        assert connection.image.download_image(image).content == b"0123"
        taken = {ip for _, fixed in before["ports"] for ip in [fixed[0]["ip_address"]]}
        server = boot(connection, "three", networks="auto")
        assert server.addresses["private"][0]["addr"] not in taken


def test_a_token_outlives_the_process(new_cloud):
    cloud = new_cloud()
    with cloud.connect() as connection:
        assert list(connection.compute.servers()) == []
        cloud.restart()
        assert list(connection.compute.servers()) == []


def test_what_was_half_done_goes_on_after_a_restart(new_cloud):
    cloud = new_cloud(compute={"build": "300s"})
    with cloud.connect() as connection:
        image, flavor = connection.image.find_image("cirros"), connection.compute.find_flavor("m1.tiny")
        server = connection.compute.create_server(name="a", image_id=image.id, flavor_id=flavor.id, networks="none")
    settings = process.load_settings(cloud.state)
    quick = settings.speed.model_copy(
        update={"compute": settings.speed.compute.model_copy(update={"build": settings.speed.compute.delete})}
    )
    process.save_settings(cloud.state, settings.model_copy(update={"speed": quick}))
    cloud.restart()
    with cloud.connect() as connection:
        assert connection.compute.wait_for_server(server, interval=0.01, wait=20).status == "ACTIVE"


def test_a_torn_last_line_is_left_out(new_cloud, boot):
    cloud = new_cloud()
    with cloud.connect() as connection:
        boot(connection, "whole")
    process.stop(cloud.state)
    with (cloud.state / "rows.jsonl").open("ab") as log:
        log.write(b'{"t":"servers","k":"torn","v":{"id":"to')
    cloud.start()
    with cloud.connect() as connection:
        assert [s.name for s in connection.compute.servers()] == ["whole"]
        boot(connection, "later")
    cloud.restart()
    with cloud.connect() as connection:
        assert [s.name for s in connection.compute.servers()] == ["later", "whole"]


def test_it_ends_with_its_guardian(new_cloud):
    cloud = new_cloud()
    guardian = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        cloud.restart(guardian=guardian.pid)
        descriptor = os.pidfd_open(cloud.endpoint.pid)
        guardian.kill()
        assert ended(descriptor)
    finally:
        guardian.kill()
        guardian.communicate()
    assert process.running(cloud.state) == ()


def test_it_ends_cleanly_on_sigterm(new_cloud):
    cloud = new_cloud()
    end(cloud.endpoint.pid, signal.SIGTERM)
    assert (cloud.state / "cloud.log").read_text() == ""


def test_it_listens_on_loopback_only_and_keeps_its_files_to_itself(new_cloud):
    cloud = new_cloud()
    port = f":{cloud.endpoint.port:04X}"
    with open("/proc/net/tcp") as sockets:  # noqa: PTH123 - procfs
        listening = [words[1] for words in map(str.split, sockets) if words[1].endswith(port) and words[3] == "0A"]
    assert listening == [f"0100007F{port}"]
    for name in ("config.json", "rows.jsonl"):
        assert (cloud.state / name).stat().st_mode & 0o077 == 0
    with open(f"/proc/{cloud.endpoint.pid}/cmdline") as command:  # noqa: PTH123 - procfs
        assert "correct horse" not in command.read()


def test_a_taken_port_is_replaced_by_another(new_cloud):
    cloud = new_cloud()
    first = cloud.endpoint
    process.stop(cloud.state)
    with socket.create_server(("127.0.0.1", first.port)):
        cloud.start(port=first.port)
        assert cloud.endpoint.port != first.port
        with cloud.connect() as connection:
            assert connection.compute.find_flavor("m1.tiny")


def resource(state, kind=ResourceState.CREATED, pid=""):
    return Resource(1, RunId("r"), StepId("s"), 1, KIND, "rf-x", kind, external_id=pid, detail={"state": str(state)})


@pytest.mark.parametrize("kind", [ResourceState.CREATED, ResourceState.INTENT])
def test_deletion_ends_the_process_removes_the_state_and_can_be_repeated(new_cloud, kind):
    cloud = new_cloud()
    handler = EmbeddedClouds()
    for _ in range(2):
        handler.delete(resource(cloud.state, kind))
        assert process.running(cloud.state) == ()
        assert not cloud.state.exists()


def test_deletion_spares_a_process_that_only_has_the_same_id(new_cloud, tmp_path):
    cloud = new_cloud()
    EmbeddedClouds().delete(resource(tmp_path / "another", pid=str(cloud.endpoint.pid)))
    assert process.running(cloud.state) == (cloud.endpoint.pid,)


def test_deletion_ends_a_process_that_ignores_sigterm(new_cloud, monkeypatch):
    cloud = new_cloud()
    os.kill(cloud.endpoint.pid, signal.SIGSTOP)
    monkeypatch.setattr(process, "_GRACE_S", 0.2)
    EmbeddedClouds().delete(resource(cloud.state))
    assert process.running(cloud.state) == ()


def end(pid, number):
    descriptor = os.pidfd_open(pid)
    signal.pidfd_send_signal(descriptor, number)
    assert ended(descriptor)


def ended(descriptor):
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        return bool(poll.poll(20_000))
    finally:
        os.close(descriptor)
