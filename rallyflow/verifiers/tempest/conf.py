"""Writes tempest.conf from the facts of a cloud. Pure: the same facts and choices give the same text."""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rallyflow.verifiers.tempest.facts import Facts

Sections = dict[str, dict[str, str]]
_SERVICES = {
    "nova": "compute",
    "glance": "image",
    "neutron": "network",
    "cinder": "block-storage",
    "swift": "object-store",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who Tempest is: an admin of the cloud, below whose domain it makes all users and projects."""

    username: str
    password: str = field(repr=False)
    project: str = ""
    domain: str = ""
    domain_id: str = ""  # of a domain of its own


@dataclass(frozen=True, slots=True)
class Refs:
    """What tests boot, by id; the two images, and the two flavors, may be the same."""

    image: str = ""
    image_alt: str = ""
    flavor: str = ""
    flavor_alt: str = ""
    network: str = ""  # the name of a fixed network; empty: Tempest makes one for each project


def compose(facts: Facts, account: Account, refs: Refs, *, prefix: str, folder: Path) -> Sections:
    """Return the sections of a tempest.conf. `prefix` begins the names of what tests make; `folder` is for files."""
    sections: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_dir": folder, "log_file": "tempest.log", "use_stderr": False, "resource_name_prefix": prefix},
        "oslo_concurrency": {"lock_path": folder / "locks"},
        "auth": _auth(account, refs),
        "identity": _identity(facts, account),
        "identity-feature-enabled": {"api_v2": False, "api_v2_admin": False},
        "service_available": {**{name: facts.has(kind) for name, kind in _SERVICES.items()}, "horizon": False},
        "compute": _compute(facts, refs),
        "compute-feature-enabled": _compute_features(facts),
        "image": {"region": facts.region, "endpoint_type": facts.interface},
        "image-feature-enabled": _image_features(facts),
        "network": _network(facts),
        "network-feature-enabled": _network_features(facts),
        "volume": _volume(facts),
        "volume-feature-enabled": {"backup": facts.backup, "multi_backend": False, "snapshot": True},
        "object-storage": _object_storage(facts),
        "validation": {"run_validation": facts.reachable, "connect_method": "floating" if facts.reachable else "fixed"},
    }
    return {
        name: {option: _text(value) for option, value in options.items()}
        for name, options in sections.items()
        if options
    }


def merged(sections: Sections, overrides: Mapping[str, Mapping[str, object]]) -> Sections:
    """Return sections with those of the user over them, option by option; None takes an option away."""
    result = {name: dict(options) for name, options in sections.items()}
    for name, options in overrides.items():
        mine = result.setdefault(name, {})
        mine.update({option: _text(value) for option, value in options.items() if value is not None})
        for option in [option for option, value in options.items() if value is None]:
            mine.pop(option, None)
    return result


def render(sections: Sections) -> str:
    """Return the text of the file."""
    parser = _Parser(interpolation=None, default_section="")
    for name, options in sections.items():
        # oslo.config takes `$` for a reference, and a line that is indented for more of the value above it
        parser[name] = {option: value.replace("$", "$$").replace("\n", "\n ") for option, value in options.items()}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


class _Parser(configparser.ConfigParser):
    """Leaves the names of options as they are."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(_text(each) for each in value)
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_text(each)}" for key, each in value.items())
    return str(value)


def _auth(account: Account, refs: Refs) -> dict[str, object]:
    return {
        "use_dynamic_credentials": True,
        "create_isolated_networks": not refs.network,
        "admin_username": account.username,
        "admin_password": account.password,
        "admin_project_name": account.project,
        "admin_domain_name": account.domain,
    }


def _identity(facts: Facts, account: Account) -> dict[str, object]:
    own = {"default_domain_id": account.domain_id} if account.domain_id else {}
    trust: dict[str, object] = {"ca_certificates_file": facts.verify} if isinstance(facts.verify, str) else {}
    return {
        "auth_version": "v3",
        "uri_v3": _v3(facts.auth_url),
        "region": facts.region,
        "v3_endpoint_type": facts.interface,
        "disable_ssl_certificate_validation": facts.verify is False,
        **own,
        **trust,
    }


def _v3(auth_url: str) -> str:
    """Return the address of Keystone's version 3, to which Tempest adds nothing, unlike most clients."""
    return f"{re.sub(r'/v[0-9.]+$', '', auth_url.rstrip('/'))}/v3"


def _compute(facts: Facts, refs: Refs) -> dict[str, object]:
    named: dict[str, object] = {
        "image_ref": refs.image,
        "image_ref_alt": refs.image_alt,
        "flavor_ref": refs.flavor,
        "flavor_ref_alt": refs.flavor_alt,
        "fixed_network_name": refs.network,
        "min_microversion": facts.compute.least,
        "max_microversion": facts.compute.greatest,
    }
    return {
        **{option: value for option, value in named.items() if value},
        "region": facts.region,
        "endpoint_type": facts.interface,
        "min_compute_nodes": facts.compute_hosts,
    }


def _compute_features(facts: Facts) -> dict[str, object]:
    several = facts.compute_hosts > 1
    real = not facts.simulated and not facts.hypervisors <= {"fake"}
    return {
        "resize": True,
        "live_migration": several,
        "cold_migration": several,
        "vnc_console": real,
        "console_output": real,
        "change_password": False,
    }


def _image_features(facts: Facts) -> dict[str, object]:
    """Return what Glance does. From API 2.17 on it looks into images; Tempest then leaves tests of made-up ones out."""
    looks = facts.image_version is None or facts.image_version >= (2, 17)
    return {"import_image": bool(facts.import_methods), "image_format_enforcement": looks}


def _network(facts: Facts) -> dict[str, object]:
    outside = [network for network in facts.networks if network.external]
    external = next((network for network in outside if network.subnets), outside[0] if outside else None)
    if not facts.has("network"):
        return {}
    found: dict[str, object] = {"region": facts.region, "endpoint_type": facts.interface}
    if external is None:
        return found
    return {**found, "public_network_id": external.id, "floating_network_name": external.name}


def _network_features(facts: Facts) -> dict[str, object]:
    if not facts.has("network"):
        return {}
    outside = any(network.external for network in facts.networks)
    return {
        "api_extensions": facts.extensions,
        "floating_ips": outside and "router" in facts.extensions,
        "port_security": "port-security" in facts.extensions,
    }


def _volume(facts: Facts) -> dict[str, object]:
    if not facts.has("block-storage"):
        return {}
    named = {
        "catalog_type": facts.volume_catalog,
        "min_microversion": facts.volume.least,
        "max_microversion": facts.volume.greatest,
    }
    return {
        **{option: value for option, value in named.items() if value},
        "region": facts.region,
        "endpoint_type": facts.interface,
        "volume_size": 1,
    }


def _object_storage(facts: Facts) -> dict[str, object]:
    if not facts.has("object-store"):
        return {}
    reseller = next((role for role in ("ResellerAdmin", "reseller_admin") if role in facts.roles), "admin")
    operator = next((role for role in ("SwiftOperator", "swiftoperator") if role in facts.roles), "member")
    return {"region": facts.region, "operator_role": operator, "reseller_admin_role": reseller}
