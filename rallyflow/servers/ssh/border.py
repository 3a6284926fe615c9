"""Turns the exceptions of paramiko and of the system into ours, with the name of the server in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rallyflow.errors import LoginRefused, RallyflowError, ServerLost, ServerUnreachable


def quiet() -> None:
    """Keep paramiko's own log, with tracebacks of what we turn into errors, out of the step's."""
    logger = logging.getLogger("paramiko")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


@contextmanager
def connecting(whose: str) -> Iterator[None]:
    """Map what can happen before a place has let us in: LoginRefused, else ServerUnreachable."""
    from paramiko import AuthenticationException, SSHException

    try:
        yield
    except RallyflowError:
        raise
    except AuthenticationException as error:
        raise LoginRefused(f"{whose} refuses the login: {error}") from error
    except (OSError, EOFError, SSHException) as error:
        raise ServerUnreachable(
            f"{whose} does not answer: {_said(error)}",
            hint="is it up, is the address right, does sshd listen on this port?",
        ) from error


@contextmanager
def talking(whose: str) -> Iterator[None]:
    """Map what can happen to a connection that stands: ServerLost."""
    from paramiko import SSHException

    try:
        yield
    except RallyflowError:
        raise
    except (OSError, EOFError, SSHException) as error:
        raise ServerLost(f"{whose}: the connection ended: {_said(error)}", hint="is the server still up?") from error


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no reply in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or "the connection was closed"
