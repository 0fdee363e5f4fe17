"""The OpenAI Agents SDK's traces: `generation` spans hold messages, `response` spans only an id and usage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import message_of as openai_message
from pytest_llmreplay.traces.formats import openai_responses
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.spans import Format, Found, Place, Span, SpanKind, salvaged
from pytest_llmreplay.traces.times import epoch

NAME = "openai_agents"
_KINDS: dict[str, SpanKind] = {"generation": "llm", "response": "llm", "function": "tool", "guardrail": "guardrail"}
_OBJECTS = ("trace", "trace.span")


def accepts(record: Any) -> bool:
    """A batch of traces and spans, or one of them."""
    if not isinstance(record, Mapping):
        return False
    rows = record.get("data")
    if isinstance(rows, list):
        return any(isinstance(row, Mapping) and row.get("object") in _OBJECTS for row in rows)
    return record.get("object") in _OBJECTS


def read(record: Any, place: Place) -> Iterator[Found]:
    """The traces and spans of the record.

    Raises:
        ValueError: a span is damaged.
    """
    rows = record["data"] if isinstance(record.get("data"), list) else [record]
    return salvaged(rows, lambda row: (_trace(row, place) if row.get("object") == "trace" else _span(row, place),))


def _trace(row: Mapping[str, Any], place: Place) -> Span:
    if fields.text(row, "id") is None:
        raise ValueError("a trace has no id")
    metadata = row.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    known = fields.ids(metadata)
    group = fields.text(row, "group_id")
    workflow = fields.text(row, "workflow_name")
    own = fields.without(metadata, *fields.CONVERSATION, *fields.SESSION, *fields.USER)
    return Span(
        format=NAME,
        place=place,
        span_id=f"trace/{row['id']}",
        trace_id=fields.text(row, "id"),
        name=workflow,
        conversation_id=group or known["conversation_id"],
        session_id=known["session_id"],
        user_id=known["user_id"],
        metadata={**own, **({"workflow": workflow} if workflow else {})},
    )


def _span(row: Mapping[str, Any], place: Place) -> Span:
    if fields.text(row, "id") is None:
        raise ValueError("a span has no id")
    data = row.get("span_data")
    data = data if isinstance(data, Mapping) else {}
    trace_id, kind = fields.text(row, "trace_id"), _KINDS.get(str(data.get("type")), "other")
    started, ended = epoch(row.get("started_at")), epoch(row.get("ended_at"))
    error = row.get("error")
    text = fields.error_text(error)
    detail = fields.error_text(error.get("data")) if isinstance(error, Mapping) else None
    found = _call(data) if kind == "llm" else _step(data, kind)
    return Span(
        format=NAME,
        place=place,
        **{
            "span_id": fields.text(row, "id"),
            "trace_id": trace_id,
            "parent_id": fields.text(row, "parent_id") or f"trace/{trace_id}",
            "kind": kind,
            "name": fields.text(data, "name"),
            "started": started,
            "ended": ended,
            "latency_s": ended - started if started is not None and ended is not None and ended >= started else None,
            "error": f"{text}: {detail}" if text and detail and detail not in text else text,
            **found,
        },
    )


def _call(data: Mapping[str, Any]) -> dict[str, Any]:
    given, answered = data.get("input"), data.get("output")
    notes: dict[str, Any] = {}
    response = data.get("response")
    if data.get("type") == "response" and isinstance(response, Mapping):
        answered = response.get("output")
    output = _messages(answered, notes, "assistant")
    parameters = data.get("model_config")
    return {
        "messages": _messages(given, notes, "user"),
        "output": output,
        "model": fields.text(data, "model") or fields.text(response, "model"),
        "parameters": fields.without(parameters) if isinstance(parameters, Mapping) else {},
        "response_id": fields.text(data, "response_id"),
        "finish_reason": ("tool_calls" if output[-1].tool_calls else "stop") if output else None,
        "metadata": notes,
        **fields.usage(data.get("usage")),
    }


def _messages(values: Any, notes: dict[str, Any], role: str) -> tuple[Message, ...] | None:
    """Chat messages, or items of the Responses API; None when the span does not hold them."""
    if values is None:
        return None
    if isinstance(values, str):
        return (Message(role, values),)
    items = values if isinstance(values, list) else [values]
    if any(isinstance(item, Mapping) and "type" in item and "role" not in item for item in items):
        return openai_responses.messages_of(items, notes)
    return tuple(openai_message({"role": role, **item} if isinstance(item, Mapping) else item) for item in items)


def _step(data: Mapping[str, Any], kind: SpanKind) -> dict[str, Any]:
    if kind == "guardrail":
        triggered = data.get("triggered")
        return {"status": "triggered" if triggered is True else "passed" if triggered is False else None}
    if kind == "tool":
        return {"input": fields.content_text(data.get("input")), "result": fields.content_text(data.get("output"))}
    if data.get("type") == "agent" and isinstance(data.get("tools"), list):
        return {"metadata": {"tool_names": [as_text(name) for name in data["tools"]]}}
    if data.get("type") == "handoff":
        return {"name": "handoff", "input": fields.text(data, "from_agent"), "result": fields.text(data, "to_agent")}
    return {}


FORMAT = Format(
    NAME, accepts, read, "tool schemas (names only), cost, feedback; the text of calls made through the Responses API"
)
