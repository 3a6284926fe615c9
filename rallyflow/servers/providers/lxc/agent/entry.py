"""Takes one call as JSON, does it, and prints what came of it as one line of JSON. Talk goes to the error output."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from rallyflow.servers.providers.lxc.agent.trouble import HostError


def main(call: Mapping[str, Any]) -> None:
    """Do `call["do"]`, a function of a module here, with `call["with"]`."""
    signal.signal(signal.SIGTERM, _end)
    os.umask(0o022)
    os.chdir("/")
    module, _, function = call["do"].partition(".")
    found = importlib.import_module(f"{__package__}.{module}")
    print(json.dumps(_answer(getattr(found, function), call["with"])), flush=True)  # noqa: T201 - the protocol


def _end(*_: object) -> None:
    """End so that what is half made is let go of in order, which a second wish of the same kind must not cut off.

    Not by ignoring it: what we start, such as the first process of a container, would ignore it as well.
    """
    signal.signal(signal.SIGTERM, lambda *_: None)
    sys.exit(143)


def _answer(function: Any, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return {"value": function(**arguments)}
    except HostError as error:
        return _error(error.what, error.hint, error.kind)
    except subprocess.TimeoutExpired as error:
        return _error(f"{error.cmd} took longer than {error.timeout:.0f} s", "is the host overloaded?", "transient")
    except OSError as error:
        return _error(str(error), "", "permanent")
    except Exception:  # noqa: BLE001 - it has to reach the caller, whatever it is
        return _error(traceback.format_exc(), "", "bug")


def _error(what: str, hint: str, kind: str) -> Mapping[str, Any]:
    return {"error": {"what": what, "hint": hint, "kind": kind}}
