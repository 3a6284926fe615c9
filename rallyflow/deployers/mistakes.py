"""Finds plain mistakes in an entry of clouds.yaml before the cloud is asked, and says which key they are in.

openstacksdk finds most of them only when it signs in, if at all, and then in words of its own inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rallyflow.errors import NotFound
from rallyflow.hints import did_you_mean

if TYPE_CHECKING:
    from keystoneauth1.loading import BaseLoader, Opt

_PASSWORD_HINT = "it stands below `auth:`, in clouds.yaml or in a secure.yaml"  # noqa: S105 - no password
_COMMON_TYPES = "it is password, v3applicationcredential, token or another that signs in to keystone"
_BY_METHODS = "v3multifactor"
"""The one type whose options depend on the values of others; plugins from elsewhere may take what they don't tell."""


def check_entry(name: str, config: Mapping[str, Any]) -> None:
    """Raise NotFound when an entry, as openstacksdk reads it without signing in, can't be one of a cloud."""
    loader = _loader(name, config)
    if loader is not None:
        options = {_key(option): option for option in loader.get_options()}
        _check_keys(name, options, config)
        if "password" in options:
            _check_person(name, options, {**config, **config["auth"]})
    address = str(config["auth"].get("auth_url") or "")
    if address and urlsplit(address).scheme not in ("http", "https"):
        raise _wrong(name, f"auth_url {address!r} is no address", "it begins with http:// or https://")


def _check_keys(name: str, options: Mapping[str, Opt], config: Mapping[str, Any]) -> None:
    known = {each for option in options.values() for each in _names(option)}
    for key in config["auth"]:
        if key not in known:
            what = f"`auth` has {key!r}, which auth_type {_type(config)} does not know"
            raise _wrong(name, what, did_you_mean(key, options))


def _check_person(name: str, options: Mapping[str, Opt], given: Mapping[str, Any]) -> None:
    def has(key: str) -> bool:
        return key in options and any(given.get(each) for each in _names(options[key]))

    if not has("password"):
        raise _wrong(name, "it has no `password`", _PASSWORD_HINT)
    if not has("username") and not has("user_id"):
        raise _wrong(name, "it has no `username`", "it stands below `auth:`, with user_domain_name")


def _loader(name: str, config: Mapping[str, Any]) -> BaseLoader[Any] | None:
    """Return what knows the options of the entry's auth_type; None when they can't be told."""
    from keystoneauth1.exceptions import NoMatchingPlugin
    from keystoneauth1.identity import BaseIdentityPlugin
    from keystoneauth1.loading import get_plugin_loader

    kind = _type(config)
    try:
        loader = get_plugin_loader(kind)
    except NoMatchingPlugin as error:
        raise _wrong(name, f"there is no auth_type {kind!r}", _COMMON_TYPES) from error
    if not issubclass(loader.plugin_class, BaseIdentityPlugin):
        raise _wrong(name, f"auth_type {kind} signs in to no keystone, which has the catalogue", _COMMON_TYPES)
    ours_to_tell = kind != _BY_METHODS and loader.plugin_class.__module__.startswith("keystoneauth1.")
    return loader if ours_to_tell else None


def _type(config: Mapping[str, Any]) -> str:
    """Return the auth_type, by the names that openstacksdk takes for others."""
    kind = str(config.get("auth_type") or "none")
    return {"None": "none", "token_endpoint": "admin_token"}.get(kind, kind)


def _key(option: Opt) -> str:
    return str(option.dest or option.name.replace("-", "_"))


def _names(option: Opt) -> Iterator[str]:
    yield _key(option)
    yield option.name.replace("-", "_")
    yield from (each.name.replace("-", "_") for each in option.deprecated)


def _wrong(name: str, what: str, hint: str) -> NotFound:
    return NotFound(f"the cloud {name!r} can't be read from clouds.yaml: {what}", hint=hint)
