"""The schema of canonical Parquet, and conversations as its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.conversation import Conversation, Message, Step, Tool
from pytest_llmreplay.traces.json_value import without_surrogates
from pytest_llmreplay.traces.jsonable import dump, jsonable
from pytest_llmreplay.traces.rows import CANONICAL_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

CANONICAL_KIND = b"conversations"
KIND_KEY = b"llmreplay.kind"


@cache
def canonical_schema() -> pa.Schema:
    """The columns of canonical Parquet; its footer says what it is."""
    import pyarrow as pa

    text, number, real = pa.string(), pa.int64(), pa.float64()
    call = pa.struct({"id": text, "name": text, "arguments": text})
    message = pa.struct(_order(Message, {"tool_calls": pa.list_(call)}, text))
    tool = pa.struct({"name": text, "description": text, "parameters": text, "effect": text})
    step = pa.struct(_order(Step, {"turn": number, "document_ids": pa.list_(text)}, text))
    kinds: dict[str, Any] = {"messages": pa.list_(message), "tools": pa.list_(tool), "steps": pa.list_(step)}
    kinds.update(dict.fromkeys(("input_tokens", "output_tokens", "record"), number))
    kinds.update(dict.fromkeys(("latency_s", "cost_usd"), real))
    return pa.schema([(name, kinds.get(name, text)) for name in CANONICAL_COLUMNS], metadata={KIND_KEY: CANONICAL_KIND})


def _order(noun: Any, kinds: dict[str, Any], text: Any) -> list[tuple[str, Any]]:
    """The noun's fields in their order; text, unless another kind is given."""
    return [(name, kinds.get(name, text)) for name in noun.__dataclass_fields__]


def canonical_table(conversations: Sequence[Conversation]) -> pa.Table:
    """The conversations as a table of the canonical schema; half surrogate pairs become U+FFFD."""
    import pyarrow as pa

    rows = [canonical_row(conversation) for conversation in conversations]
    schema = canonical_schema()
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:
        return pa.Table.from_pylist(without_surrogates(rows), schema=schema)


def canonical_row(conversation: Conversation) -> dict[str, Any]:
    """One conversation by canonical column."""
    row: dict[str, Any] = {name: getattr(conversation, name) for name in CANONICAL_COLUMNS}
    row["messages"] = [_message(message) for message in conversation.messages]
    row["tools"] = None if conversation.tools is None else [_fields(Tool, tool) for tool in conversation.tools]
    row["steps"] = [{**_fields(Step, step), "document_ids": list(step.document_ids)} for step in conversation.steps]
    for name in ("feedback", "metadata"):
        row[name] = dump(jsonable(row[name])) if row[name] else None
    return row


def conversation_row(conversation: Conversation) -> dict[str, Any]:
    """One conversation by canonical column as plain data, metadata and feedback not as text but as they are."""
    row = canonical_row(conversation)
    return {**row, "feedback": jsonable(conversation.feedback), "metadata": jsonable(conversation.metadata)}


def _message(message: Message) -> dict[str, Any]:
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return {**_fields(Message, message), "tool_calls": calls or None}


def _fields(kind: Any, value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in kind.__dataclass_fields__}
