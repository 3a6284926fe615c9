"""Asks a cloud the first question: does it answer, does it let us in, and what has it got."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, NotFound

_KEPT = (
    "auth",
    "auth_type",
    "region_name",
    "interface",
    "identity_api_version",
    "verify",
    "insecure",
    "cacert",
    "cert",
    "key",
)


@dataclass(frozen=True, slots=True)
class Probed:
    """What a cloud says about itself."""

    auth_url: str
    region: str
    endpoints: dict[str, str]  # service type to public address
    clouds_yaml: Path | None  # where the entry was found; None: in the environment
    entry: dict[str, Any] = field(repr=False)  # as a clouds.yaml has it, with the credentials

    @property
    def fingerprint(self) -> str:
        """A digest of who answers where."""
        content = [self.auth_url, self.region, sorted(self.endpoints.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def probe(name: str, clouds_yaml: Path | None, *, timeout: float = 30.0) -> Probed:
    """Authenticate as the entry `name` of a clouds.yaml and read the catalogue.

    Without a file openstacksdk's usual places are searched.

    Raises NotFound when there is no such entry, CloudRefused, CloudUnreachable or CloudAnswered.
    """
    with _errors_of(name), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="openstack")  # it warns of options that nobody has set
        loader, region = _region(name, clouds_yaml)
        session = region.get_session()
        session.timeout = timeout
        access = session.auth.get_access(session)
        file = None if name == loader.envvar_key or not loader.config_filename else Path(loader.config_filename)
        return Probed(
            auth_url=str(region.get_auth_args().get("auth_url", "")),
            region=region.get_region_name() or "",
            endpoints=_endpoints(access, region),
            clouds_yaml=file,
            entry={key: region.config[key] for key in _KEPT if region.config.get(key) is not None},
        )


def _region(name: str, clouds_yaml: Path | None) -> tuple[Any, Any]:
    from openstack import config

    if clouds_yaml is not None and not clouds_yaml.is_file():
        raise NotFound(f"there is no file {clouds_yaml}", hint="`clouds_yaml` names the file that the cloud is in")
    try:
        if clouds_yaml is None:
            loader = config.OpenStackConfig()
        else:
            loader = config.OpenStackConfig(config_files=[str(clouds_yaml)], load_envvars=False)
        return loader, loader.get_one(cloud=name)
    except (AttributeError, TypeError, ValueError) as error:  # as openstacksdk says that a file has another form
        raise NotFound(
            f"the cloud {name!r} can't be read from clouds.yaml, which has not the form of one: {error}",
            hint="below `clouds:` and its name an entry has `auth:`, with auth_url, username and so on",
        ) from error


def _endpoints(access: Any, region: Any) -> dict[str, str]:
    if not access.has_service_catalog():
        return {}
    found = access.service_catalog.get_endpoints(interface="public", region_name=region.get_region_name())
    return {kind: entries[0]["url"] for kind, entries in found.items() if entries}


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Turn the errors of openstacksdk and keystoneauth1 into ours."""
    from keystoneauth1 import exceptions as keystone
    from openstack import exceptions as sdk

    try:
        yield
    except (keystone.Unauthorized, keystone.Forbidden) as error:
        raise CloudRefused(
            f"the cloud {name!r} refuses our credentials: {error}",
            hint="check user, password, project and domains of its entry in clouds.yaml",
        ) from error
    except (keystone.ConnectionError, keystone.DiscoveryFailure) as error:
        raise CloudUnreachable(f"the cloud {name!r} does not answer: {error}", hint="is its auth_url right?") from error
    except (sdk.ConfigException, keystone.MissingRequiredOptions) as error:
        raise NotFound(
            f"the cloud {name!r} can't be read from clouds.yaml: {error}",
            hint="name an entry below `clouds:`, or `envvars` for the OS_* variables",
        ) from error
    except (keystone.ClientException, sdk.SDKException) as error:
        raise CloudAnswered(f"the cloud {name!r} answers with an error: {error}") from error
