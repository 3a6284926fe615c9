from __future__ import annotations

import pytest

from rallyflow import plugins
from rallyflow.errors import Exit, UsageError
from rallyflow.explanations.find import EXITS, explain, roots, words
from rallyflow.explanations.library import KINDS, entries
from rallyflow.explanations.models import models_in
from rallyflow.expressions import parse
from rallyflow.expressions.library import FILTERS, TESTS
from rallyflow.expressions.lookup import LIST_METHODS, MAPPING_METHODS, TEXT_METHODS
from rallyflow.expressions.references import FUNCTIONS


def all_keys(start, model, seen=()):
    """Every key below a model, to any depth, as a person would ask for it."""
    for name, field in model.model_fields.items():
        word = f"{start}.{field.alias or name}"
        yield word
        for inner in models_in(field.annotation):
            if inner not in seen:
                yield from all_keys(word, inner, (*seen, inner))


@pytest.mark.parametrize("word", words())
def test_everything_that_is_offered_can_be_explained(word):
    topic = explain(word)
    assert topic.name == word
    assert topic.summary


@pytest.mark.parametrize("uses", [uses for uses in plugins.step_types() if uses not in roots()])
def test_every_key_of_every_step_type_can_be_explained_at_any_depth(uses):
    step = plugins.step_type(uses)
    for word in [*all_keys(uses, step.Inputs), *all_keys(uses, step.Outputs)]:
        assert explain(word).kind == "key"


@pytest.mark.parametrize("root", roots())
def test_every_key_of_the_file_can_be_explained_at_any_depth_and_has_a_description(root):
    for word in all_keys(root, roots()[root]):
        assert explain(word).summary, word


def test_a_step_type_shows_its_inputs_outputs_and_what_resume_does():
    topic = explain("benchmark")
    assert {"with", "outputs"} == set(topic.keys)
    assert "scenario" in [key.name for key in topic.keys["with"]]
    assert "results" in [key.name for key in topic.keys["outputs"]]
    assert "load" in topic.facts["locks"]
    assert "stored" in topic.facts["when its engine died"]


def test_a_family_lists_its_plugins():
    assert set(plugins.names("deployers")) == {name.removeprefix("deploy/") for name in explain("deploy").see}


def test_a_key_shows_its_type_default_and_bounds():
    topic = explain("retry.attempts")
    assert (topic.facts["default"], topic.facts["bounds"]) == ("1", "at least 1, at most 100")


def test_a_key_that_holds_a_mapping_shows_the_keys_in_it():
    topic = explain("benchmark.load.constant")
    assert {"iterations", "duration", "concurrency"} <= {key.name for keys in topic.keys.values() for key in keys}


def test_a_plugin_inside_an_input_is_explained():
    assert "How many projects" in str(explain("benchmark.contexts.users").keys)


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_explained(code):
    assert explain(f"exit.{int(code)}").summary == EXITS[code]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("benchmrk", "benchmark"),
        ("benchmark.load.constnt", "benchmark.load.constant"),
        ("RF0230x", "RF0230"),
        ("step.matrx", "step.matrix"),
        ("filter.selectatr", "filter.selectattr"),
        ("deploy/embeded", "deploy/embedded"),
        ("benchmark.contexts.usrs", "benchmark.contexts.users"),
    ],
)
def test_an_unknown_word_gets_the_one_that_was_probably_meant(word, hint):
    with pytest.raises(UsageError) as caught:
        explain(word)
    assert repr(hint) in caught.value.hint


@pytest.mark.parametrize("word", ["", ".", "..", "exit.", "exit.77", "retry.", "filter.", "deploy.x", "a/b/c", "RF"])
def test_a_word_that_means_nothing_is_refused_in_plain_words(word):
    with pytest.raises(UsageError, match="nothing that can be explained"):
        explain(word)


def test_small_letters_do_for_a_code():
    assert explain("rf0203").name == "RF0203"


def test_every_filter_test_function_and_method_of_the_language_is_explained_and_no_other():
    assert set(entries()["filter"]) == set(FILTERS)
    assert set(entries()["test"]) == set(TESTS)
    assert set(entries()["function"]) == {"range", *FUNCTIONS}
    assert set(entries()["method"]) == {*TEXT_METHODS, *LIST_METHODS, *MAPPING_METHODS}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in entries()[kind]])
def test_the_example_of_a_filter_test_function_or_method_has_the_value_that_is_shown(kind, name):
    entry = entries()[kind][name]
    assert set(entry) == {"means", "example", "gives"}
    assert entry["means"].endswith(".")
    values = {"params": {}, "success": lambda: True, "failure": lambda: False, "always": lambda: True}
    assert name in entry["example"]
    assert parse(entry["example"]).evaluate(values) == entry["gives"]
