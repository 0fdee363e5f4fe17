"""The order modes."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import match_calls
from tests.checks.build import codes, made, wants
from tests.checks.truth_table import ORDERS, SITUATIONS, _expected

A, B, C = made("a"), made("b"), made("c")
PASSES = {
    "`a` `b`": {"strict", "in_order", "any_order", "at_least", "at_most"},
    "`b` `a`": {"any_order", "at_least", "at_most"},
    "`b` and `a` in one message": {"strict", "in_order", "any_order", "at_least", "at_most"},
    "`a` `c` `b`": {"in_order", "at_least"},
    "`b` `c` `a`": {"at_least"},
    "`a`": {"at_most"},
    "`a` `a` `b`": {"in_order", "at_least"},
    "`a` `c`": set(),
    "no call": {"at_most", "none"},
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_truth_table(situation):
    passed = {order for order in ORDERS if match_calls(SITUATIONS[situation], _expected(order)).passed}
    assert passed == PASSES[situation]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_stricter_order_never_passes_where_a_looser_one_fails(situation):
    passed = PASSES[situation]
    for stricter, looser in [
        ("strict", "in_order"),
        ("strict", "any_order"),
        ("in_order", "at_least"),
        ("any_order", "at_least"),
        ("any_order", "at_most"),
    ]:
        assert stricter not in passed or looser in passed


@pytest.mark.parametrize("order", ["strict", "in_order"])
def test_parallel_calls_are_unordered_unless_they_are_said_to_be_ordered(order):
    expected = {"order": order, "expected": [wants("a"), wants("b")]}
    assert match_calls([[B, A]], expected).passed
    ordered = match_calls([[B, A]], {**expected, "parallel": "ordered"})
    assert codes(ordered) == ["wrong_order"]
    assert match_calls([[A, B]], {**expected, "parallel": "ordered"}).passed


def test_strict_stays_strict_between_messages():
    expected = {"order": "strict", "expected": [wants("a"), wants("b"), wants("c")]}
    assert match_calls([[B, A], C], expected).passed
    assert codes(match_calls([C, [B, A]], expected)) == ["wrong_order"]
    assert codes(match_calls([[C, B], A], expected)) == ["wrong_order"]


def test_in_order_with_the_same_call_before_and_after():
    expected = {"order": "in_order", "expected": [wants("a", n=1), wants("b"), wants("a", n=1)]}
    assert match_calls([made("a", n=1), B, made("a", n=1)], expected).passed
    assert codes(match_calls([made("a", n=1), made("a", n=1), B], expected)) == ["wrong_order"]


@pytest.mark.parametrize(
    ("order", "actual", "code"),
    [
        ("at_least", [], "missing_call"),
        ("at_least", [A, C, C], "missing_call"),
        ("any_order", [A, B, C], "extra_call"),
        ("any_order", [A, C], "wrong_name"),
        ("strict", [A, C], "wrong_name"),
        ("strict", [A], "missing_call"),
        ("strict", [A, B, B], "extra_call"),
        ("at_most", [A, C], "extra_call"),
        ("at_most", [A, A], "extra_call"),
        ("in_order", [B, A], "wrong_order"),
    ],
)
def test_codes(order, actual, code):
    result = match_calls(actual, {"order": order, "expected": [wants("a"), wants("b")]})
    assert set(codes(result)) == {code}


def test_no_call_at_all():
    assert match_calls([], {"order": "none"}).passed
    assert codes(match_calls([A, B], {"order": "none"})) == ["extra_call", "extra_call"]


@pytest.mark.parametrize("order", ["strict", "any_order", "at_most"])
def test_an_empty_list_of_expected_calls_expects_none(order):
    assert match_calls([], {"order": order, "expected": []}).passed
    assert codes(match_calls([A], {"order": order, "expected": []})) == ["extra_call"]


def test_out_of_order_is_told_beside_what_is_missing():
    expected = {"order": "in_order", "expected": [wants("a"), wants("b"), wants("d")]}
    assert set(codes(match_calls([B, A, C, C], expected))) == {"missing_call", "wrong_order"}


def test_occurrence_names_which_call_of_a_tool_is_meant():
    actual = [made("a", n=1), B, made("a", n=2)]
    for occurrence, number in [(1, 1), ("first", 1), (2, 2), ("last", 2)]:
        assert match_calls(actual, [{**wants("a", n=number), "occurrence": occurrence}]).passed
    wrong = match_calls(actual, [{**wants("a", n=1), "occurrence": 2}])
    assert codes(wrong) == ["value_error"]
    assert codes(match_calls(actual, [{**wants("a", n=1), "occurrence": 3}])) == ["missing_call"]


def test_diagnostics_explain_and_do_not_decide():
    result = match_calls([B, A], {"order": "in_order", "expected": [wants("a"), wants("b")]})
    assert not result.passed
    assert result.diagnostics == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "lcs": 1.0}
    half = match_calls([A, C], [wants("a"), wants("b")])
    assert half.diagnostics == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "lcs": 1.0}


def test_a_partial_score_never_passes__deepeval_passes_at_half():
    """DeepEval's ToolCorrectness passes from 0.5 on: three of four expected calls are a pass there."""
    result = match_calls([A, B, C], [wants("a"), wants("b"), wants("c"), wants("d")])
    assert result.diagnostics["recall"] == 0.75
    assert not result.passed
