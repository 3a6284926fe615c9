"""Traces, as a collector of OpenTelemetry on loopback gets them from real runs."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from rallyflow.tracing import switch

WORKFLOW = """
rallyflow: 1
name: traced
steps:
  cells: {uses: shell, matrix: {n: [1, 2]}, with: {run: "echo $TRACEPARENT"}}
  flaky:
    uses: shell
    retry: {attempts: 2, delay: 1ms, on: [permanent]}
    with: {run: "test -e mark || { touch mark; exit 1; }"}
  held: {uses: shell, needs: [cells, flaky], with: {run: "while test -e hold; do sleep 0.02; done"}}
  after: {uses: noop, needs: [held]}
"""
HELD = "SELECT count(*) FROM event WHERE kind = 'intent' AND step = 'held'"


class Collector:
    """An OTLP/HTTP collector that keeps what it gets."""

    def __init__(self, *, answers=True):
        self.spans = []
        self.services = set()
        self._free = threading.Event()
        if answers:
            self._free.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}"}

    def take(self, body):
        self._free.wait()
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def close(self):
        self._free.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector():
    made = Collector()
    yield made
    made.close()


def facts(span):
    """Return the attributes of a span by their names without the prefix."""
    values = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
    return {name.removeprefix("rallyflow."): value for name, value in values.items()}


def whole(spans):
    """Check that spans are one trace: one id, one root, no span twice, and all parents there."""
    ids = [span.span_id for span in spans]
    assert len({span.trace_id for span in spans}) == 1
    assert len(ids) == len(set(ids))
    assert len([span for span in spans if not span.parent_span_id]) == 1
    assert {span.parent_span_id for span in spans if span.parent_span_id} <= set(ids)


def test_a_run_is_one_trace_with_a_span_for_each_attempt(cli, collector):
    cli.ok("apply", cli.workflow(WORKFLOW), **collector.environment)
    whole(collector.spans)
    (session,) = collector.named("rallyflow traced")
    (cell,) = collector.named("cells[n=2]")
    assert facts(session) == {
        "run": cli.query("SELECT id FROM run")[0][0],
        "workflow": "traced",
        "session": 1,
        "state": "succeeded",
    }
    assert {name: facts(cell)[name] for name in ("uses", "state", "attempt", "matrix.n")} == {
        "uses": "shell",
        "state": "succeeded",
        "attempt": 1,
        "matrix.n": 2,
    }
    assert facts(cell)["memory_bytes"] > 0
    assert cell.parent_span_id == session.span_id
    assert session.start_time_unix_nano <= cell.start_time_unix_nano < cell.end_time_unix_nano
    first, second = sorted(collector.named("flaky"), key=lambda span: facts(span)["attempt"])
    assert (facts(first)["state"], facts(first)["error.code"]) == ("errored", "RF0610")
    assert first.status.code == 2
    assert facts(second)["state"] == "succeeded"
    assert collector.services == {"rallyflow"}


def test_a_shell_step_is_told_the_span_that_it_runs_in(cli, collector):
    cli.ok("apply", cli.workflow(WORKFLOW), **collector.environment)
    (cell,) = collector.named("cells[n=1]")
    told = cli.query("SELECT json_extract(outputs, '$.stdout') FROM step WHERE id = 'cells[n=1]'")[0][0]
    assert told == f"00-{cell.trace_id.hex()}-{cell.span_id.hex()}-01"


def test_a_run_that_was_killed_and_resumed_is_one_complete_trace(cli, collector):
    (cli.directory / "hold").touch()
    process = cli.start("apply", cli.workflow(WORKFLOW), **collector.environment)
    cli.until(process, HELD)
    cli.kill(process)
    (cli.directory / "hold").unlink()
    cli.ok("resume", **collector.environment)
    whole(collector.spans)
    sessions = sorted(collector.named("rallyflow traced"), key=lambda span: facts(span)["session"])
    assert [facts(span)["state"] for span in sessions] == ["interrupted", "succeeded"]
    assert sessions[1].parent_span_id == sessions[0].span_id
    cut_off, done = sorted(collector.named("held"), key=lambda span: facts(span)["attempt"])
    assert (facts(cut_off)["state"], facts(done)["state"]) == ("interrupted", "succeeded")
    assert (cut_off.parent_span_id, done.parent_span_id) == (sessions[0].span_id, sessions[1].span_id)
    assert cut_off.end_time_unix_nano <= sessions[0].end_time_unix_nano <= sessions[1].start_time_unix_nano
    assert len(collector.spans) == 2 + 2 + 2 + 2 + 1


def test_what_no_collector_took_is_delivered_by_the_next_session(cli, collector):
    failing = WORKFLOW.replace("uses: noop", 'uses: shell, with: {run: "test -e mended"}')
    nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = cli.run("apply", cli.workflow(failing), **nobody)
    assert done.returncode == 4
    assert "could not be delivered" in done.stderr
    assert "Traceback" not in done.stderr
    (cli.directory / "mended").touch()
    cli.ok("resume", **collector.environment)
    whole(collector.spans)
    assert [facts(span)["state"] for span in collector.named("rallyflow traced")] == ["errored", "succeeded"]


def test_a_collector_that_never_answers_holds_no_run_up(cli):
    silent = Collector(answers=False)
    done = cli.run("apply", cli.workflow(WORKFLOW), **silent.environment)
    silent.close()
    assert done.returncode == 0
    assert "could not be delivered" in done.stderr


def test_without_the_package_there_is_a_note_and_no_trace(cli):
    (cli.directory / "lib" / "opentelemetry").mkdir(parents=True)
    (cli.directory / "lib" / "opentelemetry" / "__init__.py").touch()
    path = cli.workflow(WORKFLOW)
    done = cli.run("apply", path, OTEL_TRACES_EXPORTER="otlp", PYTHONPATH=str(cli.directory / "lib"))
    assert done.returncode == 0
    assert "rallyflow[otel]" in done.stderr
    assert cli.query("SELECT json_extract(outputs, '$.stdout') FROM step WHERE id = 'cells[n=1]'") == [("",)]


def test_the_console_exporter_prints_beside_the_talk(cli):
    done = cli.run("apply", cli.workflow(WORKFLOW), "--json", OTEL_TRACES_EXPORTER="console")
    assert '"span_id"' in done.stderr
    assert "span_id" not in done.stdout


def test_where_no_trace_is_wanted_nothing_of_it_is_loaded():
    code = "import sys, rallyflow.cli.ending, rallyflow.steps.shell; print([m for m in sys.modules if 'opentel' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ["otlp", "console"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_the_standard_variables_decide(environment, expected):
    assert switch.exporters(environment) == expected
