"""Whether traces are wanted: by the standard variables of OpenTelemetry, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
KNOWN = ("otlp", "console")


def exporters(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return where traces are to go, by the names of OTEL_TRACES_EXPORTER; to a collector when one is named."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    given = [name.strip() for name in environment.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if given:
        return [name for name in given if name != "none"]
    return ["otlp"] if any(environment.get(name) for name in _ENDPOINTS) else []


def lacking() -> str:
    """Return why traces can't be made, in one line; empty when they can."""
    unknown = [name for name in exporters() if name not in KNOWN]
    if unknown:
        return f"OTEL_TRACES_EXPORTER names {', '.join(unknown)}; known are {', '.join(KNOWN)}"
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        return "OpenTelemetry is not installed: pip install 'rallyflow[otel]'"
    return ""


def enabled() -> bool:
    """Whether traces are wanted and can be made."""
    return bool(exporters()) and not lacking()
