"""Nova 2.1 with microversions: servers and their lives, flavors, keypairs, quotas, what an admin looks at."""

from rallyflow.clouds.embedded.services.nova import actions, flavors, inventory, keypairs, quotas, servers, volumes
from rallyflow.clouds.embedded.services.nova.service import SERVICE

__all__ = ["SERVICE", "actions", "flavors", "inventory", "keypairs", "quotas", "servers", "volumes"]
