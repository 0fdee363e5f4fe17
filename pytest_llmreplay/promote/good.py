"""A trajectory that is as expected, made from the expectation itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model.conversation import Tool, ToolCall
from pytest_llmreplay.model.expectation import AnswerExpectation, Expectation
from pytest_llmreplay.model.matchers import is_matcher
from pytest_llmreplay.model.trajectory import Trajectory
from pytest_llmreplay.promote.recorded import trajectory_of

_OF_TYPE: Mapping[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}
_LEFT_OUT = object()


def good_trajectory(expectation: Expectation, tools: Sequence[Tool] | None) -> Trajectory | None:
    """A trajectory that passes the checks, or None where none can be made of what the expectation says."""
    calls = expectation.calls.expected if expectation.calls else ()
    made = tuple(
        ToolCall(f"good_{i}", call.name, json.dumps(_arguments(call.args or {}))) for i, call in enumerate(calls)
    )
    good = trajectory_of(made, _answer(expectation.answer))
    # A rubric, and what only the target's own figures could say, are not part of the proof.
    deterministic = expectation.model_copy(update={"rubric": None, "limits": None})
    report = check_trajectory(deterministic, good, tools)
    return None if report.failures or (expectation.calls is None and expectation.answer is None) else good


def _arguments(args: Mapping[str, Any]) -> dict[str, Any]:
    fitting = {name: fitting_value(value) for name, value in args.items()}
    return {name: value for name, value in fitting.items() if value is not _LEFT_OUT}


def fitting_value(value: Any) -> Any:
    """A value that an expected one accepts, as far as that can be said."""
    if isinstance(value, list):
        return [fitting_value(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if not is_matcher(value):
        return _arguments(value)
    return _fitting_matcher(value)


def _fitting_matcher(matcher: Mapping[str, Any]) -> Any:
    """The first word of the matcher that says a value says which."""
    for word, fitting in _FITTING.items():
        if matcher.get(word) is not None:
            return fitting(matcher[word])
    for short in ("text", "approx"):
        given = matcher.get(short)
        if isinstance(given, Mapping) and given.get("value") is not None:
            return given["value"]
    return None if "equals" in matcher else "text"


_FITTING: Mapping[str, Callable[[Any], Any]] = {
    "absent": lambda _: _LEFT_OUT,
    "equals": lambda value: value,
    "one_of": lambda alternatives: fitting_value(alternatives[0]) if alternatives else _LEFT_OUT,
    "contains": lambda inner: inner if isinstance(inner, str) else [fitting_value(inner)],
    "unordered_list": lambda items: [fitting_value(item) for item in items],
    "type": lambda kind: _OF_TYPE.get(kind if isinstance(kind, str) else kind[0]),
    "regex": lambda pattern: pattern,
}


def _answer(expected: AnswerExpectation | None) -> str:
    if expected is None:
        return "Done."
    if expected.equals is not None:
        return expected.equals
    parts = [*(expected.contains_all or ()), *(expected.contains_any or ())[:1], *(expected.regex or ())]
    return " ".join(parts) or "Done."
