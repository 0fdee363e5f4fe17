"""`coerce: schema`."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import match_calls
from tests.checks.build import codes, compare, made, matches, tool, wants


def schema(declared):
    return [tool("f", None, None, a=declared)]


@pytest.mark.parametrize(
    ("declared", "actual", "expected", "passes"),
    [
        ("integer", "42", 42, True),
        ("integer", 42, "42", True),
        ("integer", "42.0", 42, False),
        ("integer", " 42", 42, False),
        ("integer", "042", 42, False),
        ("integer", 42.0, 42, True),
        ("integer", True, 1, False),
        ("number", "1.5", 1.5, True),
        ("number", "1e3", 1000, True),
        ("number", "NaN", "NaN", True),
        ("number", "1_000", 1000, False),
        ("boolean", "true", True, True),
        ("boolean", "True", True, False),
        ("boolean", 1, True, False),
        ("string", 4417, "4417", True),
        ("string", "4417", 4417, True),
        ("string", True, "true", True),
        ("string", "42", "42.0", False),
        (["integer", "null"], "null", None, True),
        (["integer", "null"], None, None, True),
        (["integer", "string"], "42", 42, False),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "7", 7, True),
        ({"type": "array", "items": {"type": "integer"}}, ["1", 2], [1, 2], True),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2], True),
        ({"type": "array"}, "[1, 2", [1, 2], False),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, {"n": "5"}, {"n": 5}, True),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, '{"n": "5"}', {"n": 5}, True),
        ({}, "42", 42, False),
    ],
)
def test_values_are_taken_to_the_declared_type(declared, actual, expected, passes):
    assert matches(actual, expected, schema(declared), coerce="schema") is passes


def test_without_coercion_the_schema_changes_nothing():
    assert codes(compare("42", 42, schema("integer"))) == ["type_error"]
    assert codes(compare("42", 42, schema("integer"), coerce="none")) == ["type_error"]


def test_without_a_schema_nothing_is_coerced():
    assert codes(compare("42", 42, coerce="schema")) == ["type_error"]
    assert codes(compare("42", 42, [tool("f")], coerce="schema")) == ["type_error"]


def test_a_call_may_override():
    expected = [{**wants("f", a=42), "coerce": "schema"}]
    assert match_calls([made("f", a="42")], {"coerce": "none", "expected": expected}, tools=schema("integer")).passed


def test_matchers_see_the_coerced_value():
    assert matches(4417, {"regex": "^44"}, schema("string"), coerce="schema")
    assert matches("5", {"one_of": [4, 5]}, schema("integer"), coerce="schema")
    assert matches("5", {"type": "integer"}, schema("integer"), coerce="schema")


def test_a_number_of_a_thousand_digits_stays_what_it_is():
    assert not matches("9" * 5000, 9, schema("integer"), coerce="schema")
    deep = "[" * 5000 + "]" * 5000
    assert not matches(deep, [], schema("array"), coerce="schema")
