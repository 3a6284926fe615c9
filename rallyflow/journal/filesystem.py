"""Which file system a folder is on: a write-ahead log needs memory that all its users share, so one machine's disk."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "9p", "ceph", "lustre", "afs", "coda", "beegfs", "gpfs"),
        *("glusterfs", "gfs2", "ocfs2", "orangefs", "pvfs2", "vboxsf"),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.juicefs", "fuse.gcsfuse"),
        *("fuse.davfs", "fuse.smbnetfs", "fuse.curlftpfs", "fuse.mfs", "fuse.lizardfs", "fuse.cvmfs2"),
    }
)
"""Types, as the kernel names them, whose files other machines can have open as well."""


def network_filesystem(folder: Path) -> str:
    """Return the type of the network file system that a folder is on, or will be; empty when it is on none."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        kind = filesystem_of(folder.resolve(), mounts)
    except OSError:
        return ""
    return kind if kind in _NETWORK else ""


def filesystem_of(path: Path, mountinfo: str) -> str:
    """Return the type of the file system of an absolute path, from the text of a mountinfo; empty when it tells none.

    The longest mount point that the path is below decides, and of those at one place the last: it covers the others.
    """
    found, depth = "", 0
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = after.split(" ")[0], len(point.parts)
    return found
