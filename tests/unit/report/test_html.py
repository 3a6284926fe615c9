from __future__ import annotations

import errno
import logging
import os
import threading

import pytest

from rallyflow import plugins
from rallyflow.errors import DiskFull, StorageError
from rallyflow.model.step import StepContext
from rallyflow.report.exporters.html import HtmlReport, HtmlReportInputs


@pytest.fixture
def context(showcase, tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    return StepContext(
        run=showcase.record.id,
        step="report",
        attempt=1,
        key="k",
        directory=directory,
        matrix={},
        ledger=None,
        parts=None,
        history=showcase,
        log=logging.getLogger("test"),
        guardian=os.getpid(),
        stop=threading.Event(),
    )


def test_the_report_is_written_into_the_folder_of_the_run(context):
    outcome = HtmlReport().run(HtmlReportInputs(), context)
    assert outcome.outputs.path == context.directory / "report" / "index.html"
    assert outcome.outputs.path.read_text().startswith("<!doctype html>")
    assert [path.name for path in outcome.outputs.path.parent.iterdir()] == ["index.html"]


def test_a_relative_path_is_below_the_place_where_rallyflow_was_started(context, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = HtmlReport().run(HtmlReportInputs(path="out/report.html"), context)
    assert outcome.outputs.path == tmp_path / "out" / "report.html"


def test_results_may_be_one_or_a_list_as_a_workflow_has_them(context):
    result = {"run": context.run, "step": "snapshot", "scenario": "s", "matrix": {}}
    inputs = HtmlReportInputs.model_validate(
        {"of": [result, {**result, "step": "list"}], "charts": [{"line": {"y": "p95"}}]}
    )
    text = HtmlReport().run(inputs, context).outputs.path.read_text()
    assert "Benchmark: snapshot" in text
    assert "Benchmark: list" in text
    assert "Benchmark: boot" not in text
    one = HtmlReport().run(HtmlReportInputs.model_validate({"of": result}), context).outputs.path.read_text()
    assert "Benchmark: list" not in one


def test_a_full_disk_keeps_the_old_report(context, monkeypatch):
    path = HtmlReport().run(HtmlReportInputs(title="old"), context).outputs.path

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        HtmlReport().run(HtmlReportInputs(title="new"), context)
    assert "<title>old: failed</title>" in path.read_text()
    assert [path.name for path in path.parent.iterdir()] == ["index.html"]


def test_a_folder_that_is_a_file_is_an_error_for_people(context, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"can't write .*report\.html"):
        HtmlReport().run(HtmlReportInputs(path=tmp_path / "file" / "report.html"), context)


def test_workflows_find_the_exporter_by_name():
    assert plugins.step_type("report/html") is HtmlReport


def test_every_input_is_described():
    assert all(field.description for field in HtmlReportInputs.model_fields.values())
