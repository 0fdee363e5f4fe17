"""ShareGPT: `conversations` of `from` and `value`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.traces.chat import decoded, tools_of
from pytest_llmreplay.traces.formats.data_set import conversation_of
from pytest_llmreplay.traces.jsonable import as_text, dump, jsonable
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.parts import Parts
from pytest_llmreplay.traces.spans import Format, Place

NAME = "sharegpt"
_ROLES = {
    **dict.fromkeys(("human", "user", "customer"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bot", "model", "bing", "bard"), "assistant"),
    **dict.fromkeys(("observation", "tool", "tool_response", "function_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "function_call"),
    "system": "system",
}


def accepts(record: Any) -> bool:
    """A row whose `conversations` have `from` and `value`."""
    found = record.get("conversations") if isinstance(record, Mapping) else None
    return isinstance(found, list) and bool(found) and all(isinstance(m, Mapping) and "from" in m for m in found)


def read(record: Any, place: Place) -> Iterator[Conversation]:
    """The conversation of the row.

    Raises:
        ValueError: a message is damaged, or a call of a function is not JSON.
    """
    messages = [Message("system", as_text(record["system"]))] if record.get("system") else []
    calls = 0
    pending: list[str] = []
    for number, turn in enumerate(record["conversations"], start=1):
        role = _ROLES.get(str(turn.get("from")).lower())
        value = turn.get("value")
        if role is None:
            raise ValueError(f"message {number} is from {turn.get('from')!r}, which is nobody known")
        if role == "function_call":
            made = _function_calls(value, calls)
            pending = [call.id for call in made.tool_calls if call.id]
            calls += len(made.tool_calls)
            messages.append(made)
        elif role == "tool":
            messages.append(Message("tool", as_text(value), tool_call_id=pending.pop(0) if pending else None))
        else:
            messages.append(Message(role, as_text(value)))
    tools = record.get("tools")
    yield conversation_of(record, place, NAME, tuple(messages), tools_of(_tools(tools)), ("conversations", "system"))


def _tools(value: Any) -> Any:
    """Tools as JSON text; empty text says that there are none."""
    value = loosened(value)
    return [] if value == "" else value


def _function_calls(value: Any, before: int) -> Message:
    """The calls in one message; the format has no ids, so they are numbered to join them with their results."""
    found = decoded(value, "function_call")
    parts = Parts("assistant")
    for number, call in enumerate(found if isinstance(found, list) else [found], start=before + 1):
        if not isinstance(call, Mapping):
            raise ValueError("function_call is not a mapping")
        arguments = call.get("arguments", call.get("parameters", {}))
        parts.call(
            f"call_{number}", call.get("name"), arguments if isinstance(arguments, str) else dump(jsonable(arguments))
        )
    return parts.messages()[-1]


FORMAT = Format(
    NAME, accepts, read, "model, times, tokens, cost, user, session, feedback; calls have no ids: they are numbered"
)
