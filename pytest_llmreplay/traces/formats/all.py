"""Every reader, in the order in which they are asked: those that know their records best come first."""

from __future__ import annotations

from pytest_llmreplay.traces.formats import (
    anthropic,
    conversation_parquet,
    dialects,
    langchain,
    langfuse,
    langsmith,
    litellm,
    openai_agents,
    openai_chat,
    openai_finetune,
    openai_responses,
    phoenix,
    pydantic_ai,
    sharegpt,
    uploads,
    vercel_ui,
)
from pytest_llmreplay.traces.spans import Format

READERS: tuple[Format, ...] = (
    dialects.FORMAT,
    langfuse.FORMAT,
    langsmith.FORMAT,
    litellm.FORMAT,
    phoenix.FORMAT,
    openai_agents.FORMAT,
    uploads.FORMAT,
    vercel_ui.FORMAT,
    pydantic_ai.FORMAT,
    langchain.FORMAT,
    sharegpt.FORMAT,
    conversation_parquet.FORMAT,
    openai_finetune.FORMAT,
    openai_responses.FORMAT,
    anthropic.FORMAT,
    openai_chat.FORMAT,
)

_OTHER_NAMES = {
    **dict.fromkeys(dialects.NAMES, dialects.FORMAT),
    **dict.fromkeys(("langsmith_wrap", "langsmith_langchain"), langsmith.FORMAT),
}
BY_NAME: dict[str, Format] = {reader.name: reader for reader in READERS if reader is not uploads.FORMAT} | _OTHER_NAMES


NOT_ALONE = uploads.FORMAT
"""Files that hold no conversation of their own."""


def reader_of(record: object) -> Format | None:
    """The reader that knows this record."""
    return next((reader for reader in READERS if reader.knows(record)), None)


def whole_list(first: object) -> bool:
    """Whether an array that starts with this element is one record."""
    return any(reader.whole_list(first) for reader in READERS)
