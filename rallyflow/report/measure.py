"""From a catalogue to benchmarks: statistics of all cells in a few passes, and the charts of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from rallyflow.model.records import StepRecord
from rallyflow.report import figures
from rallyflow.report.content import NOTHING, Benchmark, Health
from rallyflow.report.figures import Figure
from rallyflow.report.words import Unit, plural, spell, unit_for
from rallyflow.results import queries
from rallyflow.stats import cells, envelope, histogram, profile, summary
from rallyflow.stats.cells import Cell
from rallyflow.stats.envelope import Envelope
from rallyflow.stats.trend import trend

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BUSY = 0.9  # of a core, in the mean: from there on the generator itself may be what was measured
LATE = 0.1  # a start this share of the median duration later than planned changes what was measured
BATCHES = 20
SMALLEST_BATCH = 5  # iterations


@dataclass(frozen=True, slots=True)
class Detail:
    """How fine charts are, by how many cells share the page: many cells have fewer points each."""

    buckets: int
    slices: int
    charted: int  # so many cells get charts of their own

    @classmethod
    def of(cls, number: int) -> Detail:
        """Return the detail for a number of cells."""
        if number <= 12:
            return cls(300, 200, number)
        return cls(120, 80, number) if number <= 40 else cls(60, 50, 60)


@dataclass(frozen=True, slots=True)
class Measured:
    """The statistics of all cells."""

    summaries: Mapping[Cell, summary.Summary]
    actions: Mapping[Cell, Sequence[summary.ActionSummary]]
    envelopes: Mapping[Cell, Envelope]
    profiles: Mapping[Cell, profile.Profile]
    histograms: Mapping[Cell, histogram.Histogram]
    sessions: Mapping[queries.Key, Sequence[queries.Session]]
    criteria: Mapping[queries.Key, Sequence[queries.Criterion]]
    failures: Mapping[queries.Key, Sequence[queries.Failure]]
    generators: Mapping[queries.Key, Sequence[queries.Generator]]
    lateness: Mapping[queries.Key, queries.Lateness]


def measure(connection: DuckDBPyConnection, detail: Detail) -> Measured:
    """Compute the statistics of every cell that has rows."""
    cells.prepare(connection)
    summaries = summary.iterations(connection)
    return Measured(
        summaries,
        summary.actions(connection),
        envelope.envelopes(connection, detail.buckets),
        profile.profiles(connection, detail.slices),
        histogram.histograms(connection, summaries),
        queries.sessions(connection),
        queries.criteria(connection),
        queries.failures(connection),
        queries.generators(connection),
        queries.lateness(connection),
    )


def benchmark(record: StepRecord, measured: Measured, *, charted: bool) -> Benchmark:
    """Return all that is known of a cell; one that never ran has only its record."""
    cell = Cell(record.run, record.id)
    whole = measured.summaries.get(cell, NOTHING)
    unit = unit_for(whole.durations.median if whole.durations else None)
    shape = measured.envelopes.get(cell)
    return Benchmark(
        cell,
        record,
        scenario_of(record),
        whole,
        measured.actions.get(cell, ()),
        measured.criteria.get(cell, ()),
        measured.failures.get(cell, ()),
        measured.sessions.get(cell, ()),
        _trends(shape) if shape else (),
        _health(cell, measured, whole),
        _figures(cell, measured, unit) if charted else (),
        unit,
    )


def scenario_of(record: StepRecord) -> str:
    """Return the name of the scenario, where the step gave results."""
    results = record.outputs.get("results")
    return str(results.get("scenario", "")) if isinstance(results, Mapping) else ""


def _figures(cell: Cell, measured: Measured, unit: Unit) -> list[Figure]:
    shape, whole = measured.envelopes.get(cell), measured.summaries.get(cell, NOTHING)
    if shape is None:
        return []
    made: list[Figure | None] = [figures.stack(shape, unit)]
    if cell in measured.profiles:
        made.append(figures.profile(measured.profiles[cell], _seams(measured.sessions.get(cell, ()))))
    if cell in measured.histograms and whole.durations:
        made.append(figures.histogram(measured.histograms[cell], whole.durations, unit))
    made.append(figures.ranges(measured.actions.get(cell, ()), unit))
    return [figure for figure in made if figure]


def _seams(sessions: Sequence[queries.Session]) -> list[float]:
    return [round((session.first_ns - sessions[0].first_ns) / 1e9, 3) for session in sessions[1:]]


def _trends(shape: Envelope) -> list[str]:
    """Return a sentence for the iteration and for each action that changed while the benchmark ran."""
    series = {"The whole iteration": [bucket.middle for bucket in shape.buckets]}
    series |= {action.label: list(values) for action, values in shape.actions.items() if all(values)}
    middles = [(bucket.first + bucket.last) / 2 for bucket in shape.buckets]
    sentences = (_trend(name, middles, values, shape.iterations) for name, values in series.items())
    return [sentence for sentence in sentences if sentence]


def _trend(name: str, middles: Sequence[float], values: Sequence[float], iterations: int) -> str:
    number = min(BATCHES, iterations // SMALLEST_BATCH, len(values))
    if not number:
        return ""
    edges = [len(values) * index // number for index in range(number + 1)]
    batches = [(median(middles[low:high]), median(values[low:high])) for low, high in pairwise(edges)]
    found = trend(batches)
    if found is None or not found.notable:
        return ""
    verb = "grew" if found.slope > 0 else "fell"
    first, last = (spell(max(0.0, value)) for value in (found.first, found.last))
    step = spell(abs(found.slope))
    return f"{name} {verb} while the load ran: from {first} to {last}, {step} with each iteration."


def _health(cell: Cell, measured: Measured, whole: summary.Summary) -> list[Health]:
    if not whole.count:
        return []
    found = [_generator(measured.generators.get(cell, ()))]
    late = measured.lateness.get(cell)
    if late is not None:
        good = whole.durations is None or late.p99 <= LATE * whole.durations.median
        found.append(Health(f"99 of 100 iterations started at most {spell(late.p99)} later than planned.", good))
    return found


def _generator(processes: Sequence[queries.Generator]) -> Health:
    if not processes:
        return Health("How busy the load generator was is not recorded.")
    busiest = max(processes, key=lambda process: process.mean)
    number = plural(len(processes), "process", "processes")
    used = f"The load generator ({number}) used {busiest.mean:.0%} of a core"
    if busiest.mean >= BUSY:
        return Health(f"{used}: it may have been the bottleneck, and the figures its own.", good=False)
    return Health(f"{used} where it was busiest, so it was not the bottleneck.")
