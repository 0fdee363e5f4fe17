"""OpenAI chat messages and tools, in every spelling that logs have for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.traces.json_value import parse
from pytest_llmreplay.traces.jsonable import dump


def messages_of(value: Any) -> tuple[Message, ...]:
    """Messages from JSON text or a list of OpenAI messages.

    Raises:
        ValueError: it is neither, or a message is not one; the text says which.
    """
    value = decoded(value, "messages")
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise ValueError(f"messages is {_kind(value)}, not a list")
    return tuple(_numbered(message_of, item, "message", index) for index, item in enumerate(value, start=1))


def message_of(value: Any) -> Message:
    """One message.

    Raises:
        ValueError: it is not one.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"it is {_kind(value)}, not a mapping")
    calls = decoded(value.get("tool_calls"), "tool_calls")
    if isinstance(calls, Sequence):
        value = {**value, "tool_calls": [_plain_call(call) for call in calls]}
    parts = value.get("content_parts")
    if isinstance(parts, str):
        decoded(parts, "content_parts")
    content = value.get("content")
    if isinstance(content, (Mapping, int, float)):
        value = {**value, "content": dump(content)}
    return Message.from_openai(value)


def _plain_call(call: Any) -> Any:
    """A custom tool's call takes free text; here it is a call whose arguments are that text."""
    custom = call.get("custom") if isinstance(call, Mapping) else None
    if isinstance(custom, Mapping):
        return {"id": call.get("id"), "name": custom.get("name"), "arguments": custom.get("input")}
    return call


def tools_of(value: Any) -> tuple[Tool, ...] | None:
    """Tools from JSON text or a list, in OpenAI's, Anthropic's or a flat form; None when the log does not say.

    Raises:
        ValueError: it is neither, or a tool is not one.
    """
    value = decoded(value, "tools")
    if value is None:
        return None
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise ValueError(f"tools is {_kind(value)}, not a list")
    return tuple(_numbered(tool_of, item, "tool", index) for index, item in enumerate(value, start=1))


def tool_of(value: Any) -> Tool:
    """One tool; a provider's built-in tool, which has no name, is called after its type.

    Raises:
        ValueError: it is not one.
    """
    value = decoded(value, "a tool")
    if not isinstance(value, Mapping):
        raise ValueError(f"it is {_kind(value)}, not a mapping")
    custom = value.get("custom")
    if isinstance(custom, Mapping):
        return Tool.from_openai({"name": custom.get("name"), "description": custom.get("description")})
    if "function" not in value and not value.get("name") and isinstance(value.get("type"), str):
        value = {**value, "name": value["type"]}
    tool = Tool.from_openai(value)
    function = value.get("function")
    given = (function if isinstance(function, Mapping) else value).get("parameters", value.get("input_schema"))
    if isinstance(given, str) and decoded(given, f"the parameters of tool '{tool.name}'") is None:
        return Tool(tool.name, tool.description, None, tool.effect)
    return tool


def decoded(value: Any, what: str) -> Any:
    """The value, or what its JSON text holds; empty text is None.

    Raises:
        ValueError: text that is not JSON.
    """
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error


def _numbered(read: Any, value: Any, what: str, number: int) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{what} {number}: {error}") from error


def _kind(value: Any) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)
