"""Values: literals, matchers, nesting, types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.checks import match_calls
from pytest_llmreplay.checks.patterns import same
from tests.checks.build import codes, compare, made, matches, tool, wants


@pytest.mark.parametrize(
    ("actual", "expected", "code"),
    [
        (True, 1, "type_error"),
        (1, True, "type_error"),
        (False, 0, "type_error"),
        (0, False, "type_error"),
        ("42", 42, "type_error"),
        (42, "42", "type_error"),
        ("True", True, "type_error"),
        (None, "null", "type_error"),
        (None, 0, "type_error"),
        (0, None, "type_error"),
        ("", None, "type_error"),
        ([], {}, "type_error"),
        ({}, [], "type_error"),
        ([1], 1, "type_error"),
        ("a", "b", "value_error"),
        (1, 2, "value_error"),
        ("a ", "a", "value_error"),
        ("A", "a", "value_error"),
        ([1, 2], [2, 1], "value_error"),
        ([1], [1, 1], "value_error"),
    ],
)
def test_unequal_values__python_says_true_is_1_and_ragas_compares_text(actual, expected, code):
    """Python's == lets True pass for 1 (agentevals, DeepEval, BFCL); str() lets 42 pass for "42" (ragas)."""
    assert set(codes(compare(actual, expected))) == {code}


@pytest.mark.parametrize("value", [True, False, None, 0, -1, 1.5, "", "text", [], {}, [1, [2]], {"a": {"b": [None]}}])
def test_equal_values(value):
    assert matches(value, {"equals": value})
    assert matches(value, value)


@pytest.mark.parametrize(
    ("coerce", "actual", "expected", "passes"),
    [
        ("numeric", 1, 1.0, True),
        ("numeric", 1.0, 1, True),
        ("numeric", 2**53 + 1, float(2**53), False),
        ("none", 1, 1.0, False),
        ("none", 1.0, 1, False),
        ("none", 1, 1, True),
        ("none", 1.5, 1.5, True),
    ],
)
def test_numbers(coerce, actual, expected, passes):
    assert matches(actual, expected, coerce=coerce) is passes


@pytest.mark.parametrize(
    ("matcher", "fits", "fits_not"),
    [
        ({"equals": {"regex": "x"}}, [{"regex": "x"}], ["x", {"regex": "y"}]),
        ({"one_of": ["a", 1, {"regex": "^b"}]}, ["a", 1, 1.0, "bc"], ["c", True, None, "1"]),
        ({"one_of": []}, [], ["a", None, 0]),
        ({"one_of": [None, {"type": "string"}]}, [None, "x"], [0, False]),
        ({"any": True}, [None, 0, "x", [], {}], []),
        ({"regex": "^#?\\d+$"}, ["#12", "12"], ["12a", 12, None]),
        ({"regex": "b"}, ["abc"], ["ac"]),
        ({"contains": "order"}, ["my order", "order", ["x", "order"]], ["my Order", 5, [], ["orders"]]),
        ({"contains": {"id": 1}}, [[{"id": 2}, {"id": 1}]], [[{"id": 2}], {"id": 1}, "id"]),
        ({"contains": {"regex": "^o"}}, [["x", "order"]], [["x"], "order"]),
        ({"equals": 10, "approx": {"abs": 0.5}}, [10, 10.5, 9.5], [10.51, "10", True]),
        ({"equals": 200, "approx": {"rel": 0.01}}, [202, 198], [202.1]),
        ({"equals": 0, "approx": {"rel": 0.1, "abs": 1}}, [1, -1], [1.1]),
        ({"approx": {"value": 3.14, "abs": 0.01}}, [3.145], [3.2, 10**400]),
        ({"equals": [1.0, {"x": 2.0}], "approx": {"abs": 0.1}}, [[1.05, {"x": 1.95}]], [[1.2, {"x": 2}]]),
        ({"equals": "New York", "text": {"casefold": True}}, ["new york", "NEW YORK"], ["newyork", " New York"]),
        ({"equals": "straße", "text": {"casefold": True}}, ["STRASSE"], ["STRASE"]),
        ({"equals": "a b", "text": {"trim": True}}, [" a b\n"], ["a  b"]),
        ({"equals": "a b", "text": {"collapse_ws": True, "trim": True}}, [" a \t b "], ["ab"]),
        ({"text": {"value": "A", "casefold": True}}, ["a"], ["b"]),
        ({"one_of": ["Red", "Blue"], "text": {"casefold": True}}, ["RED"], ["green"]),
        ({"regex": "^paris$", "text": {"casefold": True, "trim": True}}, [" Paris "], ["in Paris"]),
        ({"contains": "PARIS", "text": {"casefold": True}}, ["in Paris now"], ["in Pari"]),
        ({"unordered_list": [1, {"regex": "a"}, 1]}, [[1, 1, "a"], ["a", 1, 1]], [[1, "a"], [1, "a", "a"], "a"]),
        ({"unordered_list": []}, [[]], [[1], None]),
        ({"type": "integer"}, [1, 1.0, -5], [1.5, True, "1", None]),
        ({"type": "number"}, [1, 1.5], [True, "1"]),
        ({"type": ["string", "null"]}, ["", None], [0, []]),
        ({"type": "boolean"}, [True], [1]),
        ({"type": "array"}, [[]], [{}]),
        ({"type": "object"}, [{}], [[]]),
        ({"type": "string", "regex": "^a", "contains": "z"}, ["a..z"], ["az1"[1:], "a", 1]),
        ({"optional": True, "one_of": ["x"]}, ["x"], ["y", None]),
        ({"optional": True}, ["x", None], []),
        ({"absent": True}, [], ["x", None, False]),
    ],
)
def test_matchers(matcher, fits, fits_not):
    for actual in fits:
        assert matches(actual, matcher), actual
    for actual in fits_not:
        assert not matches(actual, matcher), actual


def test_leaving_out():
    nothing = [made("f")]
    assert not match_calls(nothing, [wants("f", a={"any": True})]).passed
    assert match_calls(nothing, [wants("f", a={"optional": True, "equals": 1})]).passed
    assert match_calls(nothing, [wants("f", a={"absent": True})]).passed
    assert match_calls(nothing, [wants("f", a={"one_of": [{"absent": True}, 5]})]).passed
    assert not match_calls([made("f", a=6)], [wants("f", a={"one_of": [{"absent": True}, 5]})]).passed


def test_words_beside_each_other_must_all_allow_leaving_out():
    both = {"one_of": [{"absent": True}, 5], "type": "integer"}
    assert not match_calls([made("f")], [wants("f", a=both)]).passed
    assert match_calls([made("f", a=5)], [wants("f", a=both)]).passed


def test_tuples_are_lists():
    assert match_calls([{"name": "f", "arguments": {"a": (1, 2)}}], [wants("f", a=(1, {"type": "integer"}))]).passed


def test_missing_is_not_null_unless_null_is_absent():
    null, nothing = [made("f", a=None)], [made("f")]
    assert codes(match_calls(null, [wants("f")])) == ["unexpected_argument"]
    assert codes(match_calls(nothing, [wants("f", a=None)])) == ["missing_argument"]
    assert match_calls(null, {"null_is_absent": True, "expected": [wants("f")]}).passed
    assert match_calls(nothing, {"null_is_absent": True, "expected": [wants("f", a=None)]}).passed
    assert match_calls(null, {"null_is_absent": True, "expected": [wants("f", a=None)]}).passed
    assert match_calls(null, [{**wants("f"), "null_is_absent": True}]).passed
    nested = {"null_is_absent": True, "expected": [wants("f", a={"b": 1, "c": None})]}
    assert match_calls([made("f", a={"b": 1, "d": None})], nested).passed
    assert codes(match_calls(null, {"null_is_absent": True, "expected": [wants("f", a={"any": True})]})) == [
        "missing_argument"
    ]


def test_matchers_anywhere_inside_objects_and_lists():
    expected = {"user": {"tags": [{"regex": "^v"}, {"any": True}], "age": {"type": "integer"}}}
    assert matches({"user": {"tags": ["vip", None], "age": 5}}, expected)
    wrong = compare({"user": {"tags": ["vip", None], "age": "5"}}, expected)
    assert [reason.path for reason in wrong.failures] == ["expected[0].args.a.user.age"]
    wrong = compare({"user": {"tags": ["x", None], "age": 5, "extra": 1}}, expected)
    assert [reason.path for reason in wrong.failures] == [
        "expected[0].args.a.user.tags[0]",
        "expected[0].args.a.user.extra",
    ]


def test_a_mapping_with_another_key_is_a_literal():
    literal = {"type": "refund", "amount": {"type": "integer"}}
    assert matches({"type": "refund", "amount": 5}, literal)
    assert not matches({"type": "refund", "amount": "5"}, literal)
    assert matches({}, {})
    assert not matches("x", {})


@pytest.mark.parametrize(
    ("match", "actual", "passes"),
    [
        ("exact", {"x": 1, "o": {"p": 1, "q": 2}}, True),
        ("exact", {"x": 1}, False),
        ("exact", {"x": 1, "o": {"p": 1, "q": 2}, "z": 0}, False),
        ("subset", {"x": 1}, True),
        ("subset", {}, True),
        ("subset", {"o": {"p": 1}}, True),
        ("subset", {"x": 2}, False),
        ("subset", {"z": 0}, False),
        ("subset", {"o": {"p": 1, "z": 0}}, False),
        ("superset", {"x": 1, "o": {"p": 1, "q": 2, "z": 0}, "z": 0}, True),
        ("superset", {"x": 1}, False),
        ("superset", {"x": 1, "o": {"p": 1}}, False),
        ("ignore", {"anything": "goes"}, True),
    ],
)
def test_match_says_which_side_may_have_more__agentevals_swaps_them(match, actual, passes):
    """agentevals hands expected and actual over the wrong way round under its subset and unordered trajectories."""
    expected = {**wants("f", x=1, o={"p": 1, "q": 2}), "match": match}
    assert match_calls([made("f", **actual)], [expected]).passed is passes


def test_args_left_out_empty_and_given():
    some, none = [made("f", x=1)], [made("f")]
    assert match_calls(some, [{"name": "f"}]).passed
    assert match_calls(none, [{"name": "f"}]).passed
    assert match_calls(none, [wants("f")]).passed
    assert codes(match_calls(some, [wants("f")])) == ["unexpected_argument"]


def test_keys_compare_only_those():
    args = {"id": 1, "user": {"name": "Ann", "age": 3}, "note": "x"}
    expected = {**wants("f", **args), "keys": ["id", "user.name"]}
    assert match_calls([made("f", id=1, user={"name": "Ann", "age": 99}, more=5)], [expected]).passed
    wrong = match_calls([made("f", id=2, user={"name": "Bob"})], [expected])
    assert [(reason.code, reason.path) for reason in wrong.failures] == [
        ("value_error", "expected[0].args.id"),
        ("value_error", "expected[0].args.user.name"),
    ]
    assert codes(match_calls([made("f", id=1, user="Ann")], [expected])) == ["type_error"]


def test_a_key_that_is_missing_on_both_sides_is_never_equal__agentevals_none_is_none():
    """agentevals compares a key that neither side has as None == None, which passes."""
    absent = {**wants("f", id={"absent": True}), "keys": ["id"]}
    assert match_calls([made("f")], [absent]).passed
    assert not match_calls([made("f", id=None)], [absent]).passed
    assert codes(match_calls([made("f")], [{**wants("f", id=None), "keys": ["id"]}])) == ["missing_argument"]


def test_a_parameter_whose_name_has_dots():
    expected = {**wants("f", **{"a.b": 1, "a": {"b": 2}}), "keys": ["a.b"]}
    assert match_calls([made("f", **{"a.b": 1})], [expected]).passed


SEARCH = tool("search", None, None, q="string", limit={"type": "integer", "default": 10}, page={"type": "object"})


def test_an_omitted_argument_equals_its_schema_default():
    for actual, expected in [({"q": "x"}, {"q": "x", "limit": 10}), ({"q": "x", "limit": 10}, {"q": "x"})]:
        assert match_calls([made("search", **actual)], [wants("search", **expected)], tools=[SEARCH]).passed
        assert not match_calls([made("search", **actual)], [wants("search", **expected)]).passed
    other = match_calls([made("search", q="x")], [wants("search", q="x", limit=5)], tools=[SEARCH])
    assert codes(other) == ["missing_argument"]
    given_other = match_calls([made("search", q="x", limit=5)], [wants("search", q="x")], tools=[SEARCH])
    assert codes(given_other) == ["unexpected_argument"]
    matched = match_calls([made("search", q="x")], [wants("search", q="x", limit={"type": "integer"})], tools=[SEARCH])
    assert matched.passed


def test_a_default_is_no_boolean_in_disguise():
    flag = tool("f", None, None, a={"type": "integer", "default": 1})
    assert not match_calls([made("f", a=True)], [wants("f")], tools=[flag]).passed


def test_defaults_inside_objects_and_behind_references():
    nested = {
        "name": "f",
        "parameters": {
            "type": "object",
            "properties": {"page": {"$ref": "#/$defs/page"}},
            "$defs": {"page": {"type": "object", "properties": {"size": {"type": "integer", "default": 20}}}},
        },
    }
    assert match_calls([made("f", page={})], [wants("f", page={"size": 20})], tools=[nested]).passed
    assert match_calls([made("f", page={"size": 20})], [wants("f", page={})], tools=[nested]).passed
    assert not match_calls([made("f", page={})], [wants("f", page={"size": 5})], tools=[nested]).passed


@pytest.mark.parametrize(
    ("actual", "expected"),
    [("Cafe\u0301", "Caf\u00e9"), ("Caf\u00e9", "Cafe\u0301"), ("\u1100\u1161", "\uac00")],
)
def test_unicode_compares_in_nfc(actual, expected):
    assert matches(actual, expected)
    assert matches({actual: actual}, {expected: {"one_of": [expected]}})
    assert matches([f"x {actual}"], [{"contains": expected}])
    assert matches(actual, {"regex": f"^{expected}$"})
    assert match_calls([{"name": actual, "arguments": "{}"}], [{"name": expected}]).passed
    assert matches("ﬁ", "ﬁ")
    assert not matches("ﬁ", "fi")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("abé", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_literal_matches_exactly_what_is_the_same(actual, expected):
    assert matches(actual, {"equals": expected}) is same(expected, actual)
    assert matches(actual, {"equals": actual})


@given(
    st.lists(st.sampled_from([1, 2, "a", None]), max_size=4), st.lists(st.sampled_from([1, 2, "a", None]), max_size=4)
)
def test_an_unordered_list_is_a_multiset(actual, expected):
    assert matches(actual, {"unordered_list": expected}) == (sorted(map(str, actual)) == sorted(map(str, expected)))
