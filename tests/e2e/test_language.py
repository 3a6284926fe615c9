"""What a workflow can say, seen working: through the real program, on real processes and sockets."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pty
import select
import socket
import subprocess
import threading
from contextlib import contextmanager

import pytest

from rallyflow.errors import Exit

HEAD = "rallyflow: 1\nname: w\n"


def states(cli):
    return {step["id"]: step["state"] for step in cli.json("show")["steps"]}


def outputs(cli, step):
    return next(each["outputs"] for each in cli.json("show")["steps"] if each["id"] == step)


def test_a_list_that_a_step_gives_becomes_steps(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  hosts: {uses: noop, with: {value: [{name: web, port: 1}, {name: db, port: 2}, {name: old, port: 3}]}}
  probe:
    foreach: ${{ steps.hosts.value }}
    uses: shell
    if: ${{ item.name != 'old' }}
    with: {run: "echo ${{ item.name }}:${{ item.port }}"}
  after: {uses: noop, with: {value: "${{ steps.probe.stdout }}"}}
  none: {foreach: "${{ steps.hosts.value | selectattr('port', 'gt', 9) | list }}", uses: noop}
  behind: {uses: noop, needs: [none]}
"""
    )
    cli.ok("apply", path)
    assert states(cli) == {
        "hosts": "succeeded",
        "probe": "succeeded",
        "probe[item=web]": "succeeded",
        "probe[item=db]": "succeeded",
        "probe[item=old]": "skipped",
        "after": "succeeded",
        "none": "succeeded",
        "behind": "succeeded",
    }
    assert outputs(cli, "after") == {"value": ["web:1", "db:2"]}
    assert list(states(cli))[1:5] == ["probe", "probe[item=web]", "probe[item=db]", "probe[item=old]"]


def test_what_is_no_list_at_run_time_is_an_error_that_says_so(cli):
    path = cli.workflow(
        HEAD + "steps:\n  a: {uses: noop, with: {value: 5}}\n  b: {uses: noop, foreach: '${{ steps.a.value }}'}\n"
    )
    done = cli.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert "foreach takes a list" in done.stderr
    assert states(cli)["b"] == "errored"


def test_steps_of_a_list_that_were_killed_go_on_where_they_were(cli):
    path = cli.workflow(
        HEAD
        + f"""
steps:
  list: {{uses: noop, with: {{value: [a, b, c]}}}}
  each:
    foreach: ${{{{ steps.list.value }}}}
    uses: shell
    locks: [one]
    with:
      cwd: {cli.directory}
      run: "echo ${{{{ item }}}} >> done; test ${{{{ item }}}} != b || test -e go || sleep 60"
  after: {{uses: noop, with: {{value: "${{{{ steps.each.exit_code }}}}"}}}}
"""
    )
    process = cli.start("apply", path)
    cli.until(process, "SELECT state = 'running' FROM step WHERE id = 'each[item=b]'")
    cli.until(process, f"SELECT {len(('a', 'b'))} = 2")
    while (cli.directory / "done").read_text().split() != ["a", "b"]:
        assert process.poll() is None
    cli.kill(process)
    (cli.directory / "go").touch()
    cli.ok("resume")
    assert (cli.directory / "done").read_text().split() == ["a", "b", "b", "c"]
    assert outputs(cli, "after") == {"value": [0, 0, 0]}


INNER = """rallyflow: 1
name: inner
params:
  word: {type: str}
  times: {type: int, default: 1, max: 5}
steps:
  say: {uses: shell, with: {run: "test '${{ params.word }}' != bad && echo ${{ params.word }}"}}
  clean: {uses: noop, if: always(), needs: [say]}
  extra: {uses: noop, if: "${{ params.times > 1 }}"}
outputs:
  said: ${{ steps.say.stdout }}
"""


@pytest.fixture
def nested(cli):
    cli.workflow(INNER, "inner.yaml")
    return cli


def test_a_workflow_is_a_step_of_another_with_typed_params_and_outputs(nested):
    path = nested.workflow(
        HEAD
        + """
steps:
  word: {uses: shell, with: {run: "echo hello"}}
  one: {uses: ./inner.yaml, with: {word: "${{ steps.word.stdout }}"}}
  many: {uses: ./inner.yaml, matrix: {n: [1, 2]}, with: {word: "w${{ matrix.n }}", times: "${{ matrix.n }}"}}
  all: {uses: noop, with: {value: "${{ steps.many.said + [steps.one.said] }}"}}
outputs: {all: "${{ steps.all.value }}"}
"""
    )
    nested.ok("apply", path)
    assert outputs(nested, "all") == {"value": ["w1", "w2", "hello"]}
    assert states(nested)["one/extra"] == "skipped"
    assert states(nested)["many[n=2]/extra"] == "succeeded"
    assert states(nested)["one"] == "succeeded", "a step that is left out inside does no harm"


def test_a_failure_inside_a_workflow_keeps_back_what_needs_it_and_no_more(nested):
    path = nested.workflow(
        HEAD
        + """
steps:
  one: {uses: ./inner.yaml, with: {word: bad}}
  behind: {uses: noop, needs: [one]}
  sorry: {uses: noop, needs: [one], if: failure()}
  aside: {uses: ./inner.yaml, with: {word: good}, needs: [one]}
  anyway: {uses: ./inner.yaml, with: {word: fine}, needs: [one], if: always()}
  lenient: {uses: ./inner.yaml, with: {word: bad}, on_failure: continue}
  after: {uses: noop, needs: [lenient]}
"""
    )
    assert nested.run("apply", path).returncode == Exit.ERRORED
    found = states(nested)
    assert found["one/clean"] == "succeeded", "always() inside holds when it was the inside that failed"
    assert found["one"] == found["behind"] == "skipped"
    assert found["sorry"] == "succeeded"
    assert found["aside/clean"] == "skipped", "always() inside means nothing when the workflow does not run"
    assert found["aside"] == "skipped"
    assert found["anyway"] == "succeeded"
    assert found["lenient"] == found["after"] == "succeeded"


def test_an_output_of_a_workflow_whose_step_was_left_out_is_null_in_whatever_text_it_stands(cli):
    outputs_of_it = "outputs: {plain: '${{ steps.s.value }}', text: 'x${{ steps.s.value }}'}\n"
    cli.workflow(HEAD + "steps:\n  s: {uses: noop, if: false, with: {value: 1}}\n" + outputs_of_it, "in.yaml")
    path = cli.workflow(HEAD + "steps:\n  w: {uses: ./in.yaml}\n")
    cli.ok("apply", path)
    assert outputs(cli, "w") == {"plain": None, "text": None}


def test_a_condition_that_has_no_value_is_an_error_and_no_way_past_a_gate(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  a: {uses: noop, with: {value: [1]}}
  gate: {uses: noop, if: "${{ steps.a.value[3] > 1 }}"}
  behind: {uses: noop, needs: [gate]}
  off: {uses: noop, if: false}
  lenient: {uses: noop, if: "${{ always() and steps.off.value > 1 }}"}
"""
    )
    assert cli.run("apply", path).returncode == Exit.ERRORED
    assert states(cli) == {
        "a": "succeeded",
        "gate": "errored",
        "behind": "skipped",
        "off": "skipped",
        "lenient": "skipped",
    }
    assert "if:" in cli.ok("show")
    assert cli.run("resume").returncode == Exit.ERRORED


def test_a_value_that_does_not_fit_a_param_inside_stops_the_workflow_before_its_steps(nested):
    path = nested.workflow(
        HEAD
        + """
steps:
  n: {uses: shell, with: {run: "echo 9"}}
  one: {uses: ./inner.yaml, with: {word: x, times: "${{ steps.n.stdout }}"}}
"""
    )
    done = nested.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert "9 is larger than 5" in done.stderr
    assert states(nested)["one/(start)"] == "errored"
    assert states(nested)["one/say"] == "skipped"


def test_a_run_waits_for_a_person_and_goes_on_with_typed_answers(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  first: {uses: noop}
  go:
    uses: approve
    with: {message: "Put load on it?", input: {users: {type: int, default: 3, max: 9}, for: {type: duration}}}
  load: {uses: noop, with: {value: "${{ steps.go.answer.users * steps.go.answer['for'] }}"}}
"""
    )
    assert cli.run("apply", path).returncode == Exit.PAUSED
    assert states(cli) == {"first": "succeeded", "go": "paused", "load": "planned"}
    assert cli.json("approve", "--list")[0]["question"] == "Put load on it?"
    assert cli.run("approve", "@latest", "go").returncode == Exit.USAGE, "a value is missing"
    assert cli.run("approve", "-p", "users=10", "-p", "for=1m").returncode == Exit.USAGE
    assert cli.run("resume").returncode == Exit.PAUSED, "nobody has answered"
    cli.ok("approve", "-p", "users=5", "-p", "for=1m")
    cli.ok("resume")
    assert outputs(cli, "load") == {"value": 300.0}
    assert cli.run("approve").returncode == Exit.USAGE


def test_a_person_at_the_terminal_is_asked_and_the_run_goes_on(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  go: {uses: approve, with: {message: "Put load on it?", input: {users: {type: int, max: 9}}}}
  load: {uses: noop, with: {value: "${{ steps.go.answer.users }}"}}
  sure: {uses: approve, needs: [load], with: {message: "Still sure?"}}
"""
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        cli._command(["apply", path]), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=cli._env({}), text=True
    )
    os.close(theirs)
    terminal = Terminal(ours)
    for question, answer in (("users", "12"), ("agreed", "y"), ("larger than 9", ""), ("users", "4"), ("agreed", "y")):
        terminal.until(question)
        os.write(ours, f"{answer}\n".encode() if answer else b"")
    assert "Still sure?" in terminal.until("agreed")
    os.write(ours, b"n\n")
    with contextlib.suppress(OSError):
        terminal.until("never said")
    os.close(ours)
    process.communicate(timeout=60)
    assert process.returncode == Exit.FAILED
    assert outputs(cli, "load") == {"value": 4}
    assert states(cli) == {"go": "succeeded", "load": "succeeded", "sure": "failed"}


class Terminal:
    """Our end of a terminal on which a program talks."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.unread = ""

    def until(self, text):
        """Read up to a text; OSError when the program ends before it, or says nothing for a minute."""
        while text not in self.unread:
            if not select.select([self.descriptor], [], [], 60)[0]:
                raise TimeoutError(f"{text!r} is not said, only {self.unread!r}")
            self.unread += os.read(self.descriptor, 1024).decode(errors="replace")
        said, _, self.unread = self.unread.partition(text)
        return said


def test_what_a_person_rejects_has_failed(cli):
    path = cli.workflow(HEAD + "steps:\n  go: {uses: approve, with: {message: Go?}}\n  b: {uses: noop, needs: [go]}\n")
    cli.run("apply", path)
    cli.ok("approve", "--reject")
    assert cli.run("resume").returncode == Exit.FAILED
    assert states(cli) == {"go": "failed", "b": "skipped"}


PAUSING = """
steps:
  a: {uses: shell, with: {run: "test -e %s/ready"}, on_failure: pause}
  b: {uses: noop, needs: [a]}
"""


def test_a_failure_that_pauses_is_tried_again_by_resume(cli):
    path = cli.workflow(HEAD + PAUSING % cli.directory)
    done = cli.run("apply", path)
    assert done.returncode == Exit.PAUSED
    assert "exit code 1" in cli.ok("show"), "what went wrong stays in sight"
    (cli.directory / "ready").touch()
    cli.ok("resume")
    assert states(cli) == {"a": "succeeded", "b": "succeeded"}


@pytest.mark.parametrize(("answer", "state"), [((), "succeeded"), (("--reject",), "skipped")])
def test_a_failure_that_pauses_can_be_accepted_or_not(cli, answer, state):
    cli.run("apply", cli.workflow(HEAD + PAUSING % cli.directory))
    cli.ok("approve", *answer)
    assert cli.run("resume").returncode == Exit.FAILED
    assert states(cli) == {"a": "failed", "b": state}
    assert states(cli) == {"a": "failed", "b": state}
    cli.run("resume")
    assert states(cli) == {"a": "failed", "b": state}, "the answer still holds"


def test_a_limit_lets_only_so_many_work_at_a_time(cli):
    path = cli.workflow(
        HEAD
        + f"""
limits: {{api: 2}}
steps:
  work:
    uses: shell
    matrix: {{n: [1, 2, 3, 4, 5, 6]}}
    limits: [api]
    with:
      run: |
        cd {cli.directory}; mkdir working-${{{{ matrix.n }}}}
        ls -d working-* | wc -l >> counts; sleep 0.2; rmdir working-${{{{ matrix.n }}}}
"""
    )
    cli.ok("apply", path, "--parallel", 6)
    counts = [int(count) for count in (cli.directory / "counts").read_text().split()]
    assert len(counts) == 6
    assert max(counts) <= 2


POINT = """rallyflow: 1
name: point
params: {n: {type: int}}
steps:
  set: {uses: shell, with: {run: "echo set-${{ params.n }} >> order"}}
  measure:
    uses: shell
    needs: [set]
    with: {run: "echo measure-${{ params.n }} >> order; test ${{ params.n }} != 2 -o -e mended"}
"""


def test_workflows_of_a_matrix_come_one_after_the_other_as_a_whole_also_when_some_are_done_again(cli):
    cli.workflow(POINT, "point.yaml")
    sweep = "steps: {p: {uses: ./point.yaml, matrix: {n: [1, 2, 3], max_parallel: 1}, with: {n: '${{ matrix.n }}'}}}\n"
    path = cli.workflow(HEAD + sweep)
    assert cli.run("apply", path, "--parallel", 4).returncode == 4
    order = cli.directory / "order"
    assert order.read_text().split() == [f"{what}-{n}" for n in (1, 2, 3) for what in ("set", "measure")]
    (cli.directory / "mended").touch()
    cli.ok("resume")
    assert order.read_text().split()[6:] == ["measure-2"]


def test_benchmarks_in_workflows_of_a_matrix_are_cells_of_one_matrix_in_a_report(cli):
    cli.workflow(
        "rallyflow: 1\nname: point\nparams: {n: {type: int}}\nsteps:\n  b:\n    uses: benchmark\n"
        "    matrix: {users: [1, 2]}\n    with:\n      scenario: dummy.dummy\n"
        "      args: {sleep: '${{ params.n * 0.001 }}'}\n"
        "      load: {constant: {iterations: 4, concurrency: '${{ matrix.users }}'}}\n"
        "outputs: {results: '${{ steps.b.results }}'}\n",
        "point.yaml",
    )
    path = cli.workflow(
        HEAD
        + """
steps:
  p: {uses: ./point.yaml, matrix: {option: [1, 2], max_parallel: 1}, with: {n: "${{ matrix.option }}"}}
  report: {uses: report/html, needs: [p], with: {charts: [{line: {x: users, y: mean, by: option}}]}}
  chosen: {uses: report/html, with: {of: "${{ steps.p.results | sum(start=[]) }}", path: chosen.html}}
"""
    )
    cli.ok("apply", path)
    for file in (*cli.home.glob("runs/*/report/index.html"), cli.directory / "chosen.html"):
        page = file.read_text()
        assert page.count("Benchmark: ") == 1
        assert "Benchmark: p/b" in page
        assert "option = 2, users = 1" in page


def test_a_step_has_a_time_for_all_of_its_attempts(cli):
    path = cli.workflow(
        HEAD
        + """
steps:
  a:
    uses: shell
    with: {run: "sleep 60"}
    retry: {attempts: 50, delay: 10ms, on: [timeout]}
    timeout: {attempt: 500ms, step: 6s}
"""
    )
    done = cli.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert "in all" in done.stderr
    attempts = next(step["attempt"] for step in cli.json("show")["steps"])
    assert 2 <= attempts < 20


@contextmanager
def answering(status_of):
    class Handler(http.server.BaseHTTPRequestHandler):
        count = 0

        def do_GET(self):
            type(self).count += 1
            self.send_response(status_of(type(self).count))
            self.end_headers()
            self.wfile.write(b"ready")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_a_step_waits_until_something_answers_as_it_should(cli):
    with answering(lambda count: 503 if count < 3 else 200) as port:
        path = cli.workflow(
            HEAD
            + f"""
steps:
  http: {{uses: wait, with: {{http: {{url: "http://127.0.0.1:{port}/", contains: ready}}, interval: 20ms}}}}
  tcp: {{uses: wait, with: {{tcp: "127.0.0.1:{port}", interval: 20ms}}}}
  command:
    uses: wait
    with: {{command: "cd {cli.directory}; echo x >> n; test $(wc -l < n) -ge 3", interval: 20ms}}
  file: {{uses: wait, with: {{file: "{cli.directory}/n", interval: 20ms}}, needs: [command]}}
  time: {{uses: wait, with: {{time: 10ms}}}}
"""
        )
        cli.ok("apply", path)
    assert outputs(cli, "http")["looks"] == 3
    assert outputs(cli, "command")["looks"] == 3
    assert outputs(cli, "file")["looks"] == 1


def test_waiting_in_vain_is_an_error_that_says_for_what(cli):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        path = cli.workflow(
            HEAD + f"steps:\n  a: {{uses: wait, with: {{tcp: '127.0.0.1:{port}', interval: 50ms, timeout: 200ms}}}}\n"
        )
        done = cli.run("apply", path)
    assert done.returncode == Exit.ERRORED
    assert f"127.0.0.1:{port} takes no connection" in done.stderr


def test_defaults_hold_for_all_steps_of_a_type_unless_a_step_says_otherwise(cli):
    path = cli.workflow(
        HEAD
        + """
params: {word: {default: hello}}
defaults:
  timeout: 1m
  retry: {delay: 5s}
  types:
    shell: {with: {env: {WORD: "${{ params.word }}"}, failed: [7]}, retry: {attempts: 2}}
steps:
  a: {uses: shell, with: {run: "echo $WORD"}}
  b: {uses: shell, with: {run: "exit 7"}, timeout: 2m}
"""
    )
    plan = {step["id"]: step for step in cli.json("plan", path)["steps"]}
    assert plan["a"]["timeout"] == 60
    assert plan["b"]["timeout"] == 120
    assert plan["a"]["retry"]["attempts"] == 2
    assert plan["a"]["retry"]["delay"] == 5
    assert cli.run("apply", path).returncode == Exit.FAILED
    assert outputs(cli, "a")["stdout"] == "hello"


def test_a_random_order_is_drawn_once_and_remembered(cli):
    path = cli.workflow(HEAD + "steps:\n  a: {uses: noop, matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9], order: random}}\n")
    plans = [cli.json("plan", path) for _ in range(3)]
    assert len({str(plan["seeds"]) for plan in plans}) == 3
    cli.ok("plan", path, "-o", cli.directory / "saved.plan")
    cli.ok("apply", cli.directory / "saved.plan")
    saved = json.loads((cli.directory / "saved.plan").read_text())["content"]["plan"]
    assert list(states(cli)) == saved["groups"]["a"]
    assert f"with the seed {saved['seeds']['a']}" in cli.run("plan", "--run", "@latest").stderr


def test_a_saved_plan_runs_as_it_was_saved_or_not_at_all(cli):
    path = cli.workflow(
        HEAD + "params: {n: {type: int, default: 1}}\nsteps:\n  a: {uses: noop, with: {value: '${{ params.n }}'}}\n"
    )
    saved = cli.directory / "x.plan"
    assert cli.run("plan", path, "-p", "n=5", "-o", saved, "--detailed-exitcode").returncode == Exit.CHANGES
    path.write_text(path.read_text().replace("steps:", "steps:\n  b: {uses: noop}"))
    done = cli.run("apply", saved)
    assert done.returncode == Exit.OK
    assert "has changed since the plan was saved" in done.stderr
    assert outputs(cli, "a") == {"value": 5}
    assert cli.run("apply", saved, "-p", "n=6").returncode == Exit.USAGE
    text = saved.read_text()
    for broken in (text.replace('"value": 5', '"value": 6'), text[:-100], text.replace('_plan": 1', '_plan": 2')):
        saved.write_text(broken)
        done = cli.run("apply", saved)
        assert done.returncode == Exit.USAGE
        assert "make it again" in done.stderr


def test_a_plan_says_of_each_step_what_would_happen_and_why(cli):
    path = cli.workflow(
        HEAD
        + f"""
params: {{extra: {{type: bool, default: false}}}}
steps:
  a: {{uses: noop}}
  b: {{uses: shell, with: {{run: "test -e {cli.directory}/ready"}}, needs: [a]}}
  c: {{uses: noop, if: "${{{{ params.extra }}}}"}}
  d: {{uses: noop, needs: [c]}}
  e: {{uses: noop, needs: [b], if: failure()}}
"""
    )
    actions = {step["id"]: (step["action"], step["why"]) for step in cli.json("plan", path)["steps"]}
    assert actions["a"] == actions["b"] == ("run", "")
    assert actions["c"] == ("skip", "its condition is false: params.extra")
    assert actions["d"] == ("skip", "c did not succeed")
    assert actions["e"] == ("skip", "only if something fails: failure()")
    cli.run("apply", path)
    after = {step["id"]: (step["action"], step["why"]) for step in cli.json("plan", "--run", "@latest")["steps"]}
    assert after["a"] == ("reuse", "it has succeeded")
    assert after["b"][0] == "run"
    assert after["b"][1].startswith("it was errored: the command ended with exit code 1")
