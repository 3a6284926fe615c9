"""The step `benchmark`: contexts up, the load, everything removed again, and a verdict."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from rallyflow.bench.inputs import BenchmarkInputs
from rallyflow.model.states import StepState
from rallyflow.model.step import OnResume, Outcome, StepContext, StepModel, StepType
from rallyflow.model.values import BenchmarkResults

if TYPE_CHECKING:
    from rallyflow.bench.contexts.scene import Scene
    from rallyflow.bench.load.coordinator import LoadResult
    from rallyflow.bench.load.plan import Plan
    from rallyflow.bench.load.watermark import Rest
    from rallyflow.bench.scenarios.model import Scenario
    from rallyflow.bench.sla.criteria import Verdict
    from rallyflow.bench.sla.samples import Failures, PartSamples
    from rallyflow.clouds.rest import CloudSession

BUSY = 0.9
"""The share of a core from which on a load process is taken to have measured itself."""
BUSY_AFTER = 2.0
"""Seconds that a load must have lasted before its CPU says something."""
_KINDS_LOGGED = 10  # ways in which iterations fail that the log tells; the report has them all
_LONGEST = 200  # characters of the most frequent one that the reason of the outcome has


class BenchmarkOutputs(StepModel):
    """What later steps refer to."""

    results: BenchmarkResults = Field(description="Names the measurements, for reports and comparisons")
    iterations: int = Field(description="How many iterations ended, in all attempts")
    failures: int = Field(description="How many of them failed")
    mean_s: float | None = Field(default=None, description="Mean seconds of an iteration that succeeded")
    p95_s: float | None = Field(default=None, description="95th percentile of the same")
    throughput: float | None = Field(default=None, description="Iterations that succeeded per second")


class Benchmark(StepType[BenchmarkInputs, BenchmarkOutputs]):
    """Puts a load on a cloud and measures it."""

    Inputs = BenchmarkInputs
    Outputs = BenchmarkOutputs
    version: ClassVar[str] = "1"
    on_resume: ClassVar[OnResume] = OnResume.WATERMARK
    locks: ClassVar[tuple[str, ...]] = ("load",)

    def run(self, inputs: BenchmarkInputs, context: StepContext) -> Outcome[BenchmarkOutputs]:
        """Run what earlier attempts left of the load, then judge all of it."""
        from rallyflow.bench.load.watermark import drop_torn, rest_of
        from rallyflow.bench.scenarios import catalog

        scenario = catalog.find(inputs.scenario)
        drop_torn(context.parts, context.log)
        rest = rest_of(inputs.load.shape(), context.parts.mine("iterations"))
        run = _Run(inputs, context, scenario)
        load = None if rest.nothing else run.load(rest)
        left = rest_of(inputs.load.shape(), context.parts.mine("iterations"))
        if load is not None and load.interrupted and not left.nothing:
            return run.interrupted(left)
        return run.judged(load)


class _Run:
    def __init__(self, inputs: BenchmarkInputs, context: StepContext, scenario: Scenario) -> None:
        self.inputs = inputs
        self.context = context
        self.scenario = scenario
        self.stayed = 0  # objects that could not be removed

    def load(self, rest: Rest) -> LoadResult:
        """Set the contexts up, run the load, and remove everything, however it ended."""
        if self.inputs.cloud is None:
            return self._coordinate(rest, None, "")
        from rallyflow.bench.contexts import stage

        prefix = f"{self.context.tag}-l-"
        chosen = stage.merged(self.scenario.model.contexts, self.inputs.contexts)
        try:
            scene = stage.open_scene(self.inputs.cloud, self.context.ledger, self.context.tag)
            stage.set_up(scene, chosen)
            stage.book_load(scene, prefix)
            return self._coordinate(rest, scene, prefix)
        finally:
            self.stayed = stage.strike(self.context.ledger, self.context.log)

    def _coordinate(self, rest: Rest, scene: Scene | None, prefix: str) -> LoadResult:
        from rallyflow.bench.load.coordinator import Coordinator

        context = self.context
        return Coordinator(
            self._plans(rest, scene, prefix),
            parts=context.parts,
            stop=context.stop,
            report=context.report,
            log=context.log,
            rest=rest,
        ).run()

    def _plans(self, rest: Rest, scene: Scene | None, prefix: str) -> list[Plan]:
        from rallyflow.bench.actions import registry
        from rallyflow.bench.load import plan
        from rallyflow.bench.load.coordinator import deal
        from rallyflow.bench.load.owner import Owner
        from rallyflow.bench.scenarios.lowering import lower
        from rallyflow.bench.scenarios.resolve import resolve_args

        scenario, context = self.scenario, self.context
        args = resolve_args(scenario, self.inputs.args, _first_session(scene), scene.prepared if scene else {})
        actions = [action for name in scenario.actions if (action := registry.find(name))]
        services = {service: None for action in actions for service in action.services}
        return [
            plan.Plan(
                owner=Owner(context.run, context.step, context.attempt),
                directory=str(context.directory),
                folder=str(context.results),
                guardian=os.getpid(),
                clock_offset_ns=time.time_ns() - time.perf_counter_ns(),
                shard=shard,
                modules=tuple(dict.fromkeys(action.function.__module__ for action in actions)),
                names=scenario.actions,
                operations=lower(scenario, args),
                slots=scenario.slots,
                services=tuple(services),
                actors=scene.actors() if scene else (),
                prefix=prefix,
                flush_after=plan.FLUSH_AFTER,
                secrets=tuple(secret.reveal() for secret in context.secrets),
            )
            for shard in deal(rest, self.inputs.load.shape().concurrency, _cores())
        ]

    def interrupted(self, left: Rest) -> Outcome[BenchmarkOutputs]:
        """Return what is there so far."""
        with self._samples() as samples:
            outputs = self._outputs(samples)
        what = f"{left.count} iterations" if left.seconds is None else f"{left.seconds:.0f} s of load"
        return Outcome(outputs, StepState.INTERRUPTED, f"stopped with {what} left")

    def judged(self, load: LoadResult | None) -> Outcome[BenchmarkOutputs]:
        """Judge the whole load, book the verdicts, and say how the step ended."""
        from rallyflow.bench.load.owner import Owner
        from rallyflow.bench.sla.evaluate import book, judge
        from rallyflow.bench.sla.spec import read_sla

        context = self.context
        with self._samples() as samples:
            verdicts = judge(read_sla(self.inputs.sla), samples)
            outputs, failures = self._outputs(samples), samples.failures()
        for each in failures[:_KINDS_LOGGED]:
            context.log.warning("%d of %d iterations failed: %s", each.count, outputs.iterations, each)
        book(verdicts, Owner(context.run, context.step, context.attempt), context.results, context.parts)
        state, reason = self._ending(verdicts, outputs, failures, load)
        return Outcome(outputs, state, reason)

    def _ending(
        self,
        verdicts: Sequence[Verdict],
        outputs: BenchmarkOutputs,
        failures: Sequence[Failures],
        load: LoadResult | None,
    ) -> tuple[StepState, str]:
        missed = [verdict.detail for verdict in verdicts if not verdict.passed]
        notes = []
        if outputs.failures and not missed:
            notes.append(f"{outputs.failures} of {outputs.iterations} iterations failed")
        if failures:
            notes.append(f"{'most often ' if len(failures) > 1 else ''}{str(failures[0])[:_LONGEST]}")
        if self.stayed:
            notes.append(f"{self.stayed} objects could not be removed: `rallyflow destroy` tries again")
        if load is not None and self._measured_itself(load):
            why = f"the load processes used {load.busy:.0%} of a core each: they, not the cloud, set the pace"
            return StepState.INCONCLUSIVE, "; ".join([why, *missed, *notes])
        state = StepState.FAILED if missed else StepState.SUCCEEDED
        return state, "; ".join([*missed, *notes])

    def _measured_itself(self, load: LoadResult) -> bool:
        needs_cloud = any(not name.startswith("dummy.") for name in self.scenario.actions)
        return needs_cloud and load.wall >= BUSY_AFTER and load.busy > BUSY

    def _samples(self) -> PartSamples:
        from rallyflow.bench.sla.samples import PartSamples

        return PartSamples(self.context.parts.mine("iterations"), self.context.parts.mine("actions"))

    def _outputs(self, samples: PartSamples) -> BenchmarkOutputs:
        context = self.context
        iterations, failures = samples.iterations()
        return BenchmarkOutputs(
            results=BenchmarkResults(
                run=context.run,
                step=context.step,
                scenario=self.scenario.name,
                matrix=dict(context.matrix),
            ),
            iterations=iterations,
            failures=failures,
            mean_s=samples.mean(None),
            p95_s=samples.quantile(None, 0.95),
            throughput=samples.throughput(),
        )


def _first_session(scene: Scene | None) -> CloudSession | None:
    """Return a session of the first user: arguments are looked up with the eyes of those who use them."""
    from rallyflow.clouds.rest import CloudSession

    login = scene.actors()[0].login if scene else None
    return CloudSession(login) if login else None


def _cores() -> int:
    return len(os.sched_getaffinity(0))
