"""Signing in."""

from __future__ import annotations

from rallyflow.bench.actions.actor import Actor
from rallyflow.bench.actions.registry import action
from rallyflow.clouds.rest import CloudSession


@action("authenticate.keystone", services=("identity",))
def keystone(actor: Actor) -> None:
    """Get a new token from Keystone, as a program that has just started would."""
    known = actor.session
    CloudSession(known.login, timeout=known.timeout).sign_in()
