"""What a server says about itself."""

from __future__ import annotations

from collections.abc import Mapping

from rallyflow.errors import CommandFailed, SudoRefused
from rallyflow.model.values import ServerFacts
from rallyflow.servers.machine import Machine

_TIMEOUT = 60.0  # seconds
_QUESTIONS = """
say() { printf 'fact %s=%s\\n' "$1" "$2"; }
say hostname "$(hostname 2>/dev/null || uname -n)"
say os "$(. /etc/os-release 2>/dev/null && printf %s "$PRETTY_NAME" || uname -s)"
say kernel "$(uname -r)"
say architecture "$(uname -m)"
say cores "$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)"
say memory "$(while read -r name kib _; do [ "$name" = MemTotal: ] && echo "$kib"; done 2>/dev/null </proc/meminfo)"
say python3 "$(command -v python3)"
true
"""


def gather(machine: Machine) -> ServerFacts:
    """Ask a server by a real command; raises what `Machine.run` raises, and CommandFailed when it makes no sense."""
    done = machine.run(_QUESTIONS, timeout=_TIMEOUT)
    lines = (line.removeprefix("fact ").partition("=") for line in done.stdout.splitlines() if line.startswith("fact "))
    found = {name: value.strip() for name, _, value in lines}
    if done.exit_code or "kernel" not in found:
        raise CommandFailed(f"{machine.whose} has no usual shell: {done.stderr or done.how}")
    return ServerFacts(
        server=machine.server.name,
        hostname=found["hostname"],
        os=found["os"],
        kernel=found["kernel"],
        architecture=found["architecture"],
        cores=_number(found, "cores"),
        memory=_number(found, "memory") * 1024,
        python3=found["python3"],
        sudo=_can_sudo(machine),
    )


def _number(found: Mapping[str, str], name: str) -> int:
    return int(found[name]) if found[name].isdigit() else 0


def _can_sudo(machine: Machine) -> bool:
    try:
        return machine.run("true", sudo=True, timeout=_TIMEOUT).exit_code == 0
    except SudoRefused:
        return False
