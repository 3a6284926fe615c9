"""`report/html`: one HTML file that shows what a run measured, with everything in it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rallyflow.model.step import Outcome, StepContext, StepModel
from rallyflow.model.values import BenchmarkResults
from rallyflow.report.choices import ChartChoice
from rallyflow.report.exporter import Exporter, ReportOutputs


class HtmlReportInputs(StepModel):
    """The `with:` of `report/html`."""

    of: BenchmarkResults | list[BenchmarkResults] | None = Field(
        None, description="The results to show, such as ${{ steps.boot.results }}; by default all of this run"
    )
    title: str = Field("", description="The title of the page; by default the name of the workflow")
    charts: list[ChartChoice] = Field(
        default_factory=list, description="Charts over a matrix; by default mean duration and throughput"
    )
    path: Path | None = Field(
        None,
        description="Where to write, from where rallyflow was started; by default within the run's folder",
    )


class HtmlReport(Exporter[HtmlReportInputs]):
    """Writes the report of a run, of what it has measured so far."""

    Inputs = HtmlReportInputs

    def run(self, inputs: HtmlReportInputs, context: StepContext) -> Outcome[ReportOutputs]:
        from rallyflow.masking import Mask
        from rallyflow.report.files import write_text
        from rallyflow.report.page import render

        of = [inputs.of] if isinstance(inputs.of, BenchmarkResults) else inputs.of
        html = render(context.history, context.run, of=of, charts=inputs.charts, title=inputs.title)
        path = inputs.path.absolute() if inputs.path else context.directory / "report" / "index.html"
        write_text(path, Mask(context.secrets).text(html))
        context.log.info("wrote %s (%.1f MB)", path, path.stat().st_size / 1e6)
        return Outcome(ReportOutputs(path=path))
