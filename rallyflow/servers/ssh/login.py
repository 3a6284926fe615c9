"""Logs in to a place: with its key file, with its password, or else with the agent and the keys in ~/.ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rallyflow.errors import LoginRefused
from rallyflow.model.values import Hop

if TYPE_CHECKING:
    from paramiko import PKey, Transport

    from rallyflow.servers.ssh.signals import HearingTransport

_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa")
_ENOUGH = "too many authentication failures"  # sshd's words, when it has refused as often as MaxAuthTries says

Attempt = Callable[[], list[str]]
"""Tries one way in; gives the ways that are wanted on top of it, or raises paramiko's AuthenticationException."""


def log_in(transport: HearingTransport, place: Hop, whose: str) -> None:
    """Authenticate, if need be in several ways one after the other; LoginRefused says what was tried."""
    from paramiko import AuthenticationException, BadAuthenticationType

    tried: list[str] = []
    accepted: set[str] = set()
    for what, attempt in _attempts(transport, place, whose):
        if _has_had_enough(transport):
            break
        try:
            more = attempt()
        except BadAuthenticationType as error:
            accepted.update(error.allowed_types)
            tried.append(what)
        except AuthenticationException:
            tried.append(what)
        else:
            if not more:
                return
            accepted.update(more)
            tried.append(f"{what} (taken, but more is wanted)")
    takes = f"; it takes {', '.join(sorted(accepted))}" if accepted else ""
    raise LoginRefused(
        f"{whose} refuses the user {place.user!r}; tried: {', '.join(tried) or 'nothing, there is no key'}{takes}",
        hint="the agent has many keys: name the right one as `key_file:`"
        if _has_had_enough(transport) and len(tried) > 1
        else "are the user and the key right, and is the key in authorized_keys there?",
    )


def _has_had_enough(transport: HearingTransport) -> bool:
    return _ENOUGH in transport.farewell.lower()


def password_of(file: Path | None, whose: str) -> str | None:
    """Return the password that a file holds, without a line end; LoginRefused when it can't be read."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LoginRefused(f"{whose}: its password can't be read from {file}: {error}") from error


def _attempts(transport: Transport, place: Hop, whose: str) -> Iterator[tuple[str, Attempt]]:
    for what, key in _keys(place, whose):
        yield what, partial(transport.auth_publickey, place.user, key)
    password = password_of(place.password_file, whose)
    if password is not None:
        yield "the password", partial(transport.auth_password, place.user, password)


def _keys(place: Hop, whose: str) -> Iterator[tuple[str, PKey]]:
    if place.key_file is not None:
        file = place.key_file.expanduser()
        yield f"the key {file}", _read(file, whose)
    elif place.password_file is None:
        yield from _keys_of_agent()
        yield from _keys_at_home()


def _keys_of_agent() -> Iterator[tuple[str, PKey]]:
    from paramiko import Agent, SSHException

    try:
        agent = Agent()
    except SSHException:  # it is there, but does not answer
        return
    with closing(agent):
        for key in agent.get_keys():
            yield f"the agent's key {key.fingerprint}", key


def _keys_at_home() -> Iterator[tuple[str, PKey]]:
    for name in _USUAL:
        file = Path("~/.ssh", name).expanduser()
        if file.is_file():
            try:
                yield f"the key {file}", _read(file, "")
            except LoginRefused:  # nobody has named this one: it may be encrypted, and not meant at all
                continue


def _read(file: Path, whose: str) -> PKey:
    from paramiko import PasswordRequiredException, PKey, SSHException
    from paramiko.pkey import UnknownKeyType

    try:
        return PKey.from_path(file)
    except (PasswordRequiredException, TypeError) as error:
        raise LoginRefused(
            f"{whose}: the key {file} has a passphrase", hint="give it to the agent (ssh-add), and name no key here"
        ) from error
    except (OSError, ValueError, SSHException, UnknownKeyType) as error:
        raise LoginRefused(f"{whose}: the key {file} can't be read: {error}") from error
