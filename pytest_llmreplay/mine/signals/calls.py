"""Signals in the calls of a conversation that need its calls decoded: looked for in Python on preselected rows."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmreplay.checks.called import read_calls
from pytest_llmreplay.checks.schema_check import check_against_schemas
from pytest_llmreplay.checks.tool_schema import read_tools
from pytest_llmreplay.mine.signals import words
from pytest_llmreplay.mine.signals.exchange import exchanges
from pytest_llmreplay.mine.signals.signal import Found, Signal
from pytest_llmreplay.mine.signals.sql import TOOL, matches, messages_where
from pytest_llmreplay.model import phrases
from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.conversation import Conversation

_CALLED = "flatten(list_transform(messages, lambda m: coalesce(list_transform(m.tool_calls, lambda c: c.name), [])))"


def _invalid_arguments(conversation: Conversation) -> Iterator[Found]:
    offered = read_tools(conversation.tools)
    for index, message in enumerate(conversation.messages):
        if message.role != "assistant":
            continue
        for call in message.tool_calls:
            for reason in check_against_schemas(read_calls([call], offered), offered).failures:
                if reason.code != "unknown_tool":
                    yield Found(index, f"{reason.code}: {reason.message}", call=call)


def _repeated_call(conversation: Conversation) -> Iterator[Found]:
    for exchange in exchanges(conversation):
        seen: set[tuple[str, str]] = set()
        for one in exchange.calls:
            same = (one.call.name, canonical_arguments(one.call.arguments))
            if same in seen:
                yield Found(one.message, f"{same[0]}({same[1]})", call=one.call)
            seen.add(same)


def _corrected_tool(conversation: Conversation) -> Iterator[Found]:
    for exchange in exchanges(conversation):
        for number, one in enumerate(exchange.calls):
            if not one.failed:
                continue
            later = (other.call.name for other in exchange.calls[number + 1 :] if not other.failed)
            instead = next((name for name in later if name != one.call.name), None)
            if instead is not None:
                yield Found(one.message, f"{one.call.name}, then {instead}", call=one.call)
                break


CALL_SIGNALS = (
    Signal(
        "invalid_arguments",
        "reliability",
        "tool",
        "The arguments of a call are not valid against the JSON Schema of the tool that was offered, or are no JSON "
        "object; nothing where the log does not say which tools were offered.",
        "tools IS NOT NULL AND len(list_filter(messages, lambda m: len(m.tool_calls) > 0)) > 0",
        columns=("messages", "tools"),
        find=_invalid_arguments,
    ),
    Signal(
        "repeated_call",
        "cost",
        "model",
        "The same tool is called with the same arguments more than once in a turn.",
        f"len({_CALLED}) > len(list_distinct({_CALLED}))",
        find=_repeated_call,
    ),
    Signal(
        "corrected_tool",
        "reliability",
        "tool",
        "A call fails or finds nothing, and another tool is called with success in the same turn: the wrong tool "
        "first.",
        "len("
        + messages_where(TOOL, f"{matches('m.content', phrases.ERROR)} OR {matches('m.content', words.NOTHING)}")
        + ") > 0 OR len(failed_calls) > 0",
        columns=("messages", "metadata", "failed_calls"),
        find=_corrected_tool,
    ),
)
