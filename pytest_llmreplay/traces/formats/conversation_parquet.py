"""Conversations as WildChat and LMSYS publish them: one a row, in a column `conversation`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.traces.chat import messages_of, tools_of
from pytest_llmreplay.traces.formats.data_set import conversation_of
from pytest_llmreplay.traces.spans import Format, Place

NAME = "conversation_parquet"


def accepts(record: Any) -> bool:
    """A row whose `conversation` is a list of messages with roles."""
    found = record.get("conversation") if isinstance(record, Mapping) else None
    return isinstance(found, list) and all(isinstance(m, Mapping) and "role" in m for m in found)


def read(record: Any, place: Place) -> Iterator[Conversation]:
    """The conversation of the row; its other columns are metadata.

    Raises:
        ValueError: a message is damaged.
    """
    plain = [{key: message.get(key) for key in _MESSAGE_KEYS} for message in record["conversation"]]
    yield conversation_of(record, place, NAME, messages_of(plain), tools_of(record.get("tools")), ("conversation",))


_MESSAGE_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name", "refusal")


FORMAT = Format(NAME, accepts, read, "usually the system prompt, tools, tool results, times, tokens, cost, feedback")
