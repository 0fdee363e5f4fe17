"""Messages that OpenTelemetry's libraries wrote apart from the call: as log records, or as events of its span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import message_of as openai_message
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.spans import Event

_MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}


def span_event(name: str, time: float | None, attributes: Mapping[str, Any]) -> Event | None:
    """A message that an older library wrote as an event of the span."""
    content = loosened(attributes.get("gen_ai.event.content"))
    body = content if isinstance(content, Mapping) else {key: loosened(v) for key, v in attributes.items()}
    return message_event(name, time or 0.0, body)


def message_event(name: str, time: float, body: Mapping[str, Any]) -> Event | None:
    """The message that an event with this name tells; None when it is of another kind.

    Raises:
        ValueError: the message is damaged.
    """
    if name == "gen_ai.choice":
        message = body.get("message")
        message = message if isinstance(message, Mapping) else body
        return Event(
            time,
            _event_message("assistant", message),
            choice=True,
            finish_reason=fields.finish_reason(body.get("finish_reason")),
        )
    role = _MESSAGE_EVENTS.get(name)
    return None if role is None else Event(time, _event_message(role, body))


def _event_message(role: str, body: Mapping[str, Any]) -> Message:
    content = body.get("content")
    call_id = as_text(body.get("id")) if role == "tool" else None
    plain = {
        "role": as_text(body.get("role")) or role,
        "content": content,
        "tool_calls": body.get("tool_calls"),
        "tool_call_id": call_id,
    }
    return openai_message({**plain, "refusal": body.get("refusal")})
