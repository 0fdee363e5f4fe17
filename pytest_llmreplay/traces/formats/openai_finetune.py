"""OpenAI fine-tuning files: preference pairs; rows with `messages` are read as plain logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.traces.chat import messages_of, tools_of
from pytest_llmreplay.traces.formats.data_set import conversation_of
from pytest_llmreplay.traces.spans import Format, Place

NAME = "openai_finetune"


def accepts(record: Any) -> bool:
    """A preference pair; a row with `messages` is a plain log."""
    given = record.get("input") if isinstance(record, Mapping) else None
    return isinstance(given, Mapping) and "messages" in given and isinstance(record.get("preferred_output"), list)


def read(record: Any, place: Place) -> Iterator[Conversation]:
    """The conversation with the preferred answer; the other one is metadata.

    Raises:
        ValueError: a message is damaged.
    """
    given = record["input"]
    messages = messages_of([*given["messages"], *record["preferred_output"]])
    yield conversation_of(record, place, NAME, messages, tools_of(given.get("tools")), ("input", "preferred_output"))


FORMAT = Format(NAME, accepts, read, "model, times, tokens, cost, user, session, errors, feedback")
