"""Names that many systems use for the same thing: ids, tokens, finish reasons, prompt versions, feedback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.traces.jsonable import as_float, as_int, as_text, dump, jsonable

CONVERSATION = ("conversation_id", "conversationId", "thread_id", "threadId", "chat_id", "chatId", "group_id")
SESSION = ("session_id", "sessionId", "session")
USER = ("user_id", "userId", "user", "end_user", "customer_id")
PROMPT_VERSION = (
    "prompt_version",
    "promptVersion",
    "prompt_template_version",
    "ls_prompt_version",
    "lc_hub_commit_hash",
)
SEGMENT = ("segment", "user_segment", "userSegment")

_FINISH = {
    **dict.fromkeys(("tool_call", "tool_calls", "tool-calls", "tool_use", "function_call"), "tool_calls"),
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "end", "STOP", "completed"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "incomplete"), "length"),
    **dict.fromkeys(("content_filter", "content-filter", "SAFETY"), "content_filter"),
}


def finish_reason(value: Any) -> str | None:
    """The reason in OpenAI's word, where the system's own is known to mean the same; else as it was logged."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    text = as_text(value)
    return _FINISH.get(text, text) if text else None


def first(mapping: Any, *names: str) -> Any:
    """The first of these values that there is; dots in a name lead inwards."""
    for name in names:
        value = mapping
        for key in name.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if value not in (None, ""):
            return value
    return None


def text(mapping: Any, *names: str) -> str | None:
    """The first of these values as text; None when there is none or it is a container."""
    value = first(mapping, *names)
    return None if isinstance(value, (Mapping, list)) else as_text(value)


def content_text(value: Any) -> str | None:
    """A step's input or output as text: text as it is, anything else as JSON."""
    return value if value is None or isinstance(value, str) else dump(jsonable(value))


def ids(mapping: Any) -> dict[str, str | None]:
    """Conversation, session and user as a mapping names them."""
    return {
        "conversation_id": text(mapping, *CONVERSATION),
        "session_id": text(mapping, *SESSION),
        "user_id": text(mapping, *USER),
    }


def usage(mapping: Any) -> dict[str, int | None]:
    """Tokens in and out as OpenAI, Anthropic, OTel and others name them; cached tokens are part of the input."""
    incoming = as_int(first(mapping, "prompt_tokens", "input_tokens", "input", "inputTokens", "promptTokens"))
    outgoing = as_int(
        first(mapping, "completion_tokens", "output_tokens", "output", "outputTokens", "completionTokens")
    )
    return {"input_tokens": incoming, "output_tokens": outgoing}


def error_text(value: Any) -> str | None:
    """An error as one text: the message of a mapping with its kind, else what was logged."""
    if value in (None, "", False) or value == {}:
        return None
    if isinstance(value, Mapping):
        message = text(value, "message", "error_message", "detail", "error.message")
        kind = text(value, "type", "error_class", "name", "code", "error.type")
        if message or kind:
            return ": ".join(dict.fromkeys(part for part in (kind, message) if part))
        return dump(jsonable(value)) if any(v not in (None, "", {}, []) for v in value.values()) else None
    return as_text(value)


def without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """What else a mapping says, without nulls and without these keys, as plain data."""
    return {key: jsonable(value) for key, value in mapping.items() if key not in names and value is not None}


def seconds(value: Any, unit: float = 1.0) -> float | None:
    """A duration of the unit (in seconds) as seconds."""
    number = as_float(value)
    return None if number is None or number < 0 else number * unit
