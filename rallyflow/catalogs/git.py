"""Git repositories with catalogs: fetched by the git program into a cache by commit, which reading never fills."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from rallyflow.catalogs.content import sha256_of
from rallyflow.catalogs.problem import NOT_FOUND, CatalogProblem
from rallyflow.errors import StorageError

_TIMEOUT = 300.0  # seconds, of each call of git
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SETTINGS = (
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
    "core.autocrlf=false",  # what is pinned is what the repository has
    f"core.hooksPath={os.devnull}",
    "advice.detachedHead=false",
    "init.defaultBranch=main",
    "gc.auto=0",
)


def cache() -> Path:
    """Return the folder that holds fetched repositories, each in a folder named after its commit."""
    root = os.environ.get("XDG_CACHE_HOME") or ""
    base = Path(root) if Path(root).is_absolute() else Path.home() / ".cache"
    return base / "rallyflow" / "catalogs"


def cached(commit: str) -> Path | None:
    """Return the folder of a commit that has been fetched."""
    folder = cache() / commit
    return folder if folder.is_dir() else None


def fetch(url: str, ref: str, subfolder: str = "") -> str:
    """Bring a branch, tag or commit of a repository into the cache, and return its commit.

    What the cache has for the commit is replaced when the subfolder in it is not what the repository has. Raises
    CatalogProblem when the repository or the ref can't be had, and StorageError when the cache can't be written.
    """
    root = cache()
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".fetch-", dir=root))
    except OSError as error:
        raise _unwritable(root, error) from error
    try:
        commit = _check_out(url, ref, folder / "new")
        _keep(folder / "new", root / commit, subfolder, folder / "old")
    except OSError as error:
        raise _unwritable(root, error) from error
    except subprocess.CalledProcessError as error:
        raise _unfetchable(url, ref, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return commit


def _check_out(url: str, ref: str, folder: Path) -> str:
    """Put a commit's files into a folder, without its history."""
    folder.mkdir()
    _git(folder, "init", "--quiet")
    revision = _fetch(url, ref, folder)
    commit = _git(folder, "rev-parse", "--verify", f"{revision}^{{commit}}").strip()
    _git(folder, "-c", "core.symlinks=true", "checkout", "--quiet", "--force", "--detach", commit)
    shutil.rmtree(folder / ".git")
    return commit


def _fetch(url: str, ref: str, folder: Path) -> str:
    """Fetch what is needed for a branch, tag or commit, and return the name that it has here."""
    try:
        _git(folder, "fetch", "--quiet", "--depth=1", "--no-tags", "--", url, ref or "HEAD")
    except subprocess.CalledProcessError:
        if not _COMMIT.fullmatch(ref):
            raise
        # a server that does not give a commit alone gives it with all branches and tags
        _git(folder, "fetch", "--quiet", "--", url, "+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*")
        return ref
    return "FETCH_HEAD"


def _keep(new: Path, place: Path, subfolder: str, old: Path) -> None:
    """Move what was fetched to its place; what is there already stays when it is the same, and goes to `old` if not."""
    if place.is_dir():
        if _same(new / subfolder, place / subfolder):
            return
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if not place.is_dir():  # another process was faster with the same commit
            raise


def _same(one: Path, other: Path) -> bool:
    try:
        return sha256_of(one) == sha256_of(other)
    except CatalogProblem:
        return False


def _git(folder: Path, *arguments: str) -> str:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", *settings, *arguments],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=True,
        )
    except FileNotFoundError as error:
        what = "the git program is not installed, which fetches catalogs from repositories"
        raise CatalogProblem(NOT_FOUND, what, "install git, or give the catalog's folder") from error
    except subprocess.TimeoutExpired as error:
        what = f"git did not end within {_TIMEOUT:.0f} s: git {' '.join(arguments)}"
        raise CatalogProblem(NOT_FOUND, what, "does the repository answer?") from error
    return done.stdout


def _environment() -> dict[str, str]:
    """Return an environment in which git asks nobody, speaks English, and knows of no repository around it."""
    kept = {name: value for name, value in os.environ.items() if not _is_place(name)}
    ssh = kept.get("GIT_SSH_COMMAND") or "ssh -o BatchMode=yes"
    return {
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_SSH_COMMAND": ssh,
        "LC_ALL": "C",
    }


def _is_place(name: str) -> bool:
    """Whether a variable tells git where to work, as those do that git sets for its hooks."""
    return name in (
        "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_CEILING_DIRECTORIES", "GIT_PREFIX",
    )  # fmt: skip


def _unfetchable(url: str, ref: str, error: subprocess.CalledProcessError) -> CatalogProblem:
    said = next((line for line in reversed(error.stderr.splitlines()) if line.startswith(("fatal:", "error:"))), "")
    said = said.partition(":")[2].strip() or error.stderr.strip() or f"git ended with exit code {error.returncode}"
    if any(sign in error.stderr for sign in ("couldn't find remote ref", "not our ref", "Needed a single revision")):
        what = f"the repository {url} has no branch, tag or commit {ref or 'HEAD'!r}"
        return CatalogProblem(NOT_FOUND, what, "`git ls-remote` lists what it has")
    return CatalogProblem(NOT_FOUND, f"can't fetch from {url}: {said}", "is the address right, and may you read it?")


def _unwritable(root: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the cache of catalogs can't be written: {error.filename or root}: {error.strerror}",
        hint="XDG_CACHE_HOME names another folder for caches",
    )
