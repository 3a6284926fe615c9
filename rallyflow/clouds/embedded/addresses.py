"""Which addresses of a subnet are free; worked out from the ports when a subnet is first asked for."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from rallyflow.clouds.embedded.stages import randomness
from rallyflow.clouds.embedded.store import Row, Store
from rallyflow.clouds.embedded.web import Fault


class Addresses:
    """Hands out the addresses of all subnets, each in turn, so that one given back is not reused at once."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._pools: dict[str, _Pool] = {}
        self._random = randomness(seed, "mac")

    def take(self, subnet: Row, wanted: str = "") -> str:
        """Return a free address, or the wanted one; Fault 409 when it is taken, 400 when it does not fit."""
        return self._pool(subnet).take(wanted)

    def give_back(self, port: Row) -> None:
        """Free the addresses of a port."""
        for fixed in port["fixed_ips"]:
            pool = self._pools.get(fixed["subnet_id"])
            if pool:
                pool.taken.discard(int(ip_address(fixed["ip_address"])))

    def forget(self, subnet: str) -> None:
        """Drop what is known of a subnet that is gone or has changed."""
        self._pools.pop(subnet, None)

    def mac(self) -> str:
        """Return a MAC address in OpenStack's usual range."""
        return "fa:16:3e:" + ":".join(f"{self._random.randrange(256):02x}" for _ in range(3))

    def _pool(self, subnet: Row) -> _Pool:
        pool = self._pools.get(subnet["id"])
        if pool is None:
            pool = self._pools[subnet["id"]] = _Pool(subnet)
            for port in self._store.rows("ports"):
                used = (f["ip_address"] for f in port["fixed_ips"] if f["subnet_id"] == subnet["id"])
                pool.taken.update(int(ip_address(address)) for address in used)
        return pool


class _Pool:
    __slots__ = ("_first", "_last", "_network", "_next", "taken")

    def __init__(self, subnet: Row) -> None:
        ranges = subnet["allocation_pools"]
        self._network = ip_network(subnet["cidr"])
        self._first = int(ip_address(ranges[0]["start"]))
        self._last = int(ip_address(ranges[-1]["end"]))
        self._next = self._first
        self.taken: set[int] = {int(ip_address(subnet["gateway_ip"]))} if subnet["gateway_ip"] else set()

    def take(self, wanted: str) -> str:
        address = self._wanted(wanted) if wanted else self._free()
        self.taken.add(address)
        return str(ip_address(address))

    def _wanted(self, wanted: str) -> int:
        try:
            address = ip_address(wanted)
        except ValueError:
            raise Fault(400, f"'{wanted}' is not a valid IP address.", "InvalidInput") from None
        if address not in self._network:
            raise Fault(400, f"IP address {wanted} is not a valid IP for the subnet.", "InvalidIpForSubnet")
        if int(address) in self.taken:
            raise Fault(409, f"IP address {wanted} already allocated in subnet.", "IpAddressAlreadyAllocated")
        return int(address)

    def _free(self) -> int:
        size = self._last - self._first + 1
        for step in range(size):
            address = self._first + (self._next - self._first + step) % size
            if address not in self.taken:
                self._next = address + 1 if address < self._last else self._first
                return address
        raise Fault(409, "No more IP addresses available on the network.", "IpAddressGenerationFailure")
