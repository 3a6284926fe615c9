"""The cloud as its services see it: rows, queues, background work, and who asks."""

from __future__ import annotations

from pathlib import Path

from rallyflow.clouds.embedded import clock
from rallyflow.clouds.embedded.addresses import Addresses
from rallyflow.clouds.embedded.conductor import Conductor
from rallyflow.clouds.embedded.settings import Settings
from rallyflow.clouds.embedded.stages import Sampler, Stage, randomness, sampler
from rallyflow.clouds.embedded.store import Row, Store
from rallyflow.clouds.embedded.timers import Later
from rallyflow.clouds.embedded.web import Identity, Route

REGION = "RegionOne"


class Simulation:
    """Everything that lives as long as the process."""

    def __init__(self, folder: Path, settings: Settings, url: str, later: Later) -> None:
        self.url = url  # http://127.0.0.1:PORT
        self.settings = settings
        self.speed = settings.speed
        self.store = Store(folder)
        self.addresses = Addresses(self.store, settings.seed)
        self.conductor = Conductor(settings.speed, settings.seed, later)
        self.apis = {
            name: Stage(getattr(self.speed, name).workers)
            for name in ("keystone", "nova", "glance", "neutron", "cinder")
        }
        self.row_cost = sampler(self.speed.list_cost_per_row, randomness(settings.seed, "rows"))
        self.luck = randomness(settings.seed, "calls")
        self._samplers: dict[Route, Sampler] = {}
        self._identities: dict[str, tuple[Identity, str]] = {}

    def service_time(self, route: Route) -> float:
        """Draw how long a worker is busy with a call."""
        draw = self._samplers.get(route)
        if draw is None:
            latency = self.speed.of_call(route.service.name, route.name)
            random = randomness(self.settings.seed, f"{route.service.name}.{route.name}")
            draw = self._samplers[route] = sampler(latency, random)
        return draw()

    def identify(self, token: str) -> Identity | None:
        """Return whose token it is; None when it is unknown or expired, or its user or project is gone."""
        known = self._identities.get(token)
        if known is None:
            row = self.store.get("tokens", token)
            if row is None:
                return None
            identity = self._identity(row)
            if identity is None:
                return None
            known = self._identities[token] = (identity, row["expires_at"])
        identity, expires_at = known
        return identity if clock.precisely() < expires_at else None

    def forget_identities(self) -> None:
        """Look every token up anew: users, projects, roles or tokens have changed."""
        self._identities.clear()

    def roles_of(self, user: str, project: str) -> list[Row]:
        """Return the roles that a user has in a project (or a domain)."""
        rows = self.store.rows("assignments", None)
        roles = (self.store.get("roles", r["role"]) for r in rows if r["user"] == user and r["target"] == project)
        return [role for role in roles if role]

    def _identity(self, token: Row) -> Identity | None:
        user, scope = self.store.get("users", token["user"]), token["project"] or token["domain"]
        if user is None or not user["enabled"]:
            return None
        if not scope:
            return Identity(token["id"], token["user"], "", admin=False)
        names = {role["name"] for role in self.roles_of(token["user"], scope)}
        target = self.store.get("projects", scope) or self.store.get("domains", scope)
        if not names or target is None or not target["enabled"]:
            return None
        return Identity(token["id"], token["user"], token["project"], admin="admin" in names)
