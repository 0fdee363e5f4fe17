"""LangChain messages in each of their serialised forms, and files that hold nothing but them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.jsonable import as_text, dump
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Format, Place

NAME = "langchain_messages"
_ROLES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "function",
    "developer": "developer",
}
_IGNORED = ("tool_use", "tool_call", "function_call", "tool_call_chunk", "reasoning", "thinking", "input_json_delta")


def is_message(value: Any) -> bool:
    """Whether this is a LangChain message, serialised in any way."""
    if not isinstance(value, Mapping):
        return False
    if value.get("lc") is not None:
        return isinstance(value.get("kwargs"), Mapping) and "Message" in str(value.get("id"))
    kind = _kind(value)
    return kind in _ROLES and ("content" in value or isinstance(value.get("data"), Mapping))


def _kind(value: Mapping[str, Any]) -> str:
    kind = value.get("type")
    return kind.removesuffix("MessageChunk").removesuffix("Message").lower() if isinstance(kind, str) else ""


def messages_of(values: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    """The messages of a list; also of OpenAI dictionaries and `[role, text]` pairs, which LangChain takes too.

    Raises:
        ValueError: one of them is not a message.
    """
    if isinstance(values, Mapping):
        values = [values]
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError("messages is not a list")
    return tuple(message for value in values for message in message_of(value, notes))


def message_of(value: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    """One message; a tool's failure is noted, since canonical messages cannot say it.

    Raises:
        ValueError: it is not a message.
    """
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value):
        return (Message(_ROLES.get(str(value[0]), str(value[0])), str(value[1])),)
    if not isinstance(value, Mapping):
        raise ValueError("a message is not a mapping")
    body, role = _body(value)
    parts = Parts(role)
    content = body.get("content")
    for part in content if isinstance(content, list) else (content,):
        _add_part(parts, part)
    if role == "tool":
        return (_tool_message(body, parts, notes),)
    _add_calls(parts, body)
    extra = body.get("additional_kwargs")
    parts.refusal = parts.refusal or fields.text(body, "refusal") or fields.text(extra, "refusal")
    parts.name = fields.text(body, "name")
    messages = parts.messages()
    if not messages[-1].content and messages[-1].content_parts is None and role == "assistant":
        own = messages[-1]
        return (Message(own.role, None, tool_calls=own.tool_calls, name=own.name, refusal=own.refusal),)
    return messages


def _body(value: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The message's own fields, from inside whichever envelope, and its role."""
    inner = value.get("kwargs") if value.get("lc") is not None else value.get("data")
    body = inner if isinstance(inner, Mapping) else value
    kind = _kind(body) or _kind(value)
    if value.get("lc") is not None and not kind:
        kind = str((value.get("id") or [""])[-1]).removesuffix("Chunk").removesuffix("Message").lower()
    role = _ROLES.get(kind) or fields.text(body, "role")
    if role is None:
        raise ValueError("a message has neither a known type nor a role")
    return body, _ROLES.get(role, role)


def _add_part(parts: Parts, part: Any) -> None:
    if part is None:
        return
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind in _IGNORED:
        return
    if kind in ("image", "audio", "file", "video") and isinstance(part, Mapping) and "source" not in part:
        if part.get("url"):
            parts.image(part["url"])
        else:
            parts.data(part.get("mime_type"), part.get("base64") or part.get("data"))
        return
    add_openai_part(parts, part)


def _tool_message(body: Mapping[str, Any], parts: Parts, notes: dict[str, Any]) -> Message:
    own = parts.messages()[-1]
    call_id = fields.text(body, "tool_call_id")
    if body.get("status") == "error":
        notes.setdefault("failed_tool_calls", []).append(call_id)
    return Message("tool", own.content, own.content_parts, tool_call_id=call_id, name=fields.text(body, "name"))


def _add_calls(parts: Parts, body: Mapping[str, Any]) -> None:
    """The calls as the model wrote them, where that is kept, else from their parsed form; malformed ones too."""
    raw = fields.first(body, "additional_kwargs.tool_calls")
    for call in raw if isinstance(raw, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping):
            parts.call(call.get("id"), function.get("name"), function.get("arguments"))
    if parts.calls:
        return
    for name in ("tool_calls", "invalid_tool_calls"):
        for call in body.get(name) or ():
            if not isinstance(call, Mapping):
                raise ValueError("a tool call is not a mapping")
            function = call.get("function")
            source = function if isinstance(function, Mapping) else call
            arguments = source.get("args", source.get("arguments"))
            parts.call(
                call.get("id"),
                source.get("name") or "",
                arguments if isinstance(arguments, str) else dump(arguments or {}),
            )


def accepts(record: Any) -> bool:
    """A list of LangChain messages, or a mapping with one under `messages`."""
    found = record.get("messages") if isinstance(record, Mapping) else record
    return isinstance(found, list) and bool(found) and is_message(found[0])


def read(record: Any, place: Place) -> Iterator[Conversation]:
    """The one conversation of the record.

    Raises:
        ValueError: a message is damaged.
    """
    outer: Mapping[str, Any] = record if isinstance(record, Mapping) else {}
    notes: dict[str, Any] = {}
    messages = messages_of(outer.get("messages") if outer else record, notes)
    known = fields.ids(outer)
    used = ("messages", "tools", "id", *fields.CONVERSATION, *fields.SESSION, *fields.USER)
    yield Conversation(
        conversation_id=known["conversation_id"]
        or known["session_id"]
        or as_text(outer.get("id"))
        or f"{place.stem}-{place.record}",
        messages=messages,
        tools=tools_of(outer.get("tools")),
        session_id=known["session_id"],
        user_id=known["user_id"],
        format=NAME,
        source_file=place.file,
        record=place.record,
        metadata={**fields.without(outer, *used), **notes},
    )


FORMAT = Format(NAME, accepts, read, "tool schemas, model, times, tokens, cost, feedback", is_message)
