"""Makes an image of a container as it is, so that others can be cloned from it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent import configs, containers, host, layers
from rallyflow.servers.providers.lxc.agent.trouble import HostError

_COPY = ("setpriv", "--pdeathsig", "KILL", "cp", "-a", "--reflink=auto")  # that ends with us, however we end
_MOST_LINKS = 40  # as Linux has it


def snapshot(container: str, images: str, word: str, *, force: bool) -> dict[str, Any]:
    """Make the root file system of a container a named image, and return what the image is.

    The container is stopped in order while it is copied, and started again if it ran, or if a snapshot that was killed
    has stopped it; what that one has left is removed. An image that had the name goes when nothing uses it; without
    `force` the name has to be free (HostError of the kind `used`).
    """
    own, names = f"container-{host.checked(container)}", Path(images) / "locks"
    with host.locked(own) as lock, host.locked("names", folder=names):
        layers.clear_half_made(images, layers.GOLDEN)
        known = host.read_json(host.CONTAINERS / container / "server.json")
        if not known or not known["complete"]:
            raise HostError(f"there is no container {container} on this host", kind="missing")
        before = layers.named(images).get(host.checked(word))
        if before and not force:
            raise HostError(f"there is an image {word!r} already", hint="--force replaces it", kind="used")
        if not layers.are_same(known["images"], images):
            raise HostError(
                f"the layers below {container} are in {known['images']}, and the new one would be in {images}",
                hint="set RALLYFLOW_CACHE as it was when the container was made",
            )
        digest = f"{layers.GOLDEN}{secrets.token_hex(8)}"
        layers.stacked(images, [digest, *(each["digest"] for each in layers.find(images, known["image"]) or ())])
        about = _copied(known, images, digest, lock)
        layers.name(images, word, about["digest"])
    if before:
        _drop(images, before)
    return about


def _copied(known: dict[str, Any], images: str, digest: str, lock: int) -> dict[str, Any]:
    upper = host.CONTAINERS / known["name"] / "upper"
    with layers.making(images, digest) as folder:
        if folder is None:
            raise HostError(f"there is an image {digest} already", kind="transient")
        with containers.at_rest(known["name"], lock):  # it runs again before half a copy is removed, which takes longer
            host.say(f"copying {upper}")
            host.run(*_COPY, upper, folder / "rootfs", timeout=3600.0)
        for path in configs.OWN_FILES:
            _inside(folder / "rootfs", path).unlink(missing_ok=True)
        _write_versions(folder, images, known["image"])
        about = {"init": known["init"], "of": known["name"], "release": known["release"]}
        layers.describe(folder, digest, known["image"], **about)
    chain = layers.find(images, digest)
    if not chain:
        raise HostError(f"the image {digest} is gone again", kind="transient")
    return chain[0]


def _inside(root: Path, path: str) -> Path:
    """Return where a file of a container is, with folders that are links followed as the container sees them.

    Followed as the host sees them, they would lead to the host's own files. A link at the end is the file itself.
    """
    place, rest, links = root, list(Path(path).parts), 0
    while rest:
        part = rest.pop(0)
        link = place / part
        if part in {"/", ".."}:
            place = root if part == "/" or place == root else place.parent
        elif rest and link.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise HostError(f"{path} of the container leads round in a circle of links")
            rest = [*link.readlink().parts, *rest]
        else:
            place = link
    return place


def _write_versions(folder: Path, images: str, parent: str) -> None:
    file = _inside(folder / "rootfs", "var/lib/dpkg/status")
    status = "" if file.is_symlink() else host.text_of(file)
    found = dict(_packages(status)) if status else layers.versions(images, parent)
    text = "".join(f"{name} {version}\n" for name, version in sorted(found.items()))
    (folder / "versions").write_text(text, encoding="utf-8")


def _packages(status: str) -> Iterator[tuple[str, str]]:
    for stanza in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line[0].isspace())
        if fields.get("Status", "").endswith(" installed"):
            yield fields["Package"], fields["Version"]


def _drop(images: str, digest: str) -> None:
    """Remove an image that has lost its name, unless something stands on it."""
    try:
        layers.remove(images, digest)
    except HostError as error:
        host.say(f"the image that had the name stays: {error.what}")
