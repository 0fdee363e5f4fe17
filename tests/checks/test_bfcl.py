"""`coerce: bfcl`: facts of the official checker, and a seeded slice beside the checker itself where it is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.bfcl_agreement import CACHE, ask_official, ask_ours, classified
from benchmarks.bfcl_candidates import candidates_of
from benchmarks.bfcl_cases import expectation_of, read_cases, tools_of
from pytest_llmreplay.checks import match_calls
from tests.checks.build import codes, made, tool, wants
from tests.shared_data import shared

# From BFCL v4 (Apache-2.0): simple_python_0, simple_python_96 shortened, parallel_178 shortened.
AREA = {
    "case_id": "simple_python_0",
    "category": "simple_python",
    "functions": [
        {
            "name": "calculate_triangle_area",
            "parameters": {
                "type": "dict",
                "properties": {
                    "base": {"type": "integer"},
                    "height": {"type": "integer"},
                    "unit": {"type": "string"},
                },
                "required": ["base", "height"],
            },
        }
    ],
    "ground_truth": [{"calculate_triangle_area": {"base": [10], "height": [5], "unit": ["units", ""]}}],
}
QUERY = {
    "case_id": "simple_python_96",
    "category": "simple_python",
    "functions": [
        {
            "name": "database.query",
            "parameters": {
                "type": "dict",
                "properties": {
                    "table": {"type": "string"},
                    "conditions": {"type": "array", "items": {"type": "dict"}},
                    "ratio": {"type": "float"},
                    "limits": {"type": "array", "items": {"type": "float"}},
                    "any": {"type": "any"},
                },
                "required": ["table"],
            },
        }
    ],
    "ground_truth": [
        {
            "database.query": {
                "table": ["user"],
                "conditions": [[{"field": ["age"], "value": ["25", ""]}, {"field": ["job"]}], ""],
                "ratio": [0.5, 2.0, ""],
                "limits": [[1.0, 2.5], ""],
                "any": ["my_data", ""],
            }
        }
    ],
}
PAIR = {
    "case_id": "pair",
    "category": "simple_python",
    "functions": [
        {
            "name": "distance",
            "parameters": {
                "type": "dict",
                "properties": {"pair": {"type": "tuple", "items": {"type": "float"}}},
                "required": ["pair"],
            },
        }
    ],
    "ground_truth": [{"distance": {"pair": [[1.0, 2.5]]}}],
}
PRICES = {
    "case_id": "parallel_178",
    "category": "parallel",
    "functions": [
        {
            "name": "get_stock_price",
            "parameters": {
                "type": "dict",
                "properties": {"company_name": {"type": "string"}, "date": {"type": "string"}},
                "required": ["company_name", "date"],
            },
        }
    ],
    "ground_truth": [
        {"get_stock_price": {"company_name": ["Microsoft", "Apple"], "date": ["2022-01-01"]}},
        {"get_stock_price": {"company_name": ["Apple"], "date": ["2022-01-01"]}},
    ],
}


FACTS = [
    (AREA, {"base": 10, "height": 5}, True),
    (AREA, {"base": 10, "height": 5, "unit": "Units"}, True),
    (AREA, {"base": 10, "height": 5, "unit": "u-n.i_t s"}, True),
    (AREA, {"base": 10, "height": 5, "unit": ""}, True),
    (AREA, {"base": 10, "height": 5, "unit": "cm"}, False),
    (AREA, {"base": 10}, False),
    (AREA, {"base": 10.0, "height": 5}, False),
    (AREA, {"base": "10", "height": 5}, False),
    (AREA, {"base": True, "height": 5}, False),
    (AREA, {"base": 10, "height": 5, "depth": 1}, False),
    (QUERY, {"table": "USER"}, True),
    (QUERY, {"table": "user", "conditions": [{"field": "AGE", "value": "25"}, {"field": "job"}]}, True),
    (QUERY, {"table": "user", "conditions": [{"field": "age"}, {"field": "job"}]}, True),
    (QUERY, {"table": "user", "conditions": [{"field": "job"}, {"field": "age"}]}, False),
    (QUERY, {"table": "user", "conditions": [{"field": "age", "op": ">"}, {"field": "job"}]}, False),
    (QUERY, {"table": "user", "conditions": [{"field": "age"}]}, False),
    (QUERY, {"table": "user", "conditions": []}, True),
    (QUERY, {"table": "user", "ratio": 2}, True),
    (QUERY, {"table": "user", "ratio": "2"}, False),
    (QUERY, {"table": "user", "limits": [1.0, 2.5]}, True),
    (QUERY, {"table": "user", "limits": [1, 2.5]}, True),
    (QUERY, {"table": "user", "limits": ["1", 2.5]}, False),
    (PAIR, {"pair": [1.0, 2.5]}, True),
    (PAIR, {"pair": [1, 2.5]}, False),
    (QUERY, {"table": "user", "limits": []}, True),
    (QUERY, {"table": "user", "any": "MY DATA"}, True),
    (QUERY, {"table": "user", "any": 5}, False),
]


def official_python():
    python = Path(os.environ.get("LLMREPLAY_BFCL_PYTHON", CACHE / "bin" / "python"))
    if not python.exists():
        pytest.skip("the official checker is not installed; python benchmarks/bfcl_agreement.py installs it")
    return python


def judged(case, *arguments):
    name = case["functions"][0]["name"]
    return match_calls([made(name, **each) for each in arguments], expectation_of(case), tools=tools_of(case)).passed


@pytest.mark.parametrize(("case", "arguments", "valid"), FACTS)
def test_what_the_official_checker_says(case, arguments, valid):
    assert judged(case, arguments) is valid


def test_the_facts_are_facts():
    rows = [{**c, "calls": [{"name": c["functions"][0]["name"], "arguments": a}]} for c, a, _ in FACTS]
    official = ask_official(official_python(), rows)
    assert [theirs["valid"] for theirs in official] == [valid for _, _, valid in FACTS]


def test_greedy_pairing_fails_what_can_be_paired__bfcl():
    """The official checker gives the first call to the first answer that takes it, and then finds no other."""
    apple, microsoft = (
        {"company_name": "Apple", "date": "2022-01-01"},
        {"company_name": "Microsoft", "date": "2022-01-01"},
    )
    assert judged(PRICES, apple, microsoft)
    assert judged(PRICES, microsoft, apple)
    assert not judged(PRICES, microsoft, microsoft)


def test_a_warning_what_bfcl_lets_through():
    expected = {"coerce": "bfcl", "expected": [wants("f", version="15")]}
    assert match_calls([made("f", version="1.5")], expected, tools=[tool("f", None, None, version="string")]).passed
    assert not match_calls([made("f", version="1.5")], [wants("f", version="15")]).passed


def test_schema_defaults_never_fill_an_omitted_argument():
    tools = [tool("f", None, None, a={"type": "integer", "default": 5})]
    assert match_calls([made("f")], [wants("f", a=5)], tools=tools).passed
    assert codes(match_calls([made("f")], {"coerce": "bfcl", "expected": [wants("f", a=5)]}, tools=tools)) == [
        "missing_argument"
    ]


def test_what_a_tool_requires_may_not_be_left_out_whatever_the_answer_says():
    tools = [tool("f", None, ["a"], a="integer")]
    expected = {"coerce": "bfcl", "expected": [wants("f", a={"one_of": [5], "optional": True})]}
    assert codes(match_calls([made("f")], expected, tools=tools)) == ["missing_argument"]


def test_a_parameter_that_the_tool_does_not_have_is_never_right():
    tools = [tool("f", None, None, a="integer")]
    expected = {"coerce": "bfcl", "expected": [wants("f", b={"one_of": [5], "optional": True})]}
    assert match_calls([made("f")], expected, tools=tools).passed
    assert codes(match_calls([made("f", b=5)], expected, tools=tools)) == ["unexpected_argument"]


def test_without_tools_the_first_alternative_gives_the_type():
    expected = {"coerce": "bfcl", "expected": [wants("f", a={"one_of": ["x y"]}, n={"one_of": [5]})]}
    assert match_calls([made("f", a="XY", n=5)], expected).passed
    assert codes(match_calls([made("f", a="XY", n="5")], expected)) == ["type_error"]
    assert codes(match_calls([made("f", a="XY", n=6)], expected)) == ["value_error"]


def test_words_that_bfcl_does_not_have_work_as_ever():
    expected = {"coerce": "bfcl", "expected": [wants("f", a={"regex": "^x"}, o={"k": {"type": "string"}})]}
    assert match_calls([made("f", a="xyz", o={"k": "v"})], expected).passed
    assert not match_calls([made("f", a="Xyz", o={"k": "v"})], expected).passed


@pytest.mark.parametrize("value", [[1, None], {"k": [1]}, None, float("1e400"), "x" * 10000, [[[]]], 10**400])
def test_whatever_the_value_it_is_judged_and_does_not_raise(value):
    for case in (AREA, QUERY, PRICES):
        for name in case["functions"][0]["parameters"]["properties"]:
            assert not judged(case, {name: value})


def test_a_seeded_slice_beside_the_official_checker():
    """Every disagreement must be a known defect of the official checker; `benchmarks/bfcl_agreement.py` runs it all."""
    python = official_python()
    cases = read_cases(shared("data", "bfcl_cases_dev.jsonl"))
    rows = candidates_of([*cases[::9], *(case for case in cases if case["category"] == "parallel")], 12, seed=20)
    official = ask_official(python, rows)
    ours = ask_ours(rows, official)
    kinds = [classified(theirs, mine) for theirs, (mine, _) in zip(official, ours, strict=True)]
    assert len(rows) > 1500
    assert 0.2 < sum(bool(theirs["valid"]) for theirs in official) / len(rows) < 0.8
    assert [row for row, kind in zip(rows, kinds, strict=True) if kind == "disagree"] == []
