"""The Vercel AI SDK's UI messages: one chat, whose assistant messages hold all steps of a turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.formats.vercel_otel import add_file
from pytest_llmreplay.traces.jsonable import as_float, as_int, as_text
from pytest_llmreplay.traces.parts import Parts
from pytest_llmreplay.traces.spans import Format, Place
from pytest_llmreplay.traces.times import epoch, iso

NAME = "vercel_ai_ui"
_FAILED = ("output-error", "output-denied")
_ANSWERED = ("output-available", "result", *_FAILED)


def is_message(value: Any) -> bool:
    """Whether this is a UI message: an id, a role, and parts or tool invocations."""
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        return False
    parts = value.get("parts")
    typed = isinstance(parts, list) and all(
        isinstance(p, Mapping) and "type" in p and "content" not in p for p in parts
    )
    return typed or isinstance(value.get("toolInvocations"), list)


def accepts(record: Any) -> bool:
    """A chat, or a list of UI messages."""
    messages = record.get("messages") if isinstance(record, Mapping) else record
    return isinstance(messages, list) and any(is_message(message) for message in messages)


def read(record: Any, place: Place) -> Iterator[Conversation]:
    """The one chat of the record.

    Raises:
        ValueError: a message is damaged.
    """
    chat: Mapping[str, Any] = record if isinstance(record, Mapping) else {"messages": record}
    notes: dict[str, Any] = {}
    messages: list[Message] = []
    for number, message in enumerate(chat["messages"], start=1):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ValueError(f"message {number} has no role")
        messages.extend(message_of(message, notes))
    own = [m["metadata"] for m in chat["messages"] if isinstance(m.get("metadata"), Mapping)]
    answers = [
        m["metadata"]
        for m in chat["messages"]
        if m.get("role") == "assistant" and isinstance(m.get("metadata"), Mapping)
    ]
    times = [t for t in (epoch(m.get("createdAt")) for m in (*own, *chat["messages"])) if t is not None]
    known = fields.ids(chat)
    used = ("id", "messages", "createdAt", *fields.CONVERSATION, *fields.SESSION, *fields.USER)
    yield Conversation(
        conversation_id=as_text(chat.get("id")) or known["conversation_id"] or f"{place.stem}-{place.record}",
        messages=tuple(messages),
        started_at=iso(min(times, default=epoch(chat.get("createdAt")))),
        ended_at=iso(max(times)) if len(times) > 1 else None,
        model=next((fields.text(m, "model") for m in reversed(answers) if fields.text(m, "model")), None),
        session_id=known["session_id"],
        user_id=known["user_id"],
        input_tokens=_sum(answers, "inputTokens", "promptTokens"),
        output_tokens=_sum(answers, "outputTokens", "completionTokens"),
        finish_reason=fields.finish_reason(answers[-1].get("finishReason")) if answers else None,
        format=NAME,
        source_file=place.file,
        record=place.record,
        metadata={**fields.without(chat, *used), **_message_metadata(answers), **notes},
    )


def _sum(metadata: Sequence[Mapping[str, Any]], *names: str) -> int | None:
    counts = [as_int(fields.first(m, *names, *(f"usage.{name}" for name in names))) for m in metadata]
    known = [count for count in counts if count is not None]
    return as_int(sum(known)) if known else None


def _message_metadata(answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the application put on its answers and no field takes; a total of tokens is added up."""
    totals = [as_float(m.get("totalTokens")) for m in answers]
    known = [int(total) for total in totals if total is not None]
    found = {"total_tokens": sum(known)} if known else {}
    used = ("model", "finishReason", "totalTokens", "createdAt", "usage")
    rest = {key: value for m in answers for key, value in fields.without(m, *used).items()}
    return {**rest, **found}


def message_of(message: Mapping[str, Any], notes: dict[str, Any]) -> Iterator[Message]:
    """The canonical messages of one UI message: every step with calls is followed by their results.

    Raises:
        ValueError: a part is damaged.
    """
    role = str(message["role"])
    given = message.get("parts")
    parts = list(given) if isinstance(given, list) and given else _older(message)
    step = Parts(role)
    for part in parts:
        if not isinstance(part, Mapping):
            raise ValueError("a part is not a mapping")
        kind = str(part.get("type", ""))
        if kind == "step-start" or (kind == "text" and step.calls):
            yield from _closed(step)
            step = Parts(role)
        if kind == "text":
            step.text(part.get("text"))
        elif kind == "file":
            add_file(step, part)
        elif kind == "tool-invocation" and isinstance(part.get("toolInvocation"), Mapping):
            _add_tool(step, part["toolInvocation"], notes)
        elif kind.startswith("tool-") or kind == "dynamic-tool":
            _add_tool(step, {"toolName": kind.removeprefix("tool-"), **part}, notes)
    yield from _closed(step, always=role == "user" or not parts)


def _older(message: Mapping[str, Any]) -> list[Any]:
    calls = message.get("toolInvocations") or ()
    content = message.get("content")
    text = [{"type": "text", "text": content}] if content else []
    return [*({"type": "tool-invocation", "toolInvocation": call} for call in calls), *text]


def _add_tool(step: Parts, part: Mapping[str, Any], notes: dict[str, Any]) -> None:
    call_id, name, state = part.get("toolCallId"), part.get("toolName"), part.get("state")
    step.call(call_id, name, part.get("input", part.get("rawInput", part.get("args"))))
    if state in _ANSWERED or (state is None and "result" in part):
        failed = state in _FAILED
        answer = part.get("errorText") if failed else part.get("output", part.get("result"))
        step.result(call_id, answer, name)
        if failed:
            notes.setdefault("failed_tool_calls", []).append(call_id)


def _closed(step: Parts, *, always: bool = False) -> Iterator[Message]:
    results, step.results = step.results, []
    if step.parts or step.calls or always:
        yield from step.messages()
    yield from results


FORMAT = Format(
    NAME,
    accepts,
    read,
    "the system prompt, tool schemas, latency, cost, feedback; errors of tools are masked",
    is_message,
)
