"""Temporary projects and users, so that a load meets the quotas and the isolation that tenants meet."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from rallyflow.bench.contexts.scene import Context, Scene, Tenant, in_parallel
from rallyflow.clouds.rest import Login, Service
from rallyflow.errors import NotFound


class Users(Context):
    """Makes projects with users in them; iterations take turns through the users."""

    order: ClassVar[int] = 100

    tenants: int = Field(default=1, ge=1, description="How many projects")
    users_per_tenant: int = Field(default=1, ge=1, description="How many users in each project")
    domain: str = Field(default="default", description="Id of the domain that they are made in")
    role: str = Field(default="member", description="The role that the users get in their project")

    def set_up(self, scene: Scene) -> None:
        """Make the projects, and in each its users with the role."""
        identity = scene.admin.service("identity")
        role = self._role(identity)
        scene.tenants = list(in_parallel(lambda n: self._tenant(scene, n, role), range(self.tenants)))

    def _role(self, identity: Service) -> str:
        listed = identity.get("/roles").json()["roles"]
        found = [role["id"] for role in listed if role["name"] == self.role]
        if not found:
            names = ", ".join(sorted(role["name"] for role in listed))
            raise NotFound(f"the cloud has no role {self.role!r}", hint=f"there are: {names}")
        return str(found[0])

    def _tenant(self, scene: Scene, number: int, role: str) -> Tenant:
        identity = scene.admin.service("identity")
        name = f"project-{number}"
        project = scene.make("project", name, self._poster(identity, "project"))
        tenant = Tenant(project, f"{scene.prefix}{name}", temporary=True)
        for user in range(self.users_per_tenant):
            tenant.users.append(self._user(scene, tenant, f"user-{number}-{user}", role))
        return tenant

    def _user(self, scene: Scene, tenant: Tenant, name: str, role: str) -> Login:
        identity = scene.admin.service("identity")
        password = secrets.token_urlsafe(24)
        poster = self._poster(identity, "user", password=password, default_project_id=tenant.id)
        user = scene.make("user", name, poster)
        identity.put(f"/projects/{tenant.id}/users/{user}/roles/{role}")
        auth = {
            "auth_url": scene.admin.login.auth["auth_url"],
            "user_id": user,
            "password": password,
            "project_id": tenant.id,
        }
        return replace(scene.admin.login, auth_type="password", auth=auth)

    def _poster(self, identity: Service, what: str, **fields: str) -> Callable[[str], str]:
        def post(name: str) -> str:
            body = {"name": name, "domain_id": self.domain, **fields}
            return str(identity.post(f"/{what}s", {what: body}).json()[what]["id"])

        return post
