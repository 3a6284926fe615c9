"""Coverage-guided fuzzing of what reads a file: bytes become a workflow or an expression, or an error of ours.

Run by hand, after `pip install --group fuzz`: python tests/fuzz/fuzz_workflows.py -max_total_time=600 [CORPUS]
Without a corpus it starts from the workflows of the project and from the broken files of the tests.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["rallyflow.compile", "rallyflow.expressions", "yaml", "jinja2.parser"]):
    from rallyflow.compile.compiler import compile_data
    from rallyflow.compile.reader import read_text
    from rallyflow.errors import WorkflowInvalid
    from rallyflow.expressions import ExpressionError, evaluate_template

ROOT = Path(__file__).parents[2]
VALUES = {
    "params": {"a": "x", "n": [1, 2, 3], "m": {"k": {"l": 1.5}}},
    "steps": {"a": {"value": [{"x": 1}, {"x": None}]}},
    "matrix": {"n": 1},
    "item": {"name": "b"},
}


def one_input(data: bytes) -> None:
    """Compile a file; when it starts with `$`, evaluate the rest as a text with expressions."""
    if data.startswith(b"$"):
        with contextlib.suppress(ExpressionError):
            evaluate_template(data.decode(errors="replace"), VALUES)
        return
    with contextlib.suppress(WorkflowInvalid):
        compile_data(*read_text(data, "file.yaml"), {})


def seeds(folder: Path) -> None:
    """Write the files that fuzzing starts from."""
    found = [*ROOT.glob("workflows/*.yaml"), *ROOT.glob("tests/unit/compile/broken/*.yaml")]
    for path in found:
        (folder / path.name).write_bytes(path.read_bytes())
    for number, text in enumerate(("params.n | map('string') | join", "steps.a.value | selectattr('x')", "1 < 2 < n")):
        (folder / f"expression-{number}").write_text(f"${{{{ {text} }}}}")


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough, or something is found."""
    with tempfile.TemporaryDirectory() as folder:
        if not any(not argument.startswith("-") for argument in sys.argv[1:]):
            seeds(Path(folder))
            sys.argv.append(folder)
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
