"""The reason codes: stable words, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, str] = {
    "missing_call": "an expected call was not made",
    "extra_call": "a call was made that this order does not allow",
    "wrong_name": "another tool was called where this one was expected",
    "wrong_order": "the right calls came in another order",
    "value_error": "an argument has another value",
    "type_error": "an argument has another JSON type",
    "missing_argument": "an expected or required argument was left out",
    "unexpected_argument": "an argument was given that nobody expects or that the tool does not have",
    "malformed_arguments": "the arguments are no JSON object; the raw text is beside it",
    "forbidden_call": "a forbidden tool was called",
    "unexpected_write": "a call with side effects that no expectation matches",
    "too_few_calls": "a tool was called less often than `called` says",
    "too_many_calls": "a tool was called more often than `called`, or all together more often than `max_calls`",
    "repeated_call": "a call repeats an earlier one, under `no_repeats`",
    "unknown_tool": "`schema`: the tool is not among those offered",
    "schema_error": "`schema` or `json_schema`: not valid for another reason than type, value or name",
    "answer_differs": "the answer is not the expected text",
    "missing_text": "the answer lacks a text or a pattern",
    "unwanted_text": "the answer has a text or a pattern that it must not have",
    "not_json": "the answer is not JSON, under `json_schema`",
    "too_long": "the answer has more than `max_chars` characters",
    "empty_answer": "the turn ended without a text",
    "limit_exceeded": "the trial consumed more than its limit",
    "stale_tool": "unmeasured: an expected tool is no longer offered",
    "not_reached": "unmeasured: the replay stopped before it could be said",
    "no_answer": "unmeasured: the replay stopped before an answer was given",
    "tools_unknown": "unmeasured: `schema`, but nobody says which tools were offered",
    "bad_tool_schema": "unmeasured: the parameters of an offered tool are no usable JSON Schema",
    "bad_json_schema": "unmeasured: the `json_schema` of the answer cannot be followed",
    "unknown_figure": "unmeasured: what a limit is on is not known",
}
"""Codes that begin with `unmeasured` are neither failures nor passes."""
