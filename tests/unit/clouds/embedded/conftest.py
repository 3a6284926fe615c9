"""Clouds for tests: real processes on loopback, spoken to by the real openstacksdk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openstack
import pytest
from pydantic import SecretStr

from rallyflow.clouds.embedded import process
from rallyflow.clouds.embedded.settings import Settings
from rallyflow.clouds.embedded.speed import Speed

PASSWORD = "correct horse"

QUICK = {
    "compute": {"build": "5ms", "delete": "5ms", "snapshot": "5ms", "action": "5ms"},
    "rpc": {"calls_per_build": 0},
    "storage": {"time": "5ms"},
    "list_cost_per_row": "0s",
} | {name: {"latency": "0s"} for name in ("keystone", "nova", "glance", "neutron", "cinder")}


@dataclass
class Running:
    """An embedded cloud, and how to speak to it."""

    state: Path
    endpoint: process.Endpoint

    def connect(self, user: str = "admin", project: str | None = "admin", password: str = PASSWORD) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openstack")  # it warns of options that nobody has set
            return openstack.connect(
                load_yaml_config=False,
                load_envvars=False,
                auth_url=self.endpoint.auth_url,
                username=user,
                password=password,
                project_name=project,
                user_domain_id="default",
                project_domain_id="default" if project else None,
                region_name="RegionOne",
            )

    def restart(self, **options: Any) -> None:
        process.stop(self.state)
        self.start(port=self.endpoint.port, **options)

    def start(self, **options: Any) -> None:
        pid = process.start(self.state, **({"guardian": os.getpid()} | options))
        self.endpoint = process.wait_until_up(self.state, pid)


def run_cloud(state: Path, *, start: bool = True, **speed: Any) -> Running:
    settings = Settings(password=SecretStr(PASSWORD), speed=Speed.model_validate(QUICK | speed), seed=1)
    process.save_settings(state, settings)
    running = Running(state, process.Endpoint(pid=0, port=0, auth_url="", started_ns=0))
    if start:
        running.start()
    return running


@pytest.fixture(scope="session")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One quick cloud for all tests that only look at answers; each test has a project of its own."""
    state = tmp_path_factory.mktemp("cloud") / "state"
    try:
        yield run_cloud(state)
    finally:
        process.stop(state)


@pytest.fixture
def new_cloud(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Makes a cloud for one test, with the speed that it asks for."""
    state = tmp_path / "state"
    try:
        yield lambda **speed: run_cloud(state, **speed)
    finally:
        process.stop(state)


@pytest.fixture(scope="session")
def admin(shared_cloud: Running) -> Iterator[Any]:
    connection = shared_cloud.connect()
    yield connection
    connection.close()


@pytest.fixture
def user(shared_cloud: Running, admin: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A connection as an ordinary user of a new project."""
    with member(shared_cloud, admin, request.node.nodeid) as connection:
        yield connection


@pytest.fixture
def stranger(shared_cloud: Running, admin: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A connection as an ordinary user of another project."""
    with member(shared_cloud, admin, f"stranger to {request.node.nodeid}") as connection:
        yield connection


def member(cloud: Running, admin: Any, name: str) -> Any:
    project = admin.identity.create_project(name=name)
    person = admin.identity.create_user(name=name, password="secret", default_project_id=project.id)
    admin.identity.assign_project_role_to_user(project, person, admin.identity.find_role("member"))
    return cloud.connect(user=name, project=name, password="secret")


@pytest.fixture
def boot() -> Callable[..., Any]:
    """Boots a server and waits until it is active."""

    def boot(connection: Any, name: str = "server", **fields: Any) -> Any:
        image = connection.image.find_image("cirros")
        flavor = connection.compute.find_flavor("m1.tiny")
        fields = {"networks": "none", "image_id": image.id, "flavor_id": flavor.id} | fields
        server = connection.compute.create_server(name=name, **fields)
        return connection.compute.wait_for_server(server, interval=0.01, wait=20)

    return boot


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let openstacksdk warn of its own internals: nothing here could heed that."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"))
