"""Keystone v3: tokens and catalogue, users, projects, domains, roles."""

from rallyflow.clouds.embedded.services.keystone import auth, people, roles
from rallyflow.clouds.embedded.services.keystone.service import SERVICE

__all__ = ["SERVICE", "auth", "people", "roles"]
