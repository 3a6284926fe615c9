"""Asks a cloud the first question: does it answer, does it let us in, and what has it got."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyflow.clouds.connection import alone, login_in, translation
from rallyflow.clouds.overrides import official
from rallyflow.deployers.mistakes import check_entry
from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, NotFound, StepError

if TYPE_CHECKING:
    from keystoneauth1.access.access import AccessInfo
    from keystoneauth1.access.service_catalog import ServiceCatalog
    from openstack.config.cloud_region import CloudRegion
    from openstack.config.loader import OpenStackConfig

    from rallyflow.clouds.rest import Login

_SETTLED = ("profile", "cloud", "external_network", "internal_network")
"""Keys of an entry that openstacksdk has put others in place of, which say all that these said."""
_SELECTORS = ("cloud_name", "client_config_file", "client_secure_file")
"""Keys that come of OS_* variables which say where to look, not what a cloud is like."""

_OTHER_FORM = (AttributeError, LookupError, TypeError, ValueError)
"""What comes of openstacksdk when a file has not the form of a clouds.yaml."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What a cloud says about itself."""

    auth_url: str
    region: str
    endpoints: dict[str, str]  # service type to address
    login: Login
    clouds_yaml: Path | None  # has all of the entry; None: no file has, it comes of several, or of the environment
    from_environment: bool
    entry: dict[str, Any] = field(repr=False)  # all of it, as a clouds.yaml has it, with the credentials

    @property
    def fingerprint(self) -> str:
        """A digest of who answers where."""
        content = [self.auth_url, self.region, sorted(self.endpoints.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def probe(name: str, clouds_yaml: Path | None, *, only: bool = False, timeout: float = 30.0) -> Probed:
    """Authenticate as the entry `name` of a clouds.yaml and read the catalogue.

    Without a file openstacksdk's usual places are searched. What the file leaves out is taken from the secure.yaml
    beside it or in the usual places, and from profiles, unless `only` the file is to count, as it does for later steps.

    Raises NotFound when there is no such entry, or nothing in its region or interface; CloudRefused,
    CloudUnreachable or CloudAnswered.
    """
    with _errors_of(name), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="openstack")  # it warns of options that nobody has set
        loader, region = _region(name, clouds_yaml, only=only)
        session = region.get_session()
        session.timeout = timeout
        access, login = session.auth.get_access(session), login_in(region)
        return Probed(
            auth_url=str(region.get_auth_args().get("auth_url", "")),
            region=region.get_region_name() or "",
            endpoints=_endpoints(name, access, login),
            login=login,
            clouds_yaml=_whole(loader, region),
            from_environment=name == loader.envvar_key,
            entry=_entry(region.config),
        )


def _region(name: str, clouds_yaml: Path | None, *, only: bool) -> tuple[OpenStackConfig, CloudRegion]:
    if clouds_yaml is not None and not clouds_yaml.is_file():
        raise NotFound(f"there is no file {clouds_yaml}", hint="`clouds_yaml` names the file that the cloud is in")
    try:
        loader = _loader(clouds_yaml, only=only)
        check_entry(name, loader.get_one(cloud=name, validate=False).config)
        return loader, loader.get_one(cloud=name)
    except _OTHER_FORM as error:
        what = f"the name {error} in braces is not known" if isinstance(error, KeyError) else str(error)
        raise NotFound(
            f"the cloud {name!r} can't be read from clouds.yaml, which has not the form of one: {what}",
            hint="below `clouds:` and its name an entry has `auth:`, with auth_url, username and so on",
        ) from error


def _loader(clouds_yaml: Path | None, *, only: bool) -> OpenStackConfig:
    from openstack.config.loader import SECURE_FILES, OpenStackConfig

    if clouds_yaml is None:
        return OpenStackConfig()
    if only:
        return alone(clouds_yaml)
    secure = [str(clouds_yaml.with_name("secure.yaml")), *SECURE_FILES]
    return OpenStackConfig(config_files=[str(clouds_yaml)], secure_files=secure, load_envvars=False)


def _whole(loader: OpenStackConfig, region: CloudRegion) -> Path | None:
    """Return the file of an entry if nothing else is needed to read the same from it."""
    from openstack.exceptions import ConfigException

    name = region.name
    if not loader.config_filename or name == loader.envvar_key:
        return None
    file = Path(loader.config_filename).absolute()
    try:
        read = alone(file).get_one(cloud=name, region_name=region.get_region_name(), validate=False)
    except (ConfigException, *_OTHER_FORM):  # the entry, or something that it can't do without, is in another file
        return None
    return file if _entry(read.config) == _entry(loader.get_one(cloud=name, validate=False).config) else None


def _entry(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry says over the defaults, with what came of its profile."""
    from openstack.config.defaults import get_defaults

    defaults, left_out = get_defaults(), {*_SETTLED, *_SELECTORS}
    return {
        key: value
        for key, value in config.items()
        if value is not None and key not in left_out and value != defaults.get(key)
    }


def _endpoints(name: str, access: AccessInfo, login: Login) -> dict[str, str]:
    """Return service types with addresses; NotFound when the catalogue has services, but none where the entry looks."""
    if not access.has_service_catalog():
        return dict(login.overrides)
    catalogue = access.service_catalog
    found = catalogue.get_endpoints_data(interface=login.interface, region_name=login.region or None)
    addresses = {kind: entries[0].url for kind, entries in found.items() if entries}
    if not addresses and not login.overrides:
        _check_place(name, catalogue, login)
    kept = {kind: url for kind, url in addresses.items() if official(kind) not in login.overrides}
    return {**kept, **login.overrides}


def _check_place(name: str, catalogue: ServiceCatalog, login: Login) -> None:
    there = [each for entries in catalogue.get_endpoints_data().values() for each in entries]
    here = [each for each in there if login.region in ("", each.region_name)]
    if there and not here:
        hint = f"`region_name` of its entry in clouds.yaml is one of: {_named(each.region_name for each in there)}"
        raise NotFound(f"the cloud {name!r} has no region {login.region!r}", hint=hint)
    if here:
        hint = f"`interface` of its entry in clouds.yaml is one of: {_named(each.interface for each in here)}"
        raise NotFound(f"the cloud {name!r} has no endpoints of the interface {login.interface!r}", hint=hint)


def _named(words: Iterable[str | None]) -> str:
    return ", ".join(sorted({word for word in words if word}))


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    """Turn the errors of openstacksdk and keystoneauth1 into ours."""
    try:
        yield
    except StepError:
        raise
    except Exception as error:
        ours = _ours(error, name)
        if ours is None:
            raise
        raise ours from error


def _ours(error: Exception, name: str) -> StepError | None:
    """Return what `translation` says, in words about signing in. Only a missing entry is NotFound here."""
    from keystoneauth1 import exceptions as keystone
    from openstack.exceptions import ConfigException

    if isinstance(error, ConfigException):
        hint = "name an entry below `clouds:`, or `envvars` for the OS_* variables"
        return NotFound(f"the cloud {name!r} can't be read from clouds.yaml: {error}", hint=hint)
    if isinstance(error, keystone.AuthPluginException):
        hint = "look at what stands below `auth:`"
        return NotFound(f"the cloud {name!r} can't be read from clouds.yaml: {error}", hint=hint)
    if type(error) is OSError:  # as requests says it of files
        hint = "look at its `cacert`, `cert` and `key`"
        return NotFound(f"the cloud {name!r} can't be read from clouds.yaml: {error}", hint=hint)
    found = translation(error, "signing in")
    if isinstance(found, CloudRefused):
        hint = "check user, password or token, project and domains of its entry in clouds.yaml"
        return CloudRefused(f"the cloud {name!r} refuses our credentials: {error}", hint=hint)
    if isinstance(found, CloudUnreachable) or isinstance(error, keystone.DiscoveryFailure):
        hint = found.hint if found and found.hint else "is its auth_url right?"
        return CloudUnreachable(f"the cloud {name!r} does not answer: {error}", hint=hint)
    return CloudAnswered(f"the cloud {name!r} answers with an error: {error}") if found else None
