"""Connects to the cloud that a `Cloud` value names, and turns what goes wrong there into our own errors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rallyflow.errors import CloudAnswered, CloudRefused, CloudUnreachable, InputsInvalid, NotFound, StepError

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion
    from openstack.config.loader import OpenStackConfig
    from openstack.connection import Connection

    from rallyflow.clouds.rest import CloudSession, Login
    from rallyflow.model.values import Cloud

_PASSING = frozenset({429, 502, 503, 504})
_TOKEN = re.compile(r"\btoken\b")
"""What keystone's 404 is about when it is no address that was not found: `Could not recognize Fernet token` etc."""


def answered(status: int, body: bytes, request: str) -> StepError:
    """Return the error for a reply with a status from 400 on; `request` is its method and address.

    401 and 403 are CloudRefused, 404 is NotFound, 429 and a gateway's 502 to 504 are CloudUnreachable (they
    pass), everything else is CloudAnswered.
    """
    what = f"{request} -> {status} {_message(body)}".rstrip()
    if status in (401, 403):
        return CloudRefused(what, hint="has this user the role that the request needs?")
    if status == 404:
        return NotFound(what)
    if status in _PASSING:
        return CloudUnreachable(what)
    return CloudAnswered(what)


def _message(body: bytes) -> str:
    """Return the sentence in an error body of any of the services, or the beginning of the body as it is."""
    import orjson

    try:
        found = _sentence(orjson.loads(body))
    except ValueError:
        found = ""
    return found or body[:200].decode(errors="replace")


def _sentence(data: object) -> str:
    if isinstance(data, dict):
        if isinstance(data.get("message"), str):
            return str(data["message"])
        return next((found for value in data.values() if (found := _sentence(value))), "")
    return ""


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn exceptions of keystoneauth1 and openstacksdk into those of rallyflow.

    CloudRefused, CloudUnreachable, NotFound, InputsInvalid or CloudAnswered comes out. `doing` is a phrase
    such as `signing in`, for the message.
    """
    try:
        yield
    except StepError:
        raise
    except Exception as error:
        ours = translation(error, doing)
        if ours is None:
            raise
        raise ours from error


def translation(error: Exception, doing: str) -> StepError | None:  # noqa: PLR0911 - a table of kinds
    """Return our own error for one of keystoneauth1 or openstacksdk; None when it is of neither."""
    from keystoneauth1 import exceptions as keystone

    what = f"{doing}: {error}"
    status = _status(error)
    silence = keystone.ConnectFailure | keystone.ConnectTimeout | keystone.UnknownConnectionError
    if isinstance(error, silence) or isinstance(error.__cause__ or error.__context__, silence):
        return CloudUnreachable(what, hint="does the cloud still run, and is its auth_url right?")
    if isinstance(error, keystone.SSLError):
        return CloudUnreachable(what, hint="does clouds.yaml name the right authority in `cacert`?")
    if status in _PASSING:
        return CloudUnreachable(what)
    if isinstance(error, keystone.NotFound) and _TOKEN.search(str(error)):
        return CloudRefused(what, hint="is the token in clouds.yaml still good?")
    if isinstance(error, keystone.EndpointNotFound | keystone.DiscoveryFailure | keystone.CatalogException):
        return NotFound(what)
    if isinstance(error, keystone.MissingRequiredOptions | keystone.NoMatchingPlugin | keystone.OptionError):
        return InputsInvalid(what, hint="look at the cloud's `auth` in clouds.yaml")
    if status:
        ours = answered(status, b"", doing)
        return type(ours)(what, hint=ours.hint)
    if isinstance(error, keystone.ClientException) or type(error).__module__.startswith("openstack."):
        return CloudAnswered(what)
    return None


def _status(error: BaseException) -> int:
    """Return the HTTP status that an exception is about, or 0; a failed discovery is about the one it came of."""
    from keystoneauth1.exceptions import DiscoveryFailure

    status = getattr(error, "http_status", None) or getattr(error, "status_code", None)
    if isinstance(status, int) and status:
        return status
    origin = error.__cause__ or error.__context__
    return _status(origin) if origin and isinstance(error, DiscoveryFailure) else 0


def alone(clouds_yaml: Path) -> OpenStackConfig:
    """Read a clouds.yaml and nothing else of the user's: no secure.yaml, no file of profiles, no OS_* variables."""
    from openstack.config.loader import OpenStackConfig

    return OpenStackConfig(config_files=[str(clouds_yaml)], secure_files=[], vendor_files=[], load_envvars=False)


def _region(cloud: Cloud) -> Any:
    """Read the entry of the cloud's own clouds.yaml."""
    if not cloud.clouds_yaml.is_file():
        raise NotFound(f"{cloud.clouds_yaml} is not there", hint="was the cloud destroyed? deploy it again")
    with translated(f"reading {cloud.clouds_yaml}"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="openstack")  # it warns of options that nobody has set
        config = alone(cloud.clouds_yaml)
        if cloud.name not in config.get_cloud_names():
            raise NotFound(f"{cloud.clouds_yaml} has no cloud {cloud.name!r}")
        return config.get_one(cloud=cloud.name, region_name=cloud.region or None)


def connect(cloud: Cloud, *, timeout: float = 300.0) -> Connection:
    """Return an openstacksdk connection whose requests go through our transport.

    Nothing is sent yet. Raises NotFound when clouds.yaml or the entry is missing; wrap what you do with the
    connection in `translated`. `timeout` is seconds per request.
    """
    from keystoneauth1.session import Session
    from openstack.connection import Connection

    from rallyflow.clouds.session import HttpSession

    region = _region(cloud)
    verify, cert = region.get_requests_verify_args()
    session = Session(
        auth=region.get_auth(),
        session=HttpSession(),
        verify=verify,
        cert=cert,
        timeout=timeout,
        app_name="rallyflow",
    )
    return Connection(session=session, config=_with(region, session))


def _with(region: Any, session: Any) -> Any:
    region._keystone_session = session  # noqa: SLF001 - the config makes sessions on requests otherwise
    return region


def login_of(cloud: Cloud) -> Login:
    """Return the credentials in the cloud's clouds.yaml; NotFound when the file or the entry is missing."""
    return login_in(_region(cloud))


def login_in(region: CloudRegion) -> Login:
    """Return the credentials in an entry that openstacksdk has read."""
    from rallyflow.clouds.overrides import overrides_of
    from rallyflow.clouds.rest import Login

    verify, cert = region.get_requests_verify_args()
    return Login(
        auth_type=region.config.get("auth_type") or "password",
        auth=dict(region.config["auth"]),
        region=region.region_name or "",
        interface=region.get_interface() or "public",
        verify=verify,
        cert=tuple(cert) if isinstance(cert, list) else cert,
        overrides=overrides_of(region),
    )


def sign_in(cloud: Cloud) -> CloudSession:
    """Return the identity in clouds.yaml, signed in; CloudRefused, CloudUnreachable or NotFound."""
    from rallyflow.clouds.rest import CloudSession

    session = CloudSession(login_of(cloud))
    session.sign_in()
    return session
