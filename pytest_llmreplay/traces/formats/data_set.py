"""What rows of published data sets of conversations have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Message, Tool
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.spans import Place
from pytest_llmreplay.traces.times import epoch, iso

_IDS = ("conversation_id", "conversation_hash", "id", "chat_id", "session_id")


def conversation_of(
    record: Mapping[str, Any],
    place: Place,
    name: str,
    messages: tuple[Message, ...],
    tools: tuple[Tool, ...] | None,
    used: tuple[str, ...],
) -> Conversation:
    """The conversation of a row: `used` are the columns that its messages and tools came from; others are metadata."""
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
