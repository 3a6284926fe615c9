"""The images of a host: each is a layer, a part of a root file system, on top of others. They are named by content."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rallyflow.servers.providers.lxc.agent import host
from rallyflow.servers.providers.lxc.agent.trouble import HostError

ABOUT = "image.json"
NOT_IN_PATHS = ":,\\ \n"
"""What overlay, or LXC's configuration, takes for something else than a part of a path."""
GOLDEN = "golden-"
"""What the digests of images begin with that are made of containers: each is made once, and under no second try."""
_NAMES = "names"
_LONGEST = 3700  # characters: one page of memory has to hold them, with the container's own two folders


def find(images: str, digest: str) -> list[dict[str, Any]] | None:
    """Return what is known of an image and of the layers below it, the uppermost first; None when one is missing."""
    chain: list[dict[str, Any]] = []
    while digest:
        about = _about(Path(images), digest)
        if about is None or about in chain:
            return None
        chain.append(about)
        digest = about["parent"]
    return chain


def lower(images: str, digest: str) -> str:
    """Return the layers of an image as overlay takes them, the uppermost first; HostError when one is missing."""
    if not digest:
        return ""
    chain = find(images, digest)
    if chain is None:
        what = f"the image {digest} is not on this host any more, or a layer of it is missing"
        raise HostError(what, hint="another attempt has it made again", kind="transient")  # it was there a moment ago
    return stacked(images, [each["digest"] for each in chain])


def stacked(images: str, digests: Sequence[str]) -> str:
    """Return layers as overlay takes them; HostError when it can't."""
    text = ":".join(str(Path(images, digest, "rootfs")) for digest in digests)
    if any(sign in images for sign in NOT_IN_PATHS):
        raise HostError(f"overlay can't use a folder with such a name: {images}", hint="set RALLYFLOW_CACHE")
    if len(text) > _LONGEST:
        raise HostError(
            f"{len(digests)} layers on top of each other, in {images}, are more than overlay takes",
            hint="begin anew from `packages` and `seed`, or set RALLYFLOW_CACHE to a folder with a shorter name",
        )
    return text


@contextlib.contextmanager
def making(images: str, digest: str, parent: str = "") -> Iterator[Path | None]:
    """Give a folder to make a layer in; None when somebody has made it meanwhile. It counts once this ends well.

    Nobody removes the layer below it, `parent`, meanwhile. What a maker that was killed has left of the same layer is
    removed first.
    """
    store = host.private(Path(images))
    with (
        host.locked(host.checked(digest), folder=store / "locks", waiting=f"waiting: another makes image {digest}"),
        claiming(images, parent) if parent else contextlib.nullcontext(),
    ):
        if _about(store, digest) is not None:
            yield None
            return
        folder = store / f".{digest}.making"
        host.remove_tree(folder)
        host.remove_tree(store / digest)  # without a word about itself: it was cut off while it was removed
        folder.mkdir(parents=True)
        try:
            yield folder
            _settle(folder, store / digest)
        finally:
            host.remove_tree(folder)


def _settle(folder: Path, target: Path) -> None:
    host.run("sync", "-f", folder, timeout=600.0)
    folder.rename(target)
    host.sync_folder(target.parent)


def describe(folder: Path, digest: str, parent: str, **more: Any) -> None:
    """Write what a layer is into its folder, as the last thing."""
    size = int(host.run("du", "-sxB1", folder / "rootfs", timeout=600.0).split()[0])
    about = {"digest": digest, "parent": parent, "size": size, "made": time.time(), **more}
    host.write_json(folder / ABOUT, about)


def versions(images: str, digest: str) -> dict[str, str]:
    """Return the version of each Debian package that an image had when it was built."""
    for about in find(images, digest) or ():
        text = host.text_of(Path(images, about["digest"], "versions"))
        if text:
            return dict(line.split(" ", 1) for line in text.splitlines())
    return {}


def named(images: str) -> dict[str, str]:
    """Return the digest of each image that has a name."""
    folder = Path(images, _NAMES)
    return {link.name: link.readlink().name for link in sorted(folder.glob("[!.]*")) if link.is_symlink()}


def name(images: str, word: str, digest: str) -> None:
    """Give an image a name; another that had it loses it."""
    folder = Path(images, _NAMES)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{secrets.token_hex(4)}"
    temporary.symlink_to(f"../{digest}")
    temporary.replace(folder / host.checked(word))


def listed(images: str) -> list[dict[str, Any]]:
    """Return all images: what they are, their names, the containers that use them and the layers on top of them."""
    store = Path(images)
    names = named(images)
    found = _all(store)
    return [
        {
            **about,
            "names": [word for word, digest in names.items() if digest == about["digest"]],
            "containers": users(images, about["digest"]),
            "on_top": [each["digest"] for each in found if each["parent"] == about["digest"]],
        }
        for about in found
    ]


def users(images: str, digest: str) -> list[str]:
    """Return the names of the containers that were made from an image, also those that are half made."""
    found = []
    for folder in sorted(host.CONTAINERS.glob("*")):
        about = host.read_json(folder / "server.json") or {}
        if about.get("image") == digest and are_same(about.get("images", ""), images):
            found.append(folder.name)
    return found


def are_same(images: str, others: str) -> bool:
    """Whether two folders of images are one, perhaps by way of links."""
    return Path(images).resolve() == Path(others).resolve()


@contextlib.contextmanager
def claiming(images: str, digest: str) -> Iterator[None]:
    """Hold an image while a container or a layer that is to stand on it is made: nobody removes it meanwhile."""
    with host.locked(host.checked(digest), folder=Path(images) / "locks", shared=True):
        yield


def remove(images: str, word: str) -> Mapping[str, Any]:
    """Remove an image by name or digest.

    HostError of the kind `used` while containers or other images stand on it, or are about to.
    """
    digest = named(images).get(word, word)
    busy = f"the image {word} is being made, or something that stands on it"
    with host.locked(host.checked(digest), folder=Path(images) / "locks", busy=busy):
        about = _about(Path(images), digest)
        if about is None:
            raise HostError(f"there is no image {word!r}", kind="missing")
        used = [*users(images, digest), *_on_top(Path(images), digest)]
        if used:
            raise HostError(f"the image {word} is used by {', '.join(used)}", kind="used")
        for link, target in named(images).items():
            if target == digest:
                Path(images, _NAMES, link).unlink(missing_ok=True)
        Path(images, digest, ABOUT).unlink()  # from here on it is none, also when this is cut off
        host.remove_tree(Path(images, digest))
    return {"digest": digest, "size": about["size"]}


def prune(images: str) -> list[Mapping[str, Any]]:
    """Remove all images that have no name and that nothing stands on, and return them; and what killed builds left."""
    _clear(Path(images))
    gone: list[Mapping[str, Any]] = []
    refused: set[str] = set()
    while idle := [each["digest"] for each in listed(images) if _is_idle(each) and each["digest"] not in refused]:
        for digest in idle:
            try:
                gone.append(remove(images, digest))
            except HostError as error:  # somebody has just begun to use it, or was faster
                refused.add(digest)
                host.say(error.what)
    return gone


def _is_idle(image: Mapping[str, Any]) -> bool:
    return not (image["names"] or image["containers"] or image["on_top"])


def clear_half_made(images: str, beginning: str = "") -> None:
    """Remove what is left of images, with digests that begin so, whose makers were killed; others are let be."""
    for folder in Path(images).glob(f".{beginning}*.making"):
        _clear_one(Path(images), folder.name[1:].removesuffix(".making"), folder)


def _clear(store: Path) -> None:
    """Remove what is left of builds and removals that were killed; one that goes on is let be."""
    clear_half_made(str(store))
    for folder in store.glob("[!.]*/rootfs"):
        _clear_one(store, folder.parent.name, folder.parent)


def _clear_one(store: Path, digest: str, folder: Path) -> None:
    if not host.can_be_name(digest):
        return
    try:
        with host.locked(digest, folder=store / "locks", busy=f"the image {digest} is being made"):
            if folder.name != digest or _about(store, digest) is None:
                host.remove_tree(folder)
    except HostError as error:
        host.say(error.what)


def packages(images: str, word: str) -> dict[str, str]:
    """Return the version of each Debian package in an image, by name or digest; HostError when there is none."""
    digest = named(images).get(word, word)
    if find(images, digest) is None:
        raise HostError(f"there is no image {word!r}", kind="missing")
    return versions(images, digest)


def _on_top(store: Path, digest: str) -> list[str]:
    return [about["digest"] for about in _all(store) if about["parent"] == digest]


def _all(store: Path) -> list[dict[str, Any]]:
    folders = [folder for folder in sorted(store.glob("[!.]*")) if host.can_be_name(folder.name)]
    return [about for folder in folders if (about := _about(store, folder.name)) is not None]


def _about(store: Path, digest: str) -> dict[str, Any] | None:
    return host.read_json(store / host.checked(digest) / ABOUT)
