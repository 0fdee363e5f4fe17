"""`match_calls`: the matcher for one's own assertions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmreplay.checks.called import decode_arguments, read_calls
from pytest_llmreplay.checks.calls import CallsCheck, CallsResult
from pytest_llmreplay.checks.tool_schema import read_tools
from pytest_llmreplay.model.conversation import Tool, ToolCall
from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.model.expectation import (
    CallsExpectation,
    Expectation,
    ExpectedCall,
    calls_problems,
    parse_expectation,
)


def match_calls(
    actual: Sequence[Any],
    expected: Mapping[str, Any] | CallsExpectation | Sequence[Any],
    *,
    tools: Sequence[Tool | Mapping[str, Any]] | None = None,
) -> CallsResult:
    """Compare tool calls with what is expected of them.

    Args:
        actual: the calls that were made: `ToolCall`s, `{name, arguments}` or OpenAI's shape; assistant messages or
            lists of calls where it matters which calls were made in parallel.
        expected: what stands under `calls` in an expectation, or only the list of expected calls (then at least those
            must be there). An expected call `{name, args}` may hold matchers; a logged one, `{name, arguments}` or in
            OpenAI's shape, is taken literally.
        tools: the tools that were offered. None: nobody says, so there are no schema defaults and no effects.

    Returns:
        `.passed`, `.failures` with code, path, expected, actual and message, `.unmeasured`, `.assignment` and
        `.diagnostics`.

    Raises:
        UserError: `expected` is empty or wrong, or `actual` holds something that is no tool call.
    """
    try:
        offered = read_tools(tools)
    except ValueError as error:
        raise UserError(str(error), key="tools") from error
    return CallsCheck.of(_expectation(expected), offered).compare(read_calls(actual, offered))


def _expectation(expected: Any) -> CallsExpectation:
    if isinstance(expected, Expectation):
        expected = expected.calls
    if isinstance(expected, CallsExpectation):
        problems = list(calls_problems(expected))
        if problems:
            raise Problems(problems)
        return expected
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        expected = {"expected": expected}
    if isinstance(expected, Mapping) and isinstance(expected.get("expected"), list | tuple):
        expected = {**expected, "expected": [_expected_call(call) for call in expected["expected"]]}
    whole = isinstance(expected, Mapping) and ("calls" in expected or "expect" in expected)
    parsed = parse_expectation(expected if whole else {"calls": expected}).calls
    if parsed is None:
        raise UserError("says nothing of the calls", key="expect.calls")
    return parsed


def _expected_call(call: Any) -> Any:
    """An expected call as it is written; a logged one with its arguments as literals."""
    if isinstance(call, ExpectedCall):
        return call.model_dump(exclude_unset=True)
    if isinstance(call, ToolCall):
        return _taken_literally(call.name, call.arguments)
    if isinstance(call, Mapping) and ("function" in call or "arguments" in call):
        body = call["function"] if isinstance(call.get("function"), Mapping) else call
        return _taken_literally(body.get("name"), body.get("arguments"))
    return call


def _taken_literally(name: Any, arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str) and arguments.strip():
        arguments, problem = decode_arguments(arguments)
        if problem is not None:
            raise UserError(f"the arguments of an expected call are {problem}", key=f"expected.{name}")
    return {"name": name, "args": {key: {"equals": value} for key, value in (arguments or {}).items()}}
