from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import altair as alt
import pytest

from rallyflow.errors import InputsInvalid
from rallyflow.model.states import RunState, StepState
from rallyflow.model.values import BenchmarkResults
from rallyflow.report.choices import ChartChoice, Line
from rallyflow.report.gather import gather
from rallyflow.report.page import render


class Page(HTMLParser):
    """What a browser would see: elements, text, and the data of charts."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text, self.charts, self._within = [], [], [], None
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._within = "chart" if ("type", "application/json") in attrs else tag

    def handle_endtag(self, tag):
        del tag
        self._within = None

    def handle_data(self, data):
        if self._within == "chart":
            self.charts.append(json.loads(data))
        elif self._within not in ("script", "style"):
            self.text.append(data)

    def words(self):
        return " ".join(" ".join(self.text).split())

    def attributes(self, tag, name):
        return [attrs[name] for found, attrs in self.elements if found == tag and name in attrs]


def shown(book, **options):
    return Page(render(book, book.record.id, **options))


@pytest.fixture(scope="module")
def source(showcase):
    """Return the page of the showcase, made once: most tests only read it."""
    return render(showcase, showcase.record.id)


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_the_verdict_is_one_sentence_at_the_top(page):
    assert "2 of 11 benchmarks missed the service level: 1 500 iterations, 5 of them failed (0.33%)." in page.words()
    assert page.words().index("missed the service level") < page.words().index("Benchmark: boot")


def test_a_simulated_cloud_is_said_in_a_banner(showcase):
    assert "says nothing about a real cloud" in shown(showcase).words()
    real = [replace(step, outputs={}) if step.id == "cloud" else step for step in showcase.records]
    assert "says nothing about a real cloud" not in shown(replace(showcase, records=real)).words()


def test_the_two_boots_of_a_snapshot_are_two_rows_and_two_colours(page):
    assert page.words().count("nova.boot_server (2)") >= 1
    stacks = [
        chart for chart in page.charts if "nova.boot_server (2)" in chart["data"].get("rows", {}).get("action", [])
    ]
    domain = stacks[0]["spec"]["layer"][0]["encoding"]["color"]["scale"]
    assert domain["domain"][0] == "nova.boot_server"
    assert domain["range"][0] != domain["range"][domain["domain"].index("nova.boot_server (2)")]


def test_text_from_clouds_and_files_stays_text(page, source):
    assert not [tag for tag, _ in page.elements if tag in ("img", "b", "iframe", "link")]
    assert "</script><img src=x onerror=" in page.words()  # as text, after unescaping
    assert html.escape("</script><img") in source
    assert source.count("<script") == source.count("</script>")
    assert "<script>alert" not in source


def test_the_page_may_run_its_own_scripts_only_and_load_nothing(page):
    policy = next(attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert not page.attributes("script", "src")
    assert all(link.startswith("#") for link in page.attributes("a", "href"))
    ids = set(page.attributes("details", "id"))
    assert {link[1:] for link in page.attributes("a", "href")} <= ids


def test_every_chart_is_valid_and_has_a_text_alternative(page):
    assert len(page.charts) >= 45
    for chart in {json.dumps(chart["spec"]): chart for chart in page.charts}.values():
        alt.LayerChart.from_dict(chart["spec"])
        titles = re.findall(r'"title": "[^"]+"', json.dumps(chart["spec"]))
        assert titles
    labels = [attrs["aria-label"] for tag, attrs in page.elements if attrs.get("class") == "plot" and tag == "div"]
    assert len(labels) == len(page.charts)
    assert all(len(label) > 40 for label in labels)


def test_tables_have_captions_and_scopes(page):
    tags = [tag for tag, _ in page.elements]
    assert tags.count("table") == tags.count("caption") > 10
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in page.elements if tag == "th")


def test_a_resumed_run_says_where_its_seams_are(page):
    words = page.words()
    assert "The run was resumed once." in words
    assert "list: attempt 1 left 80 iterations; attempt 2 went on 45.0 s later" in words


def test_growth_within_a_run_is_told_with_its_size(page):
    assert re.search(
        r"nova\.list_servers grew while the load ran: .* 1[23]\.\d ms with each iteration\.",
        page.words(),
    )


def test_a_busy_generator_is_told(page):
    words = page.words()
    assert "used 97% of a core: it may have been the bottleneck" in words
    assert "used 35% of a core where it was busiest, so it was not the bottleneck" in words


def test_provenance_names_parameters_versions_and_seed(page):
    words = page.words()
    for text in (
        "param requests 200",
        "cpu AMD EPYC 7543P",
        "seed 20261122",
        "What cloud consists of: 2 packages",
        "nova simulated 1",
    ):
        assert text in words
    assert "rallyflow: 1 name: cloud-bench" in words


def test_failures_that_differ_in_a_number_are_one_row(page):
    words = page.words()
    assert "3 CloudAnswered nova.create_image image 29 went to error: no space" in words


def test_a_chosen_chart_replaces_the_default_ones(showcase):
    line = Line(x="users", y="p95", by="fast_rpc", action="nova.boot_server")
    group = next(
        g for g in gather(showcase, showcase.record.id, charts=[ChartChoice(line=line)]).groups if g.name == "boot"
    )
    assert [figure.title for figure in group.figures] == ["P95 of the duration of nova.boot_server by users"]
    rows = group.figures[0].data["rows"]
    assert sorted(set(rows["x"])) == [1, 5, 10, 20, 30]
    assert set(rows["line"]) == {"fast_rpc = false", "fast_rpc = true"}


def test_the_default_chart_has_the_numeric_axis_with_most_values_below(showcase):
    group = next(g for g in gather(showcase, showcase.record.id).groups if g.name == "boot")
    assert [figure.title for figure in group.figures] == ["Mean duration by users", "Throughput by users"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (Line(x="usres"), "users"),
        (Line(action="nova.boot_servr"), "nova.boot_server"),
        (Line(by="fast"), "fast_rpc"),
    ],
)
def test_a_chart_of_what_is_not_there_is_an_error_with_a_suggestion(showcase, line, hint):
    with pytest.raises(InputsInvalid) as caught:
        gather(showcase, showcase.record.id, charts=[ChartChoice(line=line)])
    assert hint in caught.value.hint


def test_a_chart_that_fits_one_of_two_matrices_is_drawn_there(book):
    for name, axis in (("boot", "users"), ("list", "servers")):
        for value in (1, 2):
            step = book.step(name, "benchmark", (0, 1), matrix={axis: value})
            book.load(step, [([("nova.list_servers", value)], None)] * 3)
    report = gather(book, book.record.id, charts=[ChartChoice(line=Line(x="servers"))])
    assert {group.name: len(group.figures) for group in report.groups} == {"boot": 0, "list": 1}


def test_only_the_benchmarks_that_are_asked_for_are_shown(showcase):
    of = [BenchmarkResults(run=showcase.record.id, step="snapshot", scenario="nova.snapshot_server")]
    words = shown(showcase, of=of).words()
    assert "Benchmark: snapshot" in words
    assert "Benchmark: boot" not in words
    with pytest.raises(InputsInvalid, match="gone"):
        gather(showcase, showcase.record.id, of=[of[0].model_copy(update={"step": "gone"})])


def test_an_empty_run_has_a_page(book):
    words = shown(book, title="Nothing <yet>").words()
    assert "Nothing <yet>" in words
    assert "Benchmark" not in words


def test_a_page_without_charts_does_not_carry_the_library(book):
    assert len(render(book, book.record.id)) < 40_000


def test_a_benchmark_in_which_everything_failed_has_a_page(book):
    name = book.step("boot", "benchmark", (0, 5), StepState.FAILED, reason="all failed")
    error = {"error_type": "CloudUnreachable", "error_message": "refused", "error_action": None}
    book.load(name, [([("nova.boot_server", 0.1)], error)] * 8)
    book.record = replace(book.record, state=RunState.FAILED)
    words = shown(book).words()
    assert "8 failed (100%)" in words
    assert "Whole iteration - - - - - - - 0% 8" in words


def test_a_benchmark_without_iterations_says_so(book):
    book.step(
        "boot",
        "benchmark",
        (0, 5),
        StepState.ERRORED,
        error={"code": "RF0602", "what": "the cloud does not answer"},
    )
    book.record = replace(book.record, state=RunState.ERRORED)
    words = shown(book).words()
    assert "No iteration was recorded." in words
    assert "boot could not be done: the cloud does not answer." in words


def test_one_iteration_without_any_duration_has_a_page(book):
    name = book.step("boot", "benchmark", (0, 5))
    book.write(name, "iterations", [{"iteration": 0, "planned_ns": 5, "started_ns": 5, "duration_ns": 0}])
    page = shown(book)
    assert "Whole iteration 0.000 0.000 not estimable" in page.words()
    assert "NaN" not in json.dumps(page.charts)


def test_few_iterations_have_no_interval_instead_of_a_wrong_one(book):
    book.load(book.step("boot", "benchmark", (0, 5)), [([("nova.boot_server", 1.0 + n)], None) for n in range(5)])
    assert shown(book).words().count("not estimable") == 4


def test_a_large_matrix_is_one_row_among_the_steps_and_charts_end_somewhere(book):
    for users in range(1, 81):
        name = book.step("boot", "benchmark", (users, users + 1), matrix={"users": users})
        book.load(name, [([("nova.boot_server", 0.5)], None)] * 3, start=users)
    report = gather(book, book.record.id)
    assert [row.name for row in report.steps] == ["boot (80 cells)"]
    assert sum(bool(cell.figures) for cell in report.groups[0].cells) == 60
    assert "20 cells of this matrix have tables only" in report.groups[0].note


def test_a_run_that_is_not_ended_is_judged_by_its_steps(book):
    book.record = replace(book.record, state=RunState.RUNNING, ended_ns=0)
    book.load(book.step("boot", "benchmark", (0, 5)), [([("nova.boot_server", 1.0)], None)] * 3)
    book.step("report", "report/html", (5, 0), StepState.RUNNING)
    report = gather(book, book.record.id)
    assert report.verdict.state == "succeeded"
    assert report.verdict.sentence == "1 benchmark ran without a service level to hold: 3 iterations, none failed."
