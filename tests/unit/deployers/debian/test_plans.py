import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rallyflow.deployers.debian.agent.plan import PHASES, Daemon, Wait, digest, dump, load
from rallyflow.deployers.debian.layout import Role, lay_out
from rallyflow.deployers.debian.passwords import Passwords
from rallyflow.deployers.debian.plans import plan_for
from rallyflow.deployers.debian.site import PORTS, SHARED, Site
from rallyflow.model.values import Server

PASSWORDS = Passwords.generate("rf-test")
SERVERS = [Server(name=name, host=f"10.0.0.{number}") for number, name in enumerate(("ctl", "one", "two"), 1)]
WORDS = st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True)


def site(config=None, servers=SERVERS, roles=None, **options):
    layout = lay_out(servers, roles or {Role.CONTROLLER: 1, Role.COMPUTE: 2})
    return Site(layout, PASSWORDS, "RegionOne", config or {}, **options)


def plans(of):
    return {placed.name: plan_for(of, placed, 900.0) for placed in of.layout.servers}


def digests(of):
    found = {}
    for name, plan in plans(of).items():
        contents = {file.path: file.content for file in plan.files}
        found |= {(name, unit.name): digest(unit, contents) for unit in plan.units if isinstance(unit, Daemon)}
    return found


def changed(config, roles=None, **options):
    """The daemons that are started again for an option, by their servers."""
    before, after = digests(site(roles=roles, **options)), digests(site(config, roles=roles, **options))
    assert before.keys() == after.keys()
    found = {server: set() for server, _name in before}
    for server, name in before:
        if before[server, name] != after[server, name]:
            found[server].add(name)
    return found


CONTROLLERS = {Role.CONTROLLER: 2, Role.COMPUTE: 1}


def everywhere(by_server):
    return set().union(*by_server.values())


NOVA = {"nova-api", "nova-conductor", "nova-scheduler", "nova-compute"}
NEUTRON = {"neutron-api", "neutron-rpc-server", "neutron-linuxbridge-agent"}
CINDER = {"cinder-api", "cinder-scheduler", "cinder-volume"}


@pytest.mark.parametrize(
    ("service", "daemons"),
    [
        ("nova", NOVA),
        ("neutron", NEUTRON),
        ("ml2", {"neutron-api", "neutron-rpc-server"}),
        ("linuxbridge", {"neutron-linuxbridge-agent"}),
        ("cinder", CINDER),
        ("keystone", {"keystone"}),
        ("glance", {"glance-api"}),
        ("placement", {"placement-api"}),
        ("mariadb", {"mariadb"}),
    ],
)
@settings(deadline=None, max_examples=30)
@given(option=WORDS, value=st.one_of(st.integers(), WORDS, st.booleans()))
def test_an_option_of_a_service_changes_the_daemons_of_that_service_only(service, daemons, option, value):
    config = {service: {"rallyflow_test": {option: value}}}
    assert everywhere(changed(config)) == everywhere(changed(config, CONTROLLERS)) == daemons


@pytest.mark.parametrize(
    ("service", "daemons"),
    [
        ("neutron", {"neutron-api", "neutron-rpc-server", "neutron-openvswitch-agent"}),
        ("ml2", {"neutron-api", "neutron-rpc-server"}),
        ("openvswitch", {"neutron-openvswitch-agent"}),
        ("linuxbridge", set()),
    ],
)
def test_an_option_of_the_agent_never_starts_the_switch_again(service, daemons):
    found = changed({service: {"rallyflow_test": {"option": 1}}}, network_driver="openvswitch")
    assert everywhere(found) == daemons


def test_open_vswitch_is_where_the_linuxbridge_agent_would_be_and_nowhere_else():
    roles = {Role.CONTROLLER: 1, Role.COMPUTE: 1, Role.STORAGE: 1}
    for name in ("ctl", "one", "two"):
        bridge = {unit.name for unit in plans(site(roles=roles))[name].units}
        switch = {unit.name for unit in plans(site(roles=roles, network_driver="openvswitch"))[name].units}
        ours = {"ovsdb", "ovsdb-server", "ovs-vswitchd", "neutron-openvswitch-agent"}
        assert switch - bridge == (ours if "neutron-linuxbridge-agent" in bridge else set())
        assert bridge - switch <= {"neutron-linuxbridge-agent"}


def test_open_vswitch_of_a_server_is_stopped_only_where_ours_takes_its_place():
    assert "ovs-vswitchd" not in plans(site())["one"].stop_units
    assert "ovs-vswitchd" in plans(site(network_driver="openvswitch"))["one"].stop_units


def test_the_interfaces_of_each_datapath_are_taken_away_in_the_end():
    of = plans(site(network_driver="openvswitch", kernels={"one": ["openvswitch"]}))
    assert "del-dp" in " ".join(of["one"].undo[0])
    assert "ip link delete" in " ".join(of["two"].undo[0])
    assert load(dump(of["one"])).undo == of["one"].undo


def test_bridges_and_machines_are_taken_away_in_the_end_machines_first():
    (bridges,) = plans(site())["one"].undo
    assert "neutron-linuxbridge-cleanup" in bridges[-1]
    machines, *after = plans(site(driver="libvirt"))["one"].undo
    assert "qemu" in machines[-1]
    assert after == [bridges]


@pytest.mark.parametrize(
    ("service", "second"),
    [
        ("nova", NOVA - {"nova-compute"}),
        ("neutron", {"neutron-api", "neutron-rpc-server"}),
        ("cinder", CINDER - {"cinder-volume"}),
        ("keystone", {"keystone"}),
        ("glance", set()),
        ("placement", {"placement-api"}),
        ("mariadb", set()),
    ],
)
def test_an_option_changes_the_same_daemons_on_the_second_controller(service, second):
    assert changed({service: {"rallyflow_test": {"option": 1}}}, CONTROLLERS)["one"] == second


def test_the_processes_of_one_api_change_that_api_only():
    config = {"uwsgi": {"nova-api": {"processes": 7}}}
    assert everywhere(changed(config)) == {"nova-api"}
    assert changed(config, CONTROLLERS) == {"ctl": {"nova-api"}, "one": {"nova-api"}, "two": set()}


def test_an_option_takes_the_place_of_ours():
    plan = plans(site({"nova": {"DEFAULT": {"vif_plugging_timeout": 7}}}))["one"]
    conf = next(file.content for file in plan.files if file.path == "/etc/nova/nova.conf")
    assert "vif_plugging_timeout = 7\n" in conf
    assert conf.count("vif_plugging_timeout") == 1


def test_a_list_gives_an_option_several_times():
    plan = plans(site({"neutron": {"service_providers": {"service_provider": ("one", "two")}}}))["ctl"]
    conf = next(file.content for file in plan.files if file.path == "/etc/neutron/neutron.conf")
    assert "[service_providers]\nservice_provider = one\nservice_provider = two\n" in conf


def test_a_plan_comes_back_from_json_as_it_was():
    for plan in plans(site()).values():
        assert load(dump(plan)) == dataclasses.replace(plan, units=load(dump(plan)).units)
        assert json.loads(dump(load(dump(plan)))) == json.loads(dump(plan))


def test_heat_comes_when_it_is_wanted():
    without, wanted = plans(site())["ctl"], plans(site(optional=frozenset({"heat"})))["ctl"]
    assert {unit.name for unit in wanted.units} - {unit.name for unit in without.units} == {
        "heat-api",
        "heat-engine",
        "heat-tables",
    }
    (identity,) = (unit for unit in wanted.units if unit.name == "catalogue")
    assert [domain.name for domain in identity.domains] == ["heat"]
    assert load(dump(wanted)).units[-1] == wanted.units[-1]


def test_swift_comes_when_it_is_wanted():
    without, wanted = plans(site())["ctl"], plans(site(optional=frozenset({"swift"})))["ctl"]
    daemons = {unit.name for unit in wanted.units if isinstance(unit, Daemon)} - {unit.name for unit in without.units}
    assert daemons == {"swift-proxy", "swift-account", "swift-container", "swift-object"}
    assert [account.type for unit in wanted.units if unit.name == "catalogue" for account in unit.accounts][-1] == (
        "object-store"
    )


@pytest.mark.parametrize("roles", [None, CONTROLLERS, {Role.CONTROLLER: 3}])
def test_every_unit_comes_after_units_of_its_own_server_and_none_waits_for_itself(roles):
    for plan in plans(site(roles=roles, optional=frozenset({"heat", "swift"}))).values():
        names = [unit.name for unit in plan.units]
        assert len(set(names)) == len(names)
        done = set()
        while done != set(names):
            free = {unit.name for unit in plan.units if unit.name not in done and done.issuperset(unit.after)}
            assert free, set(names) - done
            done |= free


def test_every_unit_belongs_to_a_phase_and_every_daemon_says_when_it_is_ready():
    everything = site(optional=frozenset({"heat", "swift"}), roles=CONTROLLERS)
    for plan in [
        *plans(everything).values(),
        *plans(site(driver="libvirt", network_driver="openvswitch")).values(),
    ]:
        for unit in plan.units:
            assert unit.phase in PHASES
            if isinstance(unit, Daemon) and unit.name != "virtlogd":  # libvirtd speaks for it
                assert unit.ready is not None, unit.name


@pytest.mark.parametrize("roles", [None, CONTROLLERS])
def test_a_daemon_reads_files_of_its_own_plan(roles):
    for plan in plans(site(roles=roles)).values():
        paths = [file.path for file in plan.files]
        assert len(set(paths)) == len(paths)
        for unit in plan.units:
            if isinstance(unit, Daemon):
                assert set(unit.reads) <= set(paths)


@pytest.mark.parametrize("roles", [None, CONTROLLERS])
def test_no_password_is_in_a_command_line_or_in_a_file_that_everybody_may_read(roles):
    for plan in plans(site(roles=roles)).values():
        for file in plan.files:
            if file.mode & 0o004:
                assert not any(secret in file.content for secret in PASSWORDS.all()), file.path
        for unit in plan.units:
            words = " ".join(getattr(unit, "command", ()))
            assert not any(secret in words for secret in PASSWORDS.all()), unit.name


def test_a_compute_host_does_not_get_the_passwords_of_the_databases():
    text = dump(plans(site())["one"])
    assert "mysql+pymysql" not in text
    assert PASSWORDS.users["admin"] not in text


def test_a_compute_host_beside_several_controllers_does_not_get_them_either():
    text = dump(plans(site(roles=CONTROLLERS))["two"])
    assert "mysql+pymysql" not in text
    assert PASSWORDS.users["admin"] not in text


def test_what_there_is_once_is_on_the_first_controller_only():
    of = plans(site(roles=CONTROLLERS, optional=frozenset({"heat", "swift"})))
    first, second = ({unit.name for unit in of[name].units if isinstance(unit, Daemon)} for name in ("ctl", "one"))
    assert first - second == {
        *("mariadb", "rabbitmq", "memcached", "haproxy", "glance-api", "cinder-volume"),
        *("swift-proxy", "swift-account", "swift-container", "swift-object"),
    }
    assert second - first == set()
    assert {type(unit) for unit in of["one"].units} == {Daemon, Wait}


def test_one_controller_has_no_load_balancer():
    plan = plans(site())["ctl"]
    assert "haproxy" not in plan.packages
    assert not any("haproxy" in unit.name or "balanced" in unit.name for unit in plan.units)


def test_the_load_balancer_has_the_addresses_of_the_apis_and_nobody_else_has_them():
    first = plans(site(roles=CONTROLLERS, optional=frozenset({"heat"})))["ctl"]
    files = {file.path: file.content for file in first.files}
    for name in SHARED:
        assert f"bind 10.0.0.1:{PORTS[name]}\n" in files["/etc/rallyflow/haproxy.cfg"]
        assert f"server ctl 127.0.0.1:{PORTS[name]} check\n" in files["/etc/rallyflow/haproxy.cfg"]
        assert f"server one 10.0.0.2:{PORTS[name]} check\n" in files["/etc/rallyflow/haproxy.cfg"]
        assert f"http-socket = 127.0.0.1:{PORTS[name]}\n" in files[f"/etc/rallyflow/{name}.ini"]


def test_controllers_share_one_memcached():
    for name in ("ctl", "one"):
        plan = plans(site(roles=CONTROLLERS))[name]
        assert "127.0.0.1:11211" not in dump(plan)
        conf = next(file.content for file in plan.files if file.path == "/etc/keystone/keystone.conf")
        assert "memcache_servers = 10.0.0.1:11211\n" in conf


def test_all_controllers_have_the_same_keys():
    first, second = (
        {file.path: file.content for file in plans(site(roles=CONTROLLERS))[name].files if "-keys/" in file.path}
        for name in ("ctl", "one")
    )
    assert first == second
    assert len(first) == 4


def test_a_compute_host_has_no_more_than_it_needs():
    names = {unit.name for unit in plans(site())["one"].units if isinstance(unit, Daemon)}
    assert names == {"nova-compute", "neutron-linuxbridge-agent"}


def test_volumes_are_where_storage_is():
    of = site(roles={Role.CONTROLLER: ("ctl",), Role.COMPUTE: ("one",), Role.STORAGE: ("two",)})
    where = {name for name, plan in plans(of).items() if any(unit.name == "cinder-volume" for unit in plan.units)}
    assert where == {"two"}


def test_libvirt_brings_its_daemons_and_its_packages():
    plan = plans(site(driver="libvirt", virt_type="kvm"))["one"]
    names = {unit.name for unit in plan.units if isinstance(unit, Daemon)}
    assert {"libvirtd", "virtlogd", "nova-compute"} <= names
    assert "nova-compute-kvm" in plan.packages
    assert "nova-compute-ironic" not in plan.packages
    conf = next(file.content for file in plan.files if file.path == "/etc/nova/nova.conf")
    assert "virt_type = kvm" in conf


def test_the_tables_are_named_after_the_versions_that_make_them():
    old, new = (
        next(
            unit for unit in plans(site(versions={"python3-nova": version}))["ctl"].units if unit.name == "nova-tables"
        )
        for version in ("2:26.1.0-1", "2:26.2.2-1~deb12u5")
    )
    assert old.key != new.key
    assert "/" not in new.key


def test_tables_of_older_packages_are_upgraded_without_making_a_second_cell():
    (tables,) = (unit for unit in plans(site())["ctl"].units if unit.name == "nova-tables")
    assert any("create_cell" in command for command in tables.commands)
    assert not any("cell_v2" in command for command in tables.upgrade)
    assert set(tables.upgrade) < set(tables.commands)


@pytest.mark.parametrize("role", [Role.COMPUTE, Role.NETWORK, Role.STORAGE])
@pytest.mark.parametrize(
    "options", [{}, {"driver": "libvirt", "network_driver": "openvswitch", "volume_driver": "lvm"}]
)
def test_whoever_owns_a_file_of_a_server_comes_with_its_packages(role, options):
    """The packages of OpenStack make a user each, which no other package does."""
    plan = plans(site(roles={Role.CONTROLLER: ("ctl",), role: ("one",)}, **options))["one"]
    users = {each.owner for each in plan.folders} | {each.group for each in plan.files}
    for user in users & {"nova", "neutron", "cinder", "glance", "keystone", "placement"}:
        assert [name for name in plan.packages if name.startswith(f"{user}-")], user
