"""Conversations, tables and logs of them, and caches for the tests of mining."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.mine.signals import builtin_signals, evidence, scan
from pytest_llmreplay.model.conversation import Conversation, Message, Tool, ToolCall
from pytest_llmreplay.session.redaction import build_detector
from pytest_llmreplay.traces import (
    CANONICAL_COLUMNS,
    TableFile,
    canonical_conversation,
    open_table,
    parse_expression,
    write_conversations,
)

ORDER = Tool(
    "order",
    "Where an order is.",
    '{"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}',
)


@pytest.fixture
def signals(tmp_path):
    return builtin_signals(build_detector(tmp_path, tmp_path / "configs"))


@pytest.fixture
def table_of(tmp_path):
    """Opens conversations as a table; `where` filters it."""

    @contextmanager
    def opened(conversations, where=None):
        path = tmp_path / "table.parquet"
        write_conversations(path, conversations)
        with open_table([TableFile(path)], None if where is None else parse_expression(where)) as table:
            yield table

    return opened


@pytest.fixture
def told(table_of, signals):
    """The evidence in some conversations for one signal, by conversation id."""

    def look(name, *conversations, known=signals):
        with table_of(conversations) as table:
            met = list(scan(table.connection, [known[name]], canonical_conversation, CANONICAL_COLUMNS))
            loaded = table.conversations([shown.row for shown in met])
            return {shown.conversation_id: evidence(shown, loaded[shown.row], known) for shown in met}

    return look


@pytest.fixture
def caches(tmp_path):
    return Caches(tmp_path / "caches", 3600.0)


@pytest.fixture
def log(tmp_path):
    """Writes a canonical log; each conversation is what its user said, a list, answered with OK."""

    def write(said, name="log.parquet", **columns):
        path = tmp_path / name
        conversations = [
            Conversation(
                conversation_id,
                tuple(m for text in texts for m in (Message("user", text), Message("assistant", "OK"))),
                **{column: values[number] for column, values in columns.items()},
            )
            for number, (conversation_id, texts) in enumerate(said.items())
        ]
        write_conversations(path, conversations)
        return path

    return write


def user(text):
    return Message("user", text)


def bot(text=None, *calls, refusal=None):
    made = tuple(ToolCall(f"c{i}", name, arguments) for i, (name, arguments) in enumerate(calls))
    return Message("assistant", text, tool_calls=made, refusal=refusal)


def result(text, call="c0"):
    return Message("tool", text, tool_call_id=call)


def talk(*messages, named="a", **fields):
    return Conversation(named, tuple(messages), **fields)
