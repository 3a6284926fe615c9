"""The parts of the language are explained by examples that compile as they stand."""

from __future__ import annotations

import pytest

from rallyflow.compile.compiler import compile_file
from rallyflow.explanations.find import roots
from rallyflow.explanations.library import entries
from rallyflow.explanations.sections import param_types, sections
from rallyflow.expressions import ROOTS
from rallyflow.model.params import SCALARS, VALUES, read_value
from rallyflow.model.workflow import Param, Step, Workflow


@pytest.mark.parametrize("name", sections())
def test_the_example_of_a_part_of_the_language_is_valid(name, tmp_path):
    for file, text in sections()[name].example.files.items():
        (tmp_path / file).write_text(text)
    assert compile_file(tmp_path / "workflow.yaml", {}).steps


@pytest.mark.parametrize("name", sections())
def test_a_part_of_the_language_has_a_title_and_words(name):
    part = sections()[name]
    assert part.title
    assert part.text.strip()


def test_every_part_that_has_keys_is_among_the_sections():
    assert set(roots()) <= set(sections())


def test_the_examples_show_every_key_of_a_file_and_of_a_step():
    shown = "".join(text for part in sections().values() for text in part.example.files.values())
    keys = {field.alias or name for model in (Workflow, Step) for name, field in model.model_fields.items()}
    assert [key for key in keys if f"{key}:" not in shown] == []


def test_every_type_of_params_and_every_name_of_expressions_is_explained():
    assert set(param_types()) == {*SCALARS, *VALUES, "list(int)", "map(str)"}
    assert set(entries()["root"]) == set(ROOTS)


@pytest.mark.parametrize("kind", [kind for kind in param_types() if kind not in VALUES])
def test_the_example_of_a_type_of_params_gives_what_is_shown(kind):
    told = param_types()[kind]
    spec = Param(type=kind, choices=["small", "large"] if kind == "enum" else None)
    assert read_value(spec, told["example"]) == told["gives"]
