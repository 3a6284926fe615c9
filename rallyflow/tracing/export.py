"""Hands spans to the exporters of OpenTelemetry."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from rallyflow import __version__
from rallyflow.tracing.spans import Span

_TIMEOUT = 5.0  # seconds for one delivery, where the standard variable does not say
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Export:
    """Where the spans of this process go."""

    def __init__(self, names: Sequence[str]) -> None:
        """Make exporters by their standard names; the rest of their settings is in the standard variables."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what could not be delivered, we say ourselves
        attributes = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "rallyflow"}
        self._resource = Resource.create({**attributes, "service.version": __version__})
        self._scope = InstrumentationScope("rallyflow", __version__)
        self._exporters = [_exporter(name) for name in names]

    def deliver(self, spans: Sequence[Span]) -> bool:
        """Deliver spans; returns whether all exporters have taken them."""
        ready = [self._readable(span) for span in spans]
        taken = [self._export(exporter, ready) for exporter in self._exporters]
        return all(taken)

    def _export(self, exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> bool:
        try:
            return exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - whatever an exporter does, it is not the run's fault
            return False

    def _readable(self, span: Span) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=SpanContext(span.trace, span.id, is_remote=False, trace_flags=_SAMPLED),
            parent=SpanContext(span.trace, span.parent, is_remote=False, trace_flags=_SAMPLED) if span.parent else None,
            resource=self._resource,
            attributes=dict(span.attributes),
            status=Status(StatusCode.OK) if span.good else Status(StatusCode.ERROR, span.why or span.state),
            start_time=span.started_ns,
            end_time=span.ended_ns,
            instrumentation_scope=self._scope,
        )


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    given = any(os.environ.get(f"OTEL_EXPORTER_OTLP_{kind}TIMEOUT") for kind in ("", "TRACES_"))
    return OTLPSpanExporter(timeout=None if given else _TIMEOUT)
