"""Reads the secrets that a workflow asks for: from the environment, from files, or from a keyring."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from rallyflow.errors import PluginError, UsageError
from rallyflow.model.secret import Secret, SecretSource

log = logging.getLogger("rallyflow")

SHORTEST = 4  # characters; masking a shorter text would tear harmless words and numbers apart
_LARGEST_FILE = 64 << 10  # bytes
_VARIABLE = "RALLYFLOW_SECRET_{}"


class _MissingError(Exception):
    """One secret can't be had: why, and what to do."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


def read_secrets(sources: Mapping[str, SecretSource], *, base: Path) -> dict[str, Secret]:
    """Return the secrets of a workflow whose folder is `base`.

    Raises UsageError that says of every secret which can't be had where it was looked for and what to do, and
    PluginError when one comes from a keyring and the library for that is not installed.
    """
    found: dict[str, Secret] = {}
    missing: dict[str, _MissingError] = {}
    for name, source in sources.items():
        try:
            found[name] = Secret(_checked(_read(name, source, base)))
        except _MissingError as problem:
            missing[name] = problem
    if missing:
        reasons = "; ".join(f"{_described(name, sources[name])}: {why}" for name, why in missing.items())
        hints = dict.fromkeys(why.hint for why in missing.values())
        raise UsageError(f"the workflow needs secrets: {reasons}", hint="; ".join(hints))
    return found


def _described(name: str, source: SecretSource) -> str:
    return f"{name} ({source.description})" if source.description else name


def _read(name: str, source: SecretSource, base: Path) -> str:
    if source.env is not None:
        return _from_variable(source.env)
    if source.file is not None:
        return _from_file(base / _at_home(source.file))
    if source.keyring is not None:
        return _from_keyring(source.keyring)
    return _by_name(_VARIABLE.format(name.upper().replace("-", "_")))


def _by_name(variable: str) -> str:
    """Return what the variable holds, or the file that the variable ending in _FILE names, as containers have it."""
    file = f"{variable}_FILE"
    if variable in os.environ and file in os.environ:
        raise _MissingError(f"both {variable} and {file} are set", f"unset one of {variable} and {file}")
    if variable in os.environ:
        return os.environ[variable]
    if file in os.environ:
        return _from_file(Path(os.environ[file]))
    raise _MissingError(
        f"neither {variable} nor {file} is set in the environment",
        f"set {variable}, or set {file} to the path of a file that holds it",
    )


def _from_variable(variable: str) -> str:
    if variable not in os.environ:
        raise _MissingError(f"{variable} is not set in the environment", f"set {variable}")
    return os.environ[variable]


def _at_home(file: Path) -> Path:
    """Return a path with `~` replaced; as it is for a user that this machine does not have."""
    try:
        return file.expanduser()
    except RuntimeError:
        return file


def _from_file(path: Path) -> str:
    try:
        # a pipe would block the open for as long as nobody writes to it
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _MissingError(f"{path} is not a regular file", f"put the secret into the file {path}")
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise _MissingError(
            f"can't read {path}: {error.strerror}", f"put the secret into the file {path}, readable by you alone"
        ) from None
    if len(content) > _LARGEST_FILE:
        raise _MissingError(f"{path} has more than 64 KiB", f"is {path} the right file?")
    if status.st_mode & stat.S_IROTH:
        log.warning("everyone on this machine can read the secret in %s; `chmod 600` it", path)
    return _text(content, path)


def _text(content: bytes, path: Path) -> str:
    """Return a file's content as text, without the line end that an editor puts at the end."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _MissingError(f"{path} is not UTF-8 text", f"save {path} as text, or encode it with base64") from None
    return text.removesuffix("\n").removesuffix("\r")


def _from_keyring(place: str) -> str:
    try:
        import keyring
    except ImportError:
        raise PluginError(
            f"the secret in the keyring at {place} can't be read: the keyring library is not installed",
            hint="pip install 'rallyflow[keyring]'",
        ) from None
    service, _, user = place.rpartition("/")
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - backends are plugins, and raise whatever they like
        raise _MissingError(
            f"the keyring does not answer for {place}: {type(error).__name__}: {error}",
            "`keyring diagnose` says which keyring is used; is it unlocked?",
        ) from None
    if found is None:
        raise _MissingError(f"the keyring has no {place}", f"`keyring set {quote(service)} {quote(user)}`")
    return found


def _checked(text: str) -> str:
    """Return a secret that can be masked."""
    if not text:
        raise _MissingError("it is empty", "a secret has at least four characters")
    if len(text.strip()) < SHORTEST:
        raise _MissingError(
            "it has fewer than four characters, so that masking it would tear harmless texts apart",
            "use a longer secret",
        )
    return text
