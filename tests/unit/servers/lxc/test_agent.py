"""The pure parts of what runs on a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from rallyflow.servers.providers.lxc.agent import (
    building,
    configs,
    firewall,
    golden,
    groups,
    host,
    layers,
    needs,
    sources,
)
from rallyflow.servers.providers.lxc.agent.trouble import HostError

DEB822 = """
# of the distribution
Types: deb deb-src
URIs: http://one.example/debian
Suites: bookworm bookworm-updates
 bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example
Suites: bookworm-security
Components: main contrib

Types: deb
URIs: http://off.example
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://vendor.example
Suites: bookworm
Components: stable
Signed-By: /etc/apt/keyrings/vendor.asc

Types: deb-src
URIs: http://source.example
Suites: bookworm
Components: main
"""
ONE_LINE = """
# deb http://commented.example bookworm main
deb http://one.example/debian bookworm main contrib  # the main one
deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.asc] http://vendor.example bookworm main
deb-src http://one.example/debian bookworm main
"""


def test_both_formats_of_apt_are_read():
    found = sources.deb822(DEB822)
    assert [source.uris[0] for source in found] == [
        "http://one.example/debian",
        "http://security.example",
        "http://vendor.example",
    ]
    assert found[0].suites == ("bookworm", "bookworm-updates", "bookworm-backports")
    lines = sources.one_line(ONE_LINE)
    assert [(source.uris[0], source.components) for source in lines] == [
        ("http://one.example/debian", ("main", "contrib")),
        ("http://vendor.example", ("main",)),
    ]
    assert lines[1].signed_by == "/etc/apt/keyrings/vendor.asc"


@pytest.mark.parametrize("text", [sources.deb822(DEB822), sources.one_line(ONE_LINE)], ids=["deb822", "one-line"])
def test_an_image_gets_the_distribution_and_not_what_vendors_added(text):
    chosen = sources.for_release(text, "bookworm")
    assert sources.mirror_of(chosen, "bookworm") == "http://one.example/debian"
    written = sources.deb822("\n".join(source.text() for source in chosen))
    assert written == chosen
    assert "vendor" not in str(chosen)


def test_a_release_that_apt_does_not_know_is_an_error_that_names_those_it_knows():
    with pytest.raises(HostError, match="trixie") as caught:
        sources.for_release(sources.deb822(DEB822), "trixie")
    assert "bookworm" in caught.value.hint


def server(**more: object) -> dict[str, object]:
    return {
        "name": "rf-x-one",
        "hostname": "one",
        "init": "minimal",
        "nesting": False,
        "veth": "rfv-0123456789",
        "bridge": "rf-0123456789",
        "mtu": 1450,
        "address": "10.1.0.5",
        "prefix": 24,
        "gateway": "10.1.0.1",
        "cpus": 0.0,
        "memory": 0,
        **more,
    }


@pytest.fixture
def cgroups(tmp_path, monkeypatch):
    def make(*files: str) -> None:
        for name in files:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("cpuset cpu io memory pids\n")
        monkeypatch.setattr(configs, "CGROUPS", tmp_path)

    return make


def config(**more: object) -> list[str]:
    return configs.lxc_config(server(**more), "/top:/base", Path("/state/one")).splitlines()


def test_the_root_file_system_is_an_overlay_of_all_layers():
    assert "lxc.rootfs.path = overlayfs:/top:/base:/state/one/upper" in config()
    assert "lxc.net.0.ipv4.address = 10.1.0.5/24" in config()
    assert not [line for line in config() if "cgroup" in line or "nested" in line]


def test_the_hardware_address_of_a_container_is_its_own_for_ever_in_its_network():
    assert "lxc.net.0.hwaddr = 02:00:0a:01:00:05" in config()
    assert config() == config()
    found = {configs.hardware(f"10.213.{third}.{fourth}") for third in range(4) for fourth in range(256)}
    assert len(found) == 1024
    assert {int(address[:2], 16) & 0b11 for address in found} == {0b10}  # of nobody's making, and of one device


def test_limits_are_written_as_the_version_of_the_control_groups_has_them(cgroups):
    cgroups("memory/memory.limit_in_bytes", "cpu/cpu.cfs_quota_us")
    first = config(memory=1 << 30, cpus=1.5)
    assert "lxc.cgroup.memory.limit_in_bytes = 1073741824" in first
    assert "lxc.cgroup.cpu.cfs_quota_us = 150000" in first
    assert not [line for line in first if "memsw" in line]
    cgroups("cgroup.controllers")
    second = config(memory=1 << 30, cpus=1.5)
    assert "lxc.cgroup2.memory.max = 1073741824" in second
    assert "lxc.cgroup2.cpu.max = 150000 100000" in second
    assert not [line for line in second if "swap" in line]
    cgroups("some.slice/memory.swap.max")
    assert "lxc.cgroup2.memory.swap.max = 0" in config(memory=1 << 30)


def test_a_group_with_processes_of_its_own_can_limit_nothing_unless_it_is_the_root_or_passes_on(cgroups):
    cgroups("cgroup.controllers", "cgroup.procs")
    assert not configs.lacks_controller("memory", "")  # the root
    cgroups("cgroup.type")
    assert configs.lacks_controller("memory", "")
    cgroups("cgroup.subtree_control")
    assert not configs.lacks_controller("memory", "")


def test_a_threaded_group_whose_processes_can_not_be_read_has_none(tmp_path, monkeypatch):
    (tmp_path / "cgroup.procs").write_text("12\n13\n")
    assert groups._members(tmp_path) == [12, 13]

    def refuse(_file):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(host, "text_of", refuse)
    assert groups._members(tmp_path) == []


def test_groups_that_lxc_had_to_give_a_number_go_with_their_container_and_those_of_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(configs, "CGROUPS", tmp_path)
    monkeypatch.setattr(host, "CONTAINERS", tmp_path / "containers")
    (host.CONTAINERS / "rf-one-2").mkdir(parents=True)
    ours = ["payload.rf-one/inner", "monitor.rf-one", "payload.rf-one-1", "monitor.rf-one-10"]
    others = ["payload.rf-one-2", "payload.rf-one-1-1", "payload.rf-one1", "monitor.rf-one-x", "payload.x-rf-one"]
    for name in (*ours, *others):
        (tmp_path / "memory" / f"lxc.{name}").mkdir(parents=True)
    groups.end("rf-one")
    assert {folder.name for folder in (tmp_path / "memory").iterdir()} == {f"lxc.{name}" for name in others}


@pytest.mark.parametrize("limit", [{"memory": 1 << 30}, {"cpus": 1.0}])
def test_a_limit_that_the_host_cannot_hold_is_an_error(cgroups, limit):
    cgroups("other")
    with pytest.raises(HostError, match=next(iter(limit))):
        config(**limit)


def test_a_host_of_containers_gets_folders_that_are_no_overlay_and_its_control_groups():
    lines = config(nesting=True)
    assert "lxc.mount.auto = proc:rw sys:rw cgroup:rw:force" in lines
    assert [line.split()[2] for line in lines if "nested" in line] == [
        "/state/one/nested/var/lib/rallyflow",
        "/state/one/nested/var/cache/rallyflow",
    ]


def test_private_files_of_a_container_are_private():
    own = server(hosts="", nat=False, authorized_key="ssh-ed25519 AAAA")
    files = {path: mode for path, _, mode in configs.files(own, {"private": "p", "public": "q"})}
    assert files["etc/ssh/ssh_host_ed25519_key"] == 0o600
    assert files["root/.ssh/authorized_keys"] == 0o600
    assert files["usr/sbin/rallyflow-init"] == 0o755
    assert set(configs.OWN_FILES) - set(files) == {"etc/machine-id", "var/lib/dbus/machine-id"}  # systemd makes them


def test_the_table_of_a_network_is_its_own_and_carries_its_tag():
    network = {
        "bridge": "rf-0123456789",
        "cidr": "10.1.0.0/24",
        "tag": "rf-run-key",
        "nat": True,
        "forward": [{"name": "one", "to": "10.1.0.5", "port": 20022}],
    }
    text = firewall.rules(network)
    assert text.startswith("table ip rf-0123456789 { }\ndelete table ip rf-0123456789\n")
    assert text.count('comment "rf-run-key"') == 3
    assert text.count("tcp dport 20022 dnat to 10.1.0.5:22") == 2
    assert "masquerade" in text
    assert "masquerade" not in firewall.rules({**network, "nat": False})


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-n", "a b", "x" * 201])
def test_a_name_that_could_lead_elsewhere_is_refused(name):
    with pytest.raises(HostError):
        host.checked(name)


def test_files_of_containers_and_images_are_nobody_elses(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    for folder in (tmp_path / "open", tmp_path / "images"):
        with layers.making(str(folder), "new"):
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / ".new.making" / "rootfs").mkdir()


def test_a_file_that_a_crash_has_cut_off_counts_as_missing(tmp_path):
    file = tmp_path / "server.json"
    assert host.read_json(file) is None
    host.write_json(file, {"a": 1})
    assert host.read_json(file) == {"a": 1}
    file.write_text('{"a": ')
    assert host.read_json(file) is None
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A store with a base and a layer on top of it."""
    monkeypatch.setattr(host, "CONTAINERS", tmp_path / "containers")
    store = str(tmp_path / "images")
    for digest, parent in (("base", ""), ("top", "base")):
        with layers.making(store, digest) as folder:
            (folder / "rootfs").mkdir()
            (folder / "versions").write_text(f"{digest} 1.0\n")
            layers.describe(folder, digest, parent, release="bookworm")
    return store


def use(images: str, digest: str) -> None:
    folder = host.CONTAINERS / "rf-one"
    folder.mkdir(parents=True)
    host.write_json(folder / "server.json", {"image": digest, "images": images, "complete": False})


def test_an_image_is_its_layers_the_uppermost_first(images):
    assert layers.lower(images, "top") == f"{images}/top/rootfs:{images}/base/rootfs"
    assert layers.versions(images, "top") == {"top": "1.0"}
    with layers.making(images, "top") as folder:
        assert folder is None  # somebody has made it


def test_more_layers_than_overlay_takes_are_refused_and_none_is_left_out(images):
    parent = "top"
    for number in range(120):
        with layers.making(images, digest := f"layer-{number}", parent) as folder:
            (folder / "rootfs").mkdir()
            host.write_json(folder / layers.ABOUT, {"digest": digest, "parent": parent})
        parent = digest
    assert len(layers.find(images, parent)) == 122
    with pytest.raises(HostError, match="122 layers"):
        layers.lower(images, parent)


def test_an_image_that_something_stands_on_is_not_removed(images):
    layers.name(images, "golden", "top")
    with pytest.raises(HostError, match="top"):
        layers.remove(images, "base")
    use(images, "top")
    with pytest.raises(HostError, match="rf-one"):
        layers.remove(images, "golden")
    host.remove_tree(host.CONTAINERS / "rf-one")
    layers.remove(images, "golden")
    layers.remove(images, "base")
    assert layers.listed(images) == []
    assert layers.named(images) == {}


def test_an_image_is_used_by_containers_that_were_made_by_another_path_to_it(images, tmp_path):
    use(images, "top")
    (tmp_path / "link").symlink_to(images)
    for same in (str(tmp_path / "link"), f"{images}/../images"):
        assert layers.prune(same) == []
        with pytest.raises(HostError, match="rf-one"):
            layers.remove(same, "top")


def test_an_image_on_which_another_is_being_made_is_not_removed_and_nobody_waits_for_it(images):
    with layers.making(images, "new", "top") as folder:
        (folder / "rootfs").mkdir()
        assert layers.prune(images) == []
        for digest in ("top", "new"):
            with pytest.raises(HostError, match="being made"):
                layers.remove(images, digest)
        layers.describe(folder, "new", "top", release="bookworm")
    assert layers.lower(images, "new").startswith(f"{images}/new/rootfs:{images}/top/rootfs:")


def test_what_is_not_ours_among_the_images_is_neither_read_nor_removed(images):
    layers.name(images, "image.json", "base")  # a name that a file of ours has
    Path(images, "lost+found", "rootfs").mkdir(parents=True)
    assert [each["digest"] for each in layers.listed(images)] == ["base", "top"]
    assert [gone["digest"] for gone in layers.prune(images)] == ["top"]
    assert Path(images, "lost+found", "rootfs").is_dir()


def test_pruning_keeps_what_has_a_name_or_is_used(images):
    layers.name(images, "golden", "top")
    assert layers.prune(images) == []
    use(images, "base")
    layers.name(images, "golden", "base")
    assert [gone["digest"] for gone in layers.prune(images)] == ["top"]
    assert [each["digest"] for each in layers.listed(images)] == ["base"]


def test_what_a_killed_build_has_left_is_removed_by_the_next(images):
    stale = Path(images, ".new.making", "rootfs")
    stale.mkdir(parents=True)
    (stale / "half").touch()
    with layers.making(images, "new") as folder:
        assert list(folder.iterdir()) == []
        (folder / "rootfs").mkdir()
        layers.describe(folder, "new", "", release="bookworm")
    assert layers.find(images, "new")


def test_pruning_removes_what_killed_builds_and_removals_have_left(images):
    Path(images, ".new.making", "rootfs").mkdir(parents=True)
    Path(images, "base", layers.ABOUT).unlink()  # as a removal does first
    layers.name(images, "golden", "top")
    layers.prune(images)
    assert sorted(path.name for path in Path(images).iterdir()) == ["locks", "names", "top"]


def test_a_build_that_fails_leaves_nothing_and_a_layer_without_its_parent_is_no_image(images):
    with pytest.raises(RuntimeError), layers.making(images, "new"):
        raise RuntimeError
    assert layers.find(images, "new") is None
    assert not list(Path(images).glob(".*.making"))
    host.remove_tree(Path(images, "base"))
    assert layers.find(images, "top") is None
    with pytest.raises(HostError, match="layer"):
        layers.lower(images, "top")


def test_the_packages_of_a_snapshot_are_those_that_are_installed():
    status = (
        "Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    assert dict(golden._packages(status)) == {"bash": "5.2"}


@pytest.mark.parametrize("name", ["a b", "a:b", "a,b", "a\\b"])
def test_a_folder_that_overlay_cannot_use_is_told_before_anything_is_built(tmp_path, name):
    (told,) = needs._folder(str(tmp_path / name / "images"))
    assert name in told["what"]
    assert "RALLYFLOW_CACHE" in told["hint"]


def test_a_file_where_images_are_to_be_is_told(tmp_path):
    (tmp_path / "images").touch()
    (told,) = needs._folder(str(tmp_path / "images"))
    assert "is no folder" in told["what"]
    assert not list(needs._folder(str(tmp_path / "not" / "yet")))


def test_too_little_space_for_an_image_comes_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "free_bytes", lambda folder: 1 << 20 if folder == tmp_path else 1 << 40)
    (told,) = needs._space(str(tmp_path), {"build": True, "memory": 0})
    assert "1 MiB left" in told["what"]
    assert "images --unused" in told["hint"]


def test_of_a_build_that_fails_the_errors_are_told_if_it_says_which_they_are():
    assert building._errors(["Reading package lists...", "E: Unable to locate package x"]) == [
        "E: Unable to locate package x"
    ]
    assert building._errors(["out of luck"]) == ["out of luck"]


def test_links_of_a_container_lead_to_its_own_files_and_never_to_those_of_the_host(tmp_path):
    outside = tmp_path / "outside"
    root = tmp_path / "rootfs"
    for folder in (outside, root / "home/root/.ssh", root / "etc"):
        folder.mkdir(parents=True)
    (root / "root").symlink_to("/home/root")
    (root / "etc/ssh").symlink_to(f"../../../..{outside}")
    (root / "etc/resolv.conf").symlink_to("/run/resolv.conf")
    (root / "round").symlink_to("round")
    assert golden._inside(root, "root/.ssh/authorized_keys") == root / "home/root/.ssh/authorized_keys"
    assert golden._inside(root, "etc/ssh/key") == root / str(outside).lstrip("/") / "key"
    assert golden._inside(root, "etc/resolv.conf") == root / "etc/resolv.conf"
    with pytest.raises(HostError, match="circle"):
        golden._inside(root, "round/key")
