"""Libvirt: its daemons, as those of the deployment, for a nova-compute that starts real machines.

Whoever is in the group libvirt may use it, as nova is. The package asks polkit instead, over a bus that a server
without systemd does not have.
"""

from __future__ import annotations

from rallyflow.deployers.debian.agent.plan import Daemon, File, Ready
from rallyflow.deployers.debian.site import Parts, data

OWN_UNITS = (
    *("libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket", "libvirtd", "libvirt-guests"),
    *("virtlogd.socket", "virtlogd-admin.socket", "virtlogd"),
)
"""The package's own services, in whose place ours run; a socket would start them again."""

LIBVIRTD = "libvirtd"
"""The unit that nova-compute comes after."""

# A machine outlives libvirtd, and knows nothing of the deployment but where its disk is.
_END_MACHINES = f"""for file in $(grep -ls {data("nova")}/instances/ /etc/libvirt/qemu/*.xml)
do
  name=$(basename "$file" .xml)
  run=/run/libvirt/qemu/$name
  pid=$(cat "$run.pid" 2>/dev/null)
  if grep -qs "guest=$name," "/proc/$pid/cmdline"
  then kill -s KILL "$pid"; while grep -qs . "/proc/$pid/cmdline"; do sleep 0.05; done
  fi
  rm -f "$file" "$run.xml" "$run.pid"
done"""
_CONF = "/etc/rallyflow/libvirtd.conf"
_RIGHTS = """\
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""


def libvirt() -> Parts:
    """Return the daemons of one server. That libvirtd answers says of virtlogd what there is to say."""
    return Parts(
        ("nova-compute-kvm", "libvirt-daemon-system", "libvirt-clients"),  # it has qemu without kvm, too
        files=(File(_CONF, _RIGHTS),),
        units=(
            Daemon("virtlogd", "services", (), ("/usr/sbin/virtlogd",)),
            Daemon(
                LIBVIRTD,
                "services",
                ("virtlogd",),
                ("/usr/sbin/libvirtd", "--config", _CONF),
                reads=(_CONF,),
                ready=Ready("libvirt", "qemu:///system"),
            ),
        ),
        undo=(("/bin/sh", "-c", _END_MACHINES),),
    )
