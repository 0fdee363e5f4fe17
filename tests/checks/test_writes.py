"""Calls with side effects, forbidden ones, and how often tools are called."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import match_calls
from tests.checks.build import codes, made, tool, wants

READ, REFUND, DELETE = tool("lookup", "read"), tool("issue_refund", "write"), tool("delete_user")
TOOLS = [READ, REFUND, DELETE]
LOOKUP = made("lookup", id=1)


def expectation(order):
    if order == "none":
        return {"order": "none"}
    return {"order": order, "expected": [wants("lookup", id=1)]}


@pytest.mark.parametrize("order", ["strict", "in_order", "any_order", "at_least", "at_most", "none"])
@pytest.mark.parametrize("extra", ["issue_refund", "delete_user", "made_up_tool"])
def test_an_unexpected_write_fails_under_every_order__extras_pass_elsewhere(order, extra):
    """Superset matching elsewhere (agentevals, DeepEval) lets an extra delete_user pass. Undeclared means write."""
    actual = [made(extra)] if order == "none" else [LOOKUP, made(extra)]
    result = match_calls(actual, expectation(order), tools=TOOLS)
    assert "unexpected_write" in codes(result)
    assert [reason.path for reason in result.failures if reason.code == "unexpected_write"] == [
        f"calls[{len(actual) - 1}]"
    ]


@pytest.mark.parametrize("order", ["in_order", "at_least"])
def test_an_extra_read_passes(order):
    assert match_calls([LOOKUP, made("lookup", id=2)], expectation(order), tools=TOOLS).passed


def test_without_any_declared_effect_the_rule_is_off():
    assert match_calls([LOOKUP, made("delete_user")], expectation("at_least"), tools=[tool("lookup"), DELETE]).passed
    assert match_calls([LOOKUP, made("delete_user")], expectation("at_least")).passed


def test_one_write_too_many_of_an_expected_tool():
    refund = made("issue_refund", id=1)
    assert match_calls([refund], [wants("issue_refund", id=1)], tools=TOOLS).passed
    assert codes(match_calls([refund, refund], [wants("issue_refund", id=1)], tools=TOOLS)) == ["unexpected_write"]


def test_a_write_with_wrong_arguments_is_told_once():
    result = match_calls([made("issue_refund", id=2)], [wants("issue_refund", id=1)], tools=TOOLS)
    assert codes(result) == ["value_error"]


def test_a_write_in_place_of_the_expected_call_is_told_as_both():
    result = match_calls([made("delete_user")], [wants("lookup", id=1)], tools=TOOLS)
    assert codes(result) == ["wrong_name", "unexpected_write"]


def test_an_expectation_without_calls_still_guards_writes():
    assert codes(match_calls([made("delete_user")], {"max_calls": 5}, tools=TOOLS)) == ["unexpected_write"]


def test_forbidden():
    result = match_calls([LOOKUP, made("search", q="x")], {"forbidden": ["search", "web"], **expectation("at_least")})
    assert codes(result) == ["forbidden_call"]
    assert result.failures[0].path == "forbidden[0]"
    assert "search(q='x')" in result.failures[0].message
    assert match_calls([], {"forbidden": ["search"]}).passed
    twice = match_calls([made("search"), made("search")], {"forbidden": ["search"]})
    assert codes(twice) == ["forbidden_call", "forbidden_call"]
    both = match_calls(
        [LOOKUP, made("delete_user")], {**expectation("any_order"), "forbidden": ["delete_user"]}, tools=TOOLS
    )
    assert codes(both) == ["forbidden_call"]


@pytest.mark.parametrize(
    ("bounds", "count", "expected"),
    [
        ({"exactly": 2}, 2, []),
        (2, 2, []),
        ({"exactly": 2}, 1, ["too_few_calls"]),
        ({"exactly": 2}, 3, ["too_many_calls"]),
        ({"exactly": 0}, 1, ["too_many_calls"]),
        ({"min": 1}, 5, []),
        ({"min": 1}, 0, ["too_few_calls"]),
        ({"max": 1}, 0, []),
        ({"max": 1}, 2, ["too_many_calls"]),
        ({"min": 1, "max": 2}, 2, []),
    ],
)
def test_called(bounds, count, expected):
    assert codes(match_calls([made("f")] * count, {"called": {"f": bounds}})) == expected


def test_max_calls():
    assert match_calls([made("a"), made("b")], {"max_calls": 2}).passed
    assert codes(match_calls([made("a"), made("b")], {"max_calls": 1})) == ["too_many_calls"]
    assert codes(match_calls([made("a")], {"max_calls": 0})) == ["too_many_calls"]


def test_no_repeats():
    once = [made("f", a=1), made("f", a=2), made("g", a=1), made("f", a=True), made("f", a="1"), made("f", a=[1])]
    assert match_calls(once, {"no_repeats": True}).passed
    again = [*once, {"name": "f", "arguments": '{ "a" : 1.0 }'}]
    result = match_calls(again, {"no_repeats": True})
    assert codes(result) == ["repeated_call"]
    assert result.failures[0].path == "calls[6]"
    assert "repeats call 1" in result.failures[0].message
    broken = [{"name": "f", "arguments": "{"}] * 2
    assert codes(match_calls(broken, {"no_repeats": True})) == ["repeated_call"]


def test_stale_is_unmeasured_with_one_reason_a_tool():
    expected = {"expected": [wants("gone"), wants("gone"), wants("lookup", id=1), wants("lost")], "called": {"away": 1}}
    result = match_calls([LOOKUP], expected, tools=TOOLS)
    assert not result.passed
    assert not result.failures
    assert codes(result) == ["stale_tool"] * 3
    assert [reason.path for reason in result.unmeasured] == ["tools.gone", "tools.lost", "tools.away"]


def test_stale_excuses_what_cannot_be_paired_and_nothing_else():
    expected = {"order": "strict", "expected": [wants("gone")], "forbidden": ["lookup"], "max_calls": 1}
    result = match_calls([LOOKUP, made("issue_refund")], expected, tools=TOOLS)
    assert [reason.code for reason in result.failures] == ["forbidden_call", "too_many_calls"]
    assert [reason.code for reason in result.unmeasured] == ["stale_tool"]


def test_what_is_not_offered_may_be_forbidden_or_limited():
    assert match_calls([LOOKUP], {"forbidden": ["gone"], "called": {"away": {"max": 1}}}, tools=TOOLS).passed


def test_nothing_is_stale_when_nobody_says_what_is_offered():
    assert codes(match_calls([], [wants("gone")])) == ["missing_call"]
    assert codes(match_calls([], [wants("gone")], tools=[])) == ["stale_tool"]
