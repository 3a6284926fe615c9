"""Cinder v3: volumes, snapshots, types, quotas."""

from rallyflow.clouds.embedded.services.cinder import attachments, inventory, quotas, snapshots, types, volumes
from rallyflow.clouds.embedded.services.cinder.service import SERVICE

__all__ = ["SERVICE", "attachments", "inventory", "quotas", "snapshots", "types", "volumes"]
