"""Calls, expectations and trajectories in few words."""

from __future__ import annotations

import json
from typing import Any

from pytest_llmreplay.checks import CallsResult, match_calls
from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.model.trajectory import ToolAnswer, Trajectory, TurnReplay, Usage


def made(name: str, /, **arguments: Any) -> dict[str, Any]:
    """A call as a model writes it."""
    return {"name": name, "arguments": json.dumps(arguments)}


def wants(name: str, /, **args: Any) -> dict[str, Any]:
    """An expected call."""
    return {"name": name, "args": args}


def compare(actual: Any, expected: Any, tools: Any = None, **options: Any) -> CallsResult:
    """One value against one expected value, as the argument `a` of a call."""
    calls = {"expected": [wants("f", a=expected)], **options}
    return match_calls([made("f", a=actual)], calls, tools=tools)


def matches(actual: Any, expected: Any, tools: Any = None, **options: Any) -> bool:
    """Whether one value is as expected."""
    return compare(actual, expected, tools, **options).passed


def tool(name: str, effect: str | None = None, required: list[str] | None = None, /, **properties: Any) -> Tool:
    """A tool with these parameters; a text or a list stands for a type."""
    schemas = {key: value if isinstance(value, dict) else {"type": value} for key, value in properties.items()}
    parameters = {"type": "object", "properties": schemas, **({"required": required} if required else {})}
    return Tool.from_openai({"name": name, "parameters": parameters, "effect": effect})


def codes(result: CallsResult) -> list[str]:
    """The codes of all reasons, in order."""
    return [reason.code for reason in (*result.failures, *result.unmeasured)]


def says(*calls: Any, text: str | None = None) -> Message:
    """An assistant message with calls or text."""
    return Message("assistant", text, tool_calls=tuple(ToolCall(None, c["name"], c["arguments"]) for c in calls))


def result(text: str = "{}") -> Message:
    """A tool's result."""
    return Message("tool", text)


def turn(*produced: Message, number: int = 1, stop: Any = "answered", history: tuple[Message, ...] = ()) -> TurnReplay:
    """A replayed turn."""
    return TurnReplay(number, (*history, Message("user", "hello")), tuple(produced), stop)


def trial(
    *turns: TurnReplay,
    failing: int = 1,
    usage: Usage | None = None,
    recorded: tuple[ToolCall, ...] = (),
    unrecorded: list[dict[str, Any]] | None = None,
) -> Trajectory:
    """A trajectory; `unrecorded` are calls that nothing could answer."""
    answers = tuple(
        ToolAnswer(turns[-1].number, call["name"], call["arguments"], "unrecorded") for call in unrecorded or []
    )
    return Trajectory(turns, failing, recorded, usage or Usage(), answers)
