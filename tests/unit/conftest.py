"""A real cloud for tests: the embedded one, in a process of its own, on a port of its own."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """A fast embedded cloud that all tests of a session share; each removes what it makes."""
    import yaml
    from pydantic import SecretStr

    from rallyflow.clouds.embedded import process
    from rallyflow.clouds.embedded.settings import Settings
    from rallyflow.clouds.embedded.speed import Speed
    from rallyflow.model.values import Cloud

    folder = tmp_path_factory.mktemp("cloud")
    state = folder / "state"
    speed = Speed.model_validate({"compute": {"build": "20ms", "delete": "10ms", "snapshot": "20ms", "action": "10ms"}})
    process.save_settings(state, Settings(password=SecretStr("pw"), speed=speed))
    pid = process.start(state, guardian=os.getpid())
    try:
        endpoint = process.wait_until_up(state, pid)
        auth = {
            "auth_url": endpoint.auth_url,
            "username": "admin",
            "password": "pw",
            "project_name": "admin",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        file = folder / "clouds.yaml"
        file.write_text(yaml.safe_dump({"clouds": {"test": {"auth": auth, "region_name": "RegionOne"}}}))
        yield Cloud(name="test", kind="embedded", clouds_yaml=file, auth_url=endpoint.auth_url, simulated=True)
    finally:
        process.stop(state)
