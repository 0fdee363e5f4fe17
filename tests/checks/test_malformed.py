"""Arguments that are not JSON, and other input that nobody meant: a failure with a reason, never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.checks import match_calls
from pytest_llmreplay.checks.called import decode_arguments
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.errors import UserError
from tests.checks.build import codes, made, tool, wants

MALFORMED = [
    "{'a': 1}",
    '{"a": True}',
    '{"a": 1',
    '{"a": 1}}',
    '{"a": 1} {"a": 1}',
    '{"a": 1,}',
    "{a: 1}",
    '{"a": NaN}',
    '{"a": Infinity}',
    "a=1",
    "```json\n{}\n```",
    '[{"a": 1}]',
    '"{\\"a\\": 1}"',
    "null",
    "1",
    "\ufeff{}",
    '{"a": "\x1b[31m"}',
    '{"a": ' + "9" * 5000 + "}",
    '{"a":' * 5000,
    '{"a":' * 101 + "1" + "}" * 101,
    "\ud800",
    "\x00",
]


@pytest.mark.parametrize("raw", MALFORMED)
@pytest.mark.parametrize("order", ["at_least", "any_order", "strict", "in_order"])
def test_malformed_arguments_are_a_failure_with_the_raw_text__agentevals_raises(raw, order):
    """agentevals' json.loads ends the evaluation; others turn what they cannot read into an empty object."""
    result = match_calls([{"name": "f", "arguments": raw}], {"order": order, "expected": [wants("f", a=1)]})
    assert codes(result) == ["malformed_arguments"]
    failure = result.failures[0]
    assert failure.path == "expected[0].args"
    assert failure.actual is not None
    assert failure.actual[:50] == repr(raw)[:50]
    assert failure.message.isprintable() or "\n" in failure.message
    assert "\x1b" not in failure.message


def test_malformed_arguments_fail_even_when_they_are_not_compared():
    assert codes(match_calls([{"name": "f", "arguments": "{'a': 1}"}], [{"name": "f"}])) == ["malformed_arguments"]


def test_a_good_call_beside_a_malformed_one_is_found():
    calls = [{"name": "f", "arguments": "{"}, made("f", a=1)]
    assert match_calls(calls, [wants("f", a=1)]).passed


@pytest.mark.parametrize("raw", ["", "  \n", None])
def test_an_empty_text_is_an_empty_object_for_a_tool_without_parameters(raw):
    call = {"name": "f", "arguments": raw}
    assert match_calls([call], [wants("f")]).passed
    assert match_calls([call], [wants("f")], tools=[tool("f")]).passed
    assert match_calls([call], {"schema": True, "expected": [wants("f")]}, tools=[tool("f")]).passed
    with_parameters = match_calls([call], [wants("f")], tools=[tool("f", None, None, a="string")])
    assert codes(with_parameters) == ["malformed_arguments"]
    assert codes(match_calls([call], [wants("f", a=1)])) == ["missing_argument"]


@given(st.text(max_size=40))
def test_any_text_is_decoded_or_refused_and_never_raises(raw):
    value, problem = decode_arguments(raw)
    assert (value is None) != (problem is None)
    result = match_calls([ToolCall(None, "f", raw)], [wants("f", a=1)])
    assert not result.passed
    assert result.failures


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_any_name_and_any_keys_give_a_message_that_a_terminal_can_print(name, arguments):
    calls = [{"name": name, "arguments": json.dumps(arguments)}]
    result = match_calls(calls, {"order": "strict", "expected": [wants("expected_tool", a=1)]})
    for reason in result.failures:
        for text in (*reason.message.split("\n"), reason.path, reason.expected or "", reason.actual or ""):
            assert text.isprintable()


def test_what_may_be_given_as_calls():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    for actual in (
        [call],
        [made("f", a=1)],
        [{"name": "f", "arguments": {"a": 1}}],
        [{"name": "f", "args": {"a": 1}}],
        [ToolCall(None, "f", '{"a": 1}')],
        [Message("assistant", None, tool_calls=(ToolCall("1", "f", '{"a": 1}'),))],
        [{"role": "user", "content": "hi"}, message],
        [{"role": "assistant", "content": None, "function_call": call["function"]}],
        [{"role": "user", "content": "hi", "tool_calls": [made("g")]}, message],
        [Message("user", "hi", tool_calls=(ToolCall(None, "g", "{}"),)), message],
        [[call]],
        (made("f", a=1),),
    ):
        assert match_calls(actual, [wants("f", a=1)]).passed


@pytest.mark.parametrize(
    "actual", ["f", 5, None, [5], [None], [{"arguments": "{}"}], [{"name": 5}], [["f"]], {}, [{"tool_calls": 5}]]
)
def test_what_is_no_call_is_a_mistake_of_the_caller(actual):
    with pytest.raises(UserError):
        match_calls(actual, [wants("f")])


def test_arguments_as_data_may_be_anything():
    for given_arguments in ([], 5, object()):
        assert codes(match_calls([{"name": "f", "arguments": given_arguments}], [wants("f")])) == [
            "malformed_arguments"
        ]
    odd = {"when": {1, 2}, "t": (1, 2)}
    assert match_calls([{"name": "f", "arguments": odd}], [wants("f", when={"any": True}, t=[1, 2])]).passed


def test_logged_calls_as_expected_ones_are_literals():
    logged = made("f", a={"regex": "x"}, b={"type": "refund"})
    openai = {"id": "1", "type": "function", "function": {"name": logged["name"], "arguments": logged["arguments"]}}
    for expected in ([logged], [openai], [ToolCall(None, "f", logged["arguments"])], {"expected": [logged]}):
        assert match_calls([logged], expected).passed
        assert not match_calls([made("f", a="x", b={"type": "refund"})], expected).passed
    assert match_calls([{"name": "f", "arguments": ""}], [{"name": "f", "arguments": ""}]).passed
    with pytest.raises(UserError, match="the arguments of an expected call are not JSON"):
        match_calls([], [{"name": "f", "arguments": "{'a'"}])


@pytest.mark.parametrize("expected", [[], {}, {"expected": []}, None, 5, "f", {"limits": {"steps": 1}, "calls": None}])
def test_an_empty_expectation_is_a_mistake(expected):
    with pytest.raises(UserError):
        match_calls([], expected)


def test_an_enormous_call_is_answered_in_a_screen():
    big = {"items": [{"sku": str(i), "note": "x" * 200} for i in range(2000)]}
    other = {"items": [{"sku": str(i), "note": "y" * 200} for i in range(2000)]}
    result = match_calls([{"name": "f", "arguments": big}], [wants("f", **other)])
    assert len(result.failures) <= 20
    assert all(len(reason.message) < 500 for reason in result.failures)
    assert all(len(reason.actual or "") <= 2000 for reason in result.failures)


def test_data_nested_without_end_is_malformed_too():
    for levels in (150, 5000):
        deep: object = 1
        for _ in range(levels):
            deep = {"a": deep}
        result = match_calls([{"name": "f", "arguments": deep}], [wants("f", a={"any": True})])
        assert codes(result) == ["malformed_arguments"]
