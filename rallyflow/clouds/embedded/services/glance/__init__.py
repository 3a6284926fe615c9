"""Glance v2: images and their bytes."""

from rallyflow.clouds.embedded.services.glance import images, snapshots
from rallyflow.clouds.embedded.services.glance.service import SERVICE

__all__ = ["SERVICE", "images", "snapshots"]
