"""Many comparisons, a JSON line each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pytest_llmreplay.checks.called import read_calls
from pytest_llmreplay.checks.calls import CallsCheck, CallsResult
from pytest_llmreplay.checks.tool_schema import NO_TOOLS, OfferedTools, read_tools
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.expectation import Expectation, parse_expectation
from pytest_llmreplay.model.outcome import Reason

K = TypeVar("K")
V = TypeVar("V")

_KEYS = frozenset({"id", "calls", "expect", "tools"})
_MOST_KEPT = 1024
_dumps = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """The answer to one line: `text` is the JSON line to print."""

    status: Literal["passed", "failed", "unmeasured", "unreadable"]
    text: str


class Batch:
    """Compares line after line; equal expectations and equal lists of tools are compiled once.

    `left_out` are the parts of expectations that were met and not looked at, since there are only calls.
    """

    def __init__(self) -> None:
        self.left_out: set[str] = set()
        self._checks: dict[tuple[str, str], CallsCheck] = {}
        self._tools: dict[str, OfferedTools] = {"None": NO_TOOLS}

    def check(self, line: str, place: str) -> LineVerdict:
        """Compare the calls of one line `{"id", "calls", "expect", "tools"?}` with what is expected of them.

        Args:
            line: the JSON text.
            place: file and line, for the message when the line cannot be used; it never raises.
        """
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return _unreadable(None, f"{place}: not JSON: {error}")
        if not isinstance(row, dict):
            return _unreadable(None, f"{place}: not a JSON object")
        try:
            check = self._compiled(row)
            result = check.compare(read_calls(row["calls"], check.offered))
        except (UserError, RecursionError) as error:
            return _unreadable(row.get("id"), f"{place}: {error}")
        return _verdict(row.get("id"), result)

    def _compiled(self, row: dict[str, Any]) -> CallsCheck:
        expect, tools = row.get("expect"), row.get("tools")
        # The repr of what JSON gave tells everything apart that JSON tells apart, and costs less than JSON text.
        key = repr(expect), repr(tools)
        check = self._checks.get(key)
        if check is None:
            _refuse_unusable(row)
            expectation = parse_expectation(expect)  # type: ignore[arg-type]
            if expectation.calls is None:
                raise UserError("says nothing of the calls, and only calls are checked here", key="expect")
            self.left_out.update(other_parts(expectation))
            check = CallsCheck.of(expectation.calls, self._offered(tools, key[1]))
            _keep(self._checks, key, check)
        elif not row.keys() <= _KEYS or "calls" not in row:
            _refuse_unusable(row)
        return check

    def _offered(self, tools: Any, key: str) -> OfferedTools:
        offered = self._tools.get(key)
        if offered is None:
            if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
                raise UserError("must be a list of tools", key="tools", value=tools)
            try:
                offered = read_tools(tools)
            except ValueError as error:
                raise UserError(str(error), key="tools") from error
            _keep(self._tools, key, offered)
        return offered


def other_parts(expectation: Expectation) -> list[str]:
    """The parts of an expectation that say nothing of calls."""
    return [name for name in ("answer", "limits", "rubric") if getattr(expectation, name) is not None]


def result_data(result: CallsResult) -> dict[str, Any]:
    """A comparison as plain data."""
    return {
        "passed": result.passed,
        "codes": list(result.codes),
        "failures": [_reason_data(reason) for reason in result.failures],
        "unmeasured": [_reason_data(reason) for reason in result.unmeasured],
        "assignment": {str(expected): actual for expected, actual in result.assignment.items()},
        "diagnostics": dict(result.diagnostics),
    }


def _refuse_unusable(row: dict[str, Any]) -> None:
    for key in row:
        if key not in _KEYS:
            raise UserError("unknown key", value=key, allowed=sorted(_KEYS))
    for key in ("calls", "expect"):
        if key not in row:
            raise UserError("is missing", key=key)


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= _MOST_KEPT:
        cache.pop(next(iter(cache)))
    cache[key] = value


def _verdict(identity: Any, result: CallsResult) -> LineVerdict:
    if result.passed:
        return LineVerdict("passed", f'{{"id":{_dumps(identity)},"passed":true,"codes":[],"failures":[]}}')
    reasons = [*result.failures, *result.unmeasured]
    data = {
        "id": identity,
        "passed": False,
        "codes": list(result.codes),
        "failures": [_reason_data(reason) for reason in reasons],
    }
    return LineVerdict("failed" if result.failures else "unmeasured", _dumps(data))


def _unreadable(identity: Any, problem: str) -> LineVerdict:
    failure = {"code": "unreadable", "path": "", "expected": None, "actual": None, "message": problem}
    data = {"id": identity, "passed": False, "codes": ["unreadable"], "failures": [failure]}
    return LineVerdict("unreadable", _dumps(data))


def _reason_data(reason: Reason) -> dict[str, Any]:
    return {
        "code": reason.code,
        "path": reason.path,
        "expected": reason.expected,
        "actual": reason.actual,
        "message": reason.message,
    }
