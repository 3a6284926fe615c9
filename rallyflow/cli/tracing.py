"""Has a session traced when the standard variables of OpenTelemetry ask for it."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rallyflow.cli.output import say
from rallyflow.model.ids import RunId
from rallyflow.settings import Home
from rallyflow.tracing import switch

if TYPE_CHECKING:
    from rallyflow.tracing.tracer import Tracer


class Traced:
    """A context in which the run that is begun in it is traced; nothing at all when no traces are wanted."""

    def __init__(self, home: Home) -> None:
        """Say where the run is to be; nothing happens before it has begun."""
        self._home = home
        self._tracer: Tracer | None = None

    def begin(self, run: RunId) -> None:
        """Trace a run that is in the journal, if that is wanted and can be done."""
        if not switch.exporters():
            return
        lacking = switch.lacking()
        if lacking:
            say(f"note: this run has no trace: {lacking}")
            return
        from rallyflow.tracing.tracer import Tracer

        self._tracer = Tracer(self._home, run)

    def __enter__(self) -> None:
        """Do nothing yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tracer is not None and not self._tracer.close():
            say("note: a part of the trace could not be delivered; the next session of the run tries again")
