"""The tempest.conf of some clouds, beside these tests; `UPDATE=1 pytest ...` writes them anew, to be looked at."""

from __future__ import annotations

import configparser
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rallyflow.verifiers.tempest.conf import Account, Refs, compose, merged, render
from rallyflow.verifiers.tempest.facts import Facts, Flavor, Image, Microversions, Network

GOLDEN = Path(__file__).with_name("golden")
ACCOUNT = Account("rf-x-tempest", "p$ss%w", "rf-x-tempest", "rf-x-tempest", "d0")
REFS = Refs("i1", "i2", "f1", "f2")
BARE = Facts("http://cloud:5000/v3", "RegionOne", services=frozenset({"identity"}))
FAKE = Facts(
    auth_url="http://10.0.0.2:5000/v3",
    region="RegionOne",
    services=frozenset({"identity", "image", "compute", "network", "block-storage"}),
    images=(Image("i1", "tiny", 1024),),
    flavors=(Flavor("f1", "tiny", 64),),
    extensions=("port-security", "router", "security-group"),
    roles=frozenset({"admin", "member"}),
    compute=Microversions("2.1", "2.93"),
    volume=Microversions("3.0", "3.70"),
    hypervisors=frozenset({"fake"}),
    volume_catalog="volumev3",
    image_version=(2, 15),
    import_methods=("glance-direct",),
)
REAL = replace(
    FAKE,
    services=FAKE.services | {"object-store"},
    interface="internal",
    verify="/etc/ssl/cloud.pem",
    hypervisors=frozenset({"qemu"}),
    compute_hosts=3,
    networks=(Network("n1", "public", external=True, subnets=1), Network("n2", "shared", shared=True, subnets=1)),
    roles=frozenset({"admin", "member", "ResellerAdmin"}),
    backup=True,
)
CLOUDS = {
    "identity-alone": (BARE, Refs()),
    "fake-driver": (FAKE, REFS),
    "real": (REAL, replace(REFS, network="shared")),
    "no-trust": (replace(BARE, verify=False), Refs()),
}


def conf(name):
    facts, refs = CLOUDS[name]
    return render(compose(facts, ACCOUNT, refs, prefix="rf-key", folder=Path("/work/tempest")))


@pytest.mark.parametrize("name", CLOUDS)
def test_the_same_cloud_gives_the_same_file(name):
    file = GOLDEN / f"{name}.conf"
    if os.environ.get("UPDATE"):
        file.write_text(conf(name))
    assert conf(name) == file.read_text()


def read(text):
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    parser.read_string(text)
    return parser


def test_servers_are_reached_only_where_they_can_be():
    assert read(conf("fake-driver"))["validation"]["run_validation"] == "false"
    assert read(conf("real"))["validation"]["run_validation"] == "true"
    simulated = compose(replace(REAL, simulated=True), ACCOUNT, REFS, prefix="p", folder=Path("/w"))
    assert simulated["validation"]["run_validation"] == "false"


def test_what_the_user_says_is_over_what_was_found():
    sections = compose(FAKE, ACCOUNT, REFS, prefix="p", folder=Path("/w"))
    changed = merged(sections, {"compute": {"min_microversion": 2.5, "x": [1, 2]}, "own": {"on": True}})
    assert changed["compute"]["min_microversion"] == "2.5"
    assert changed["compute"]["x"] == "1,2"
    assert changed["own"] == {"on": "true"}
    assert sections["compute"]["min_microversion"] == "2.1"


def test_null_takes_an_option_away():
    sections = compose(FAKE, ACCOUNT, REFS, prefix="p", folder=Path("/w"))
    changed = merged(sections, {"compute": {"flavor_ref_alt": None, "unknown": None}, "own": {"off": None}})
    assert "flavor_ref_alt" not in changed["compute"]
    assert (changed["own"], "unknown" in changed["compute"]) == ({}, False)
    assert sections["compute"]["flavor_ref_alt"] == "f2"


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("http://cloud/identity", "http://cloud/identity/v3"),
        ("http://cloud:5000/", "http://cloud:5000/v3"),
        ("http://cloud:5000/v3/", "http://cloud:5000/v3"),
        ("http://cloud:5000/v2.0", "http://cloud:5000/v3"),
        ("http://v3/keystone", "http://v3/keystone/v3"),
    ],
)
def test_the_address_of_keystone_names_its_version(given, written):
    sections = compose(replace(BARE, auth_url=given), ACCOUNT, REFS, prefix="p", folder=Path("/w"))
    assert sections["identity"]["uri_v3"] == written


def test_the_external_network_is_one_that_has_addresses():
    bare, public = Network("n0", "bare", external=True), Network("n1", "public", external=True, subnets=1)
    shared = Network("n2", "shared", shared=True, subnets=1)
    for networks, expected in (((bare, shared, public), "n1"), ((shared, bare), "n0"), ((shared,), None)):
        sections = compose(replace(REAL, networks=networks), ACCOUNT, REFS, prefix="p", folder=Path("/w"))
        assert sections["network"].get("public_network_id") == expected


def test_a_password_is_written_as_oslo_reads_it_and_shown_nowhere():
    assert read(conf("real"))["auth"]["admin_password"] == "p$$ss%w"
    assert "p$ss" not in repr(ACCOUNT)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), max_size=30))
def test_no_value_ends_its_line(value):
    text = render(compose(BARE, replace(ACCOUNT, password=value), Refs(), prefix="p", folder=Path("/w")))
    assert read(text)["auth"]["admin_password"] == value.replace("$", "$$")
