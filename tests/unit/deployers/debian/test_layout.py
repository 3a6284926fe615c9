import pytest

from rallyflow.deployers.debian.layout import Role, lay_out
from rallyflow.errors import LayoutInvalid
from rallyflow.model.values import Server


def servers(*names, **roles):
    return [Server(name=name, host=f"host-{name}", role=roles.get(name, "")) for name in names]


def roles_of(layout):
    return {each.name: {str(role) for role in each.roles} for each in layout.servers}


def test_a_single_server_gets_every_role():
    assert roles_of(lay_out(servers("all"), {})) == {"all": {"controller", "compute", "network", "storage"}}


def test_counts_take_servers_in_their_order():
    layout = lay_out(servers("a", "b", "c"), {Role.CONTROLLER: 1, Role.COMPUTE: 2})
    assert roles_of(layout) == {"a": {"controller", "storage"}, "b": {"compute"}, "c": {"compute"}}


def test_names_may_give_a_server_several_roles():
    layout = lay_out(servers("a", "b"), {Role.CONTROLLER: ("b",), Role.COMPUTE: ("a", "b")})
    assert roles_of(layout) == {"a": {"compute"}, "b": {"controller", "compute", "storage"}}


def test_without_roles_each_server_says_its_own():
    layout = lay_out(servers("a", "b", "c", a="compute", b="controller", c="storage"), {})
    assert roles_of(layout) == {"a": {"compute"}, "b": {"controller"}, "c": {"storage"}}


def test_the_first_of_several_controllers_has_the_roles_that_nobody_has():
    layout = lay_out(servers("a", "b", "c"), {Role.CONTROLLER: ("c", "b")})
    assert roles_of(layout) == {"b": {"controller", "compute", "storage"}, "c": {"controller"}}
    assert [each.name for each in layout.controllers] == ["b", "c"]
    assert layout.controller.name == "b"


def test_a_server_without_a_role_is_left_alone():
    layout = lay_out(servers("a", "b", "c"), {Role.CONTROLLER: 1})
    assert roles_of(layout) == {"a": {"controller", "compute", "storage"}}


@pytest.mark.parametrize(
    ("given", "wanted", "message"),
    [
        (servers("a", "b"), {Role.CONTROLLER: 1, Role.COMPUTE: 2}, "2 servers are wanted as compute, and 1 of 2"),
        (servers("a"), {Role.CONTROLLER: ("b",)}, "no server 'b'"),
        (servers("a", "b"), {Role.COMPUTE: 1}, "no server is a controller"),
        (servers("a", "b"), {Role.CONTROLLER: 0, Role.COMPUTE: 1}, "no server is a controller"),
        (servers("a", "b", a="compute", b="compute"), {}, "no server is a controller"),
        (servers("a", "b"), {}, "has no role"),
        (servers("a", a="database"), {}, "role 'database'"),
        (servers("a", "a"), {Role.CONTROLLER: 1}, "same name"),
    ],
)
def test_servers_that_do_not_fit_are_refused(given, wanted, message):
    with pytest.raises(LayoutInvalid, match=message):
        lay_out(given, wanted)


def test_services_speak_over_the_network_that_is_named():
    server = Server(name="a", host="outside", networks={"inside": "10.1.1.1"})
    assert lay_out([server], {}, "inside").controller.address == "10.1.1.1"
    assert lay_out([server], {}).controller.address == "outside"
    with pytest.raises(LayoutInvalid, match="no address in the network 'other'"):
        lay_out([server], {}, "other")
