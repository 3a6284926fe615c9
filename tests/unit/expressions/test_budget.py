"""No expression takes long or fills the memory, however it is written. Timed by the budget, not by a clock."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest

from rallyflow.expressions import ExpressionError, evaluate_template, parse
from rallyflow.expressions.budget import LIMIT, Budget

MANY = "range(10000)"
TEXT = "params.text"
VALUES = {
    "params": {
        "text": "ab, " * 2500,
        "list": list(range(10_000)),
        "deep": [[[[1] * 10] * 10] * 10] * 10,
        "words": ["word"] * 10_000,
        "table": {str(number): number for number in range(10_000)},
    }
}
GREEDY = [
    f"{MANY} | select('in', {MANY})",
    f"{MANY} | map('default', {MANY}) | list",
    f"{MANY} | select('in', params.words) | list",
    f"params.words | select('in', {TEXT}) | list",
    f"{MANY} | map('string') | sort | map('list') | sort | list",
    "[" + ", ".join(["params.list"] * 150) + "]",
    "[" + ", ".join(["params.deep"] * 150) + "]",
    " + ".join(["params.list"] * 90),
    " ~ ".join(["params.list"] * 140),
    " ~ ".join([TEXT] * 130) + f" | replace('a', {TEXT})",
    f"{TEXT} | replace('', {TEXT})",
    f"{TEXT} | replace('a', {TEXT}) | replace('b', {TEXT}) | replace(' ', {TEXT})",
    f"params.list | join({TEXT})",
    f"params.list | map('replace', '1', {TEXT}) | join | replace('1', {TEXT})",
    f"{MANY} | map('join', {TEXT})",
    "params.words | map('list') | sum(start=[])",
    "params.words | map('list') | map('join', params.text) | list",
    "params.deep | " + " | ".join(["map('list')"] * 120),
    f"{MANY} | " + " | ".join(["sort"] * 90),
    f"{MANY} | " + " | ".join(["map('string') | sort(reverse=true)"] * 40),
    f"{MANY} | " + " | ".join(["unique"] * 90),
    f"{MANY} | " + " | ".join(["list"] * 90),
    "params.deep | json | " + " | ".join(["json"] * 80),
    f"[{', '.join(['params.deep == params.deep'] * 70)}]",
    f"[{', '.join(['params.list in [params.list]'] * 60)}]",
    f"[{', '.join([f'params.words.count({MANY})'] * 55)}]",
    f"[{', '.join([f'{TEXT}.split()'] * 90)}]",
    f"[{', '.join([f'{TEXT} | list'] * 100)}]",
    f"[{', '.join(['params.table.items()'] * 90)}]",
    f"[{', '.join(['params.list[::-1]'] * 100)}]",
    "(" + " + ".join([TEXT] * 80) + ")[::-1] | " + " | ".join(["reverse | upper | title | trim"] * 20),
    "'[' ~ (params.list | map('replace', '', '[') | join) | from_json",
    f"params.list | map('map', 'in', {MANY})",
    f"{MANY} | map('range')",
]
BLUNT = {
    "9 ** 64 ** 64": "the power is too large",
    "2 ** 9999": "the power is too large",
    " * ".join(["9 ** 64"] * 60): "the number is too large",
    "1" * 1000: "the number is too large",
    f"int('{'9' * 1000}')": "",
    f"'{'9' * 1000}' | int": "the number is too large",
    "range(10001)": "a range of 10001 numbers; at most 10000",
    "range(0, 2305843009213693951 * 9999, 2305843009213693951) | unique": "a range of numbers that are too large",
    "'x' * 10": "'*' is for numbers only",
    "'%99999999d' % 1": "'%' is for numbers only",
    "'x'.ljust(99999999)": "",
    "'x'.format(1)": "",
    "float('1e999')": "",
    "'1e999' | float": "inf is not a finite number",
    "1e999": "inf is not a finite number",
    "1e999 - 1e999": "nan is not a finite number",
    "1.5 | round(99999999999, 'ceil')": "",
    "1.5 | round(-99999999999, 'floor')": "",
    "(-8) ** 0.5": "",
    "(" * 500 + "1" + ")" * 500: "the expression is nested too deep",
    "[" * 300 + "]" * 300: "the expression is nested too deep",
    "-" * 500 + "1": "the expression is nested too deep",
    " + ".join(["1"] * 200): "the expression is nested too deep",
    "params" + ".a" * 900: "the expression is nested too deep",
    "1" + " | abs" * 300: "the expression is nested too deep",
    "'" + "[" * 1900 + "' | from_json": "the expression is nested too deep",
}


@pytest.mark.parametrize("source", GREEDY, ids=[source[:60] for source in GREEDY])
def test_what_would_take_long_or_fill_the_memory_is_refused_or_cheap(source):
    assert len(source) <= 2000
    tracemalloc.start()
    with contextlib.suppress(ExpressionError):
        parse(source).evaluate(VALUES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


@pytest.mark.parametrize(("source", "what"), BLUNT.items(), ids=[source[:40] for source in BLUNT])
def test_what_could_only_be_a_mistake_or_an_attack_is_refused(source, what):
    with pytest.raises(ExpressionError) as caught:
        parse(source).evaluate(VALUES)
    assert what in str(caught.value)


def test_a_budget_pays_before_anything_is_done():
    budget = Budget(10)
    budget.spend(10)
    with pytest.raises(ExpressionError, match="takes too long or makes too much"):
        budget.spend(1)


def test_ordinary_work_over_ten_thousand_items_is_within_the_budget():
    rows = [{"ok": number % 2 == 0, "seconds": number / 7, "name": f"row {number}"} for number in range(10_000)]
    found = parse("rows | selectattr('ok') | map(attribute='seconds') | max").evaluate({"rows": rows})
    assert found == 9998 / 7
    assert (
        len(parse("rows | sort(attribute='seconds', reverse=true) | map(attribute='name')").evaluate({"rows": rows}))
        == 10_000
    )
    assert LIMIT < 1_000_000


def test_texts_can_share_a_budget():
    budget = Budget(15_000)
    evaluate_template("${{ range(5000) }}", {}, budget)
    with pytest.raises(ExpressionError, match="takes too long"):
        evaluate_template("n=${{ range(5000) }}", {}, budget)
