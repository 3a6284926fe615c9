"""Advice: what it is about, where it points, and how it is silenced."""

from __future__ import annotations

from pathlib import Path

import pytest

from rallyflow.compile.compiler import compile_unit
from rallyflow.compile.lint import lint

ROOT = Path(__file__).parents[3]
SHIPPED = [path for path in sorted((ROOT / "workflows").glob("*.yaml")) if path.stem not in ("catalog", "under-option")]
"""All but the one that is a part of another, which gives it a cloud."""


def advice(tmp_path, text):
    path = tmp_path / "w.yaml"
    path.write_text("rallyflow: 1\nname: w\n" + text)
    return [(each.code, each.line, each.what) for each in lint(*compile_unit(path))]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_workflows_leave_nothing_to_advise(path):
    assert lint(*compile_unit(path)) == []


@pytest.mark.parametrize(
    ("text", "code", "line", "word"),
    [
        ("params: {a: {default: x}}\nsteps: {s: {uses: shell, with: {run: ls}}}\n", "RF0901", 3, "param 'a'"),
        ("secrets: [key]\nsteps: {s: {uses: shell, with: {run: ls}}}\n", "RF0901", 3, "secret 'key'"),
        ("secrets: {key: {env: K}}\nsteps: {s: {uses: shell, with: {run: ls}}}\n", "RF0901", 3, "secret 'key'"),
        ("limits: {l: 1}\nsteps: {s: {uses: shell, with: {run: ls}}}\n", "RF0901", 3, "limit 'l'"),
        (
            "defaults: {types: {benchmark: {timeout: 1m}}}\nsteps: {s: {uses: shell, with: {run: ls}}}\n",
            *("RF0901", 3, "'benchmark'"),
        ),
        ("steps:\n  s: {uses: noop}\n", "RF0902", 4, "step 's'"),
        ("steps:\n  s: {uses: provision/local, timeout: 1m}\n", "RF0902", 4, "step 's'"),
        (
            "steps:\n  s: {uses: provision/local}\n  t: {uses: shell, needs: [s], with: {run: ls}}\n",
            *("RF0903", 4, "no timeout"),
        ),
        ("steps:\n  s: {uses: shell, with: {run: ls}, retry: {attempts: 3}}\n", "RF0904", 4, "3 times"),
        ('steps:\n  s: {uses: shell, with: {run: ls}, matrix: {n: "${{ range(201) }}"}}\n', "RF0905", 4, "201 cells"),
        (
            (
                "steps:\n"
                "  b: {uses: benchmark, with: {scenario: dummy.dummy, load: {serial: {iterations: 1}}, sla: []}}\n"
                "  r: {uses: report/html, with: {of: '${{ steps.b.results }}'}}\n"
            ),
            *("RF0906", 5, "skipped when 'b' fails"),
        ),
        (
            (
                "steps:\n"
                "  a: {uses: benchmark, with: {scenario: dummy.dummy, load: {serial: {iterations: 1}}, sla: []}}\n"
                "  b: {uses: noop, needs: [a]}\n"
                "  c: {uses: benchmark, with: {scenario: dummy.dummy, load: {serial: {iterations: 1}}, sla: []}}\n"
                "  r: {uses: report/html, if: always(), needs: [b]}\n"
            ),
            *("RF0911", 7, "does not wait for 'c'"),
        ),
        (
            "steps:\n  b: {uses: benchmark, with: {scenario: dummy.dummy, load: {serial: {iterations: 1}}}}\n",
            *("RF0907", 4, "no sla"),
        ),
        ("steps: {s: {uses: shell, with: {run: 'echo {{ params.a }}'}}}\n", "RF0910", 3, "'{{ params.a }}'"),
        ("steps: {s: {uses: shell, with: {run: 'echo ${steps.a.value} $HOME'}}}\n", "RF0910", 3, "'${steps.a.value}'"),
        ("teardown: never\nsteps: {s: {uses: shell, with: {run: ls}}}\n", "RF0908", 3, "stays"),
    ],
)
def test_advice_points_to_what_it_is_about(tmp_path, text, code, line, word):
    found = advice(tmp_path, text)
    assert [(each[0], each[1]) for each in found] == [(code, line)]
    assert word in found[0][2]


@pytest.mark.parametrize(
    ("comment", "count"),
    [("# lint: ignore", 0), ("# lint: ignore RF0902, RF0903", 0), ("# lint: ignore RF0903", 1), ("# ignore", 1)],
)
def test_a_comment_in_the_same_line_silences_advice(tmp_path, comment, count):
    assert len(advice(tmp_path, f"steps:\n  s: {{uses: noop}} {comment}\n")) == count


@pytest.mark.parametrize(
    "use",
    [
        "steps:\n  s: {uses: shell, with: {run: '${{ params.a }}'}}\n",
        "steps:\n  s: {uses: shell, with: {run: ls}, if: \"${{ params.a == 'x' }}\"}\n",
        "steps:\n  s: {uses: shell, with: {run: ls}, matrix: {n: ['${{ params.a }}']}}\n",
        "steps:\n  s: {uses: shell, with: {run: ls}, timeout: '${{ params.a }}'}\n",
        "outputs: {o: '${{ params.a }}'}\nsteps:\n  s: {uses: shell, with: {run: ls}}\n",
        "steps:\n  s: {uses: shell, with: {run: 'echo ${{ params | json }}'}}\n",
        "defaults: {types: {shell: {with: {run: '${{ params.a }}'}}}}\nsteps: {s: {uses: shell}}\n",
    ],
)
def test_every_use_of_a_param_counts(tmp_path, use):
    assert advice(tmp_path, "params: {a: {default: 5s}}\n" + use) == []
