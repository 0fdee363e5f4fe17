"""Data sets of conversations, one a record: WildChat and LMSYS, ShareGPT, OpenAI fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Message, Tool
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import decoded, messages_of, tools_of
from pytest_llmreplay.traces.jsonable import as_text, dump, jsonable
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.parts import Parts
from pytest_llmreplay.traces.spans import Format, Place
from pytest_llmreplay.traces.times import epoch, iso

CONVERSATION, SHAREGPT, FINETUNE = "conversation_parquet", "sharegpt", "openai_finetune"
_IDS = ("conversation_id", "conversation_hash", "id", "chat_id", "session_id")
_ROLES = {
    **dict.fromkeys(("human", "user", "customer"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bot", "model", "bing", "bard"), "assistant"),
    **dict.fromkeys(("observation", "tool", "tool_response", "function_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "function_call"),
    "system": "system",
}


def is_conversation(record: Any) -> bool:
    """A row whose `conversation` is a list of messages with roles."""
    found = record.get("conversation") if isinstance(record, Mapping) else None
    return isinstance(found, list) and all(isinstance(m, Mapping) and "role" in m for m in found)


def read_conversation(record: Any, place: Place) -> Iterator[Conversation]:
    """The conversation of the row; its other columns are metadata.

    Raises:
        ValueError: a message is damaged.
    """
    plain = [{key: message.get(key) for key in _MESSAGE_KEYS} for message in record["conversation"]]
    yield _conversation(
        record, place, CONVERSATION, messages_of(plain), tools_of(record.get("tools")), ("conversation",)
    )


_MESSAGE_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name", "refusal")


def _conversation(
    record: Mapping[str, Any],
    place: Place,
    name: str,
    messages: tuple[Message, ...],
    tools: tuple[Tool, ...] | None,
    used: tuple[str, ...],
) -> Conversation:
    own = next((as_text(record[key]) for key in _IDS if as_text(record.get(key))), None)
    taken = (*used, *_IDS, "tools", "model", "timestamp", "user_id")
    return Conversation(
        conversation_id=own or f"{place.stem}-{place.record}",
        messages=messages,
        tools=tools,
        started_at=iso(epoch(record.get("timestamp"))),
        model=fields.text(record, "model"),
        user_id=fields.text(record, "user_id", "hashed_ip"),
        session_id=fields.text(record, "session_id"),
        format=name,
        source_file=place.file,
        record=place.record,
        metadata=fields.without(record, *taken),
    )


def is_sharegpt(record: Any) -> bool:
    """A row whose `conversations` have `from` and `value`."""
    found = record.get("conversations") if isinstance(record, Mapping) else None
    return isinstance(found, list) and bool(found) and all(isinstance(m, Mapping) and "from" in m for m in found)


def read_sharegpt(record: Any, place: Place) -> Iterator[Conversation]:
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
    yield _conversation(record, place, SHAREGPT, tuple(messages), tools_of(_tools(tools)), ("conversations", "system"))


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


def is_finetune(record: Any) -> bool:
    """A preference pair; a row with `messages` is a plain log."""
    given = record.get("input") if isinstance(record, Mapping) else None
    return isinstance(given, Mapping) and "messages" in given and isinstance(record.get("preferred_output"), list)


def read_finetune(record: Any, place: Place) -> Iterator[Conversation]:
    """The conversation with the preferred answer; the other one is metadata.

    Raises:
        ValueError: a message is damaged.
    """
    given = record["input"]
    messages = messages_of([*given["messages"], *record["preferred_output"]])
    yield _conversation(record, place, FINETUNE, messages, tools_of(given.get("tools")), ("input", "preferred_output"))


CONVERSATION_FORMAT = Format(
    CONVERSATION,
    is_conversation,
    read_conversation,
    "usually the system prompt, tools, tool results, times, tokens, cost, feedback",
)
SHAREGPT_FORMAT = Format(
    SHAREGPT,
    is_sharegpt,
    read_sharegpt,
    "model, times, tokens, cost, user, session, errors, feedback; ids of calls are numbered",
)
FINETUNE_FORMAT = Format(
    FINETUNE, is_finetune, read_finetune, "model, times, tokens, cost, user, session, errors, feedback"
)
