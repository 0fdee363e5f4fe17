"""The calls that were made, decoded so that they can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from pytest_llmreplay.checks.normal import depth, nfc
from pytest_llmreplay.checks.tool_schema import NO_TOOLS, OfferedTools
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.errors import UserError

DEEPEST = 100
_TOO_DEEP = f"nested deeper than {DEEPEST} levels"


class Call(NamedTuple):
    """A tool call as it is compared.

    `arguments` are decoded and in NFC, or None when they are no JSON object; `problem` then says why. `raw` is the
    text that the model wrote, empty when the arguments were given as data. Calls with the same `group` were made in
    one assistant message.
    """

    name: str
    arguments: Mapping[str, Any] | None
    raw: str
    problem: str | None
    group: int


def read_calls(actual: Sequence[Any], offered: OfferedTools = NO_TOOLS) -> tuple[Call, ...]:
    """The calls in `actual`, in order.

    Args:
        actual: calls (`ToolCall`, `{name, arguments}` or OpenAI's shape), or groups of them: assistant messages, or
            lists of calls that were made in parallel.
        offered: the tools; they say whether an empty text is an empty object.

    Raises:
        UserError: an item is no tool call.
    """
    if isinstance(actual, str) or not isinstance(actual, Sequence):
        raise UserError("calls must be a list of tool calls", key="calls", value=actual)
    return tuple(
        _decoded(item, group, f"calls[{group}]", offered)
        for group, items in enumerate(_grouped(actual))
        for item in items
    )


def decode_arguments(raw: str) -> tuple[dict[str, Any] | None, str | None]:
    """The JSON object in a call's argument text, or None and what is wrong with it; it never raises."""
    text = raw.strip(" \t\n\r")
    try:
        value, end = _DECODER.raw_decode(text)
    except RecursionError:
        return None, _TOO_DEEP
    except ValueError as error:
        return None, f"not JSON: {error}"
    if type(value) is not dict or end != len(text):
        more = "not JSON: more text after it" if end != len(text) else f"a JSON {_kind(value)}, not an object"
        return None, more
    if raw.count("{") + raw.count("[") > DEEPEST and depth(value) > DEEPEST:
        return None, _TOO_DEEP
    if not raw.isascii() or "\\u" in raw:
        value = nfc(value)
    return value, None


def _grouped(actual: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for index, item in enumerate(actual):
        if isinstance(item, Message):
            yield item.tool_calls if item.role == "assistant" else ()
        elif isinstance(item, list | tuple):
            yield item
        elif isinstance(item, Mapping) and ("tool_calls" in item or "role" in item):
            yield _calls_of_message(item, f"calls[{index}]")
        else:
            yield (item,)


def _calls_of_message(message: Mapping[str, Any], place: str) -> Sequence[Any]:
    if message.get("role", "assistant") != "assistant":
        return ()
    legacy = message.get("function_call")
    calls = message.get("tool_calls") or ((legacy,) if legacy else ())
    if not isinstance(calls, list | tuple):
        raise UserError("tool_calls must be a list", key=place, value=calls)
    return calls


def _decoded(item: Any, group: int, place: str, offered: OfferedTools) -> Call:
    name: Any
    given: Any
    if isinstance(item, ToolCall):
        name, given = item.name, item.arguments
    elif isinstance(item, Mapping):
        function = item.get("function")
        body = function if isinstance(function, Mapping) else item
        name = body.get("name")
        given = body["arguments"] if "arguments" in body else body.get("args")
        if not isinstance(name, str):
            raise UserError("a tool call has no name", key=place, value=dict(item))
    else:
        raise UserError("is not a tool call", key=place, value=item)
    if not name.isascii():
        name = nfc(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        if offered.takes_arguments(name):
            return Call(name, None, given or "", "empty, though the tool has parameters", group)
        return Call(name, {}, given or "", None, group)
    if isinstance(given, str):
        arguments, problem = decode_arguments(given)
        return Call(name, arguments, given, problem, group)
    return _given_as_data(name, given, group)


def _given_as_data(name: str, given: Any, group: int) -> Call:
    if not isinstance(given, Mapping):
        return Call(name, None, repr(given), f"a {type(given).__name__}, not an object", group)
    try:
        arguments = nfc(given)
    except RecursionError:
        return Call(name, None, "", _TOO_DEEP, group)
    if depth(arguments) > DEEPEST:
        return Call(name, None, "", _TOO_DEEP, group)
    return Call(name, arguments, "", None, group)


def _kind(value: Any) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
