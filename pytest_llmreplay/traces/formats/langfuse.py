"""Langfuse: traces with their observations, observation rows, scores, and the spans that its SDK sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats import anthropic, langchain, openai_chat
from pytest_llmreplay.traces.jsonable import as_float, as_text
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Format, Found, Place, Score, Span, SpanKind, salvaged
from pytest_llmreplay.traces.times import epoch

NAME = "langfuse"
_KINDS: dict[str, SpanKind] = {
    "generation": "llm",
    "tool": "tool",
    "retriever": "retrieval",
    "guardrail": "guardrail",
}
_TYPES = ("GENERATION", "SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL")


def accepts(record: Any) -> bool:
    """A trace with observations, an observation, a score, a page of the API, or an event of the ingestion API."""
    if not isinstance(record, Mapping):
        return False
    if isinstance(record.get("data"), list) and "meta" in record:
        return any(accepts(row) for row in record["data"])
    if isinstance(record.get("observations"), list) and "id" in record:
        return True
    if record.get("traceId") and str(record.get("type")).upper() in _TYPES:
        return True
    return _is_score(record) or ("sessionId" in record and "timestamp" in record and "htmlPath" in record)


def _is_score(record: Any) -> bool:
    return (
        isinstance(record, Mapping)
        and "name" in record
        and "value" in record
        and bool(record.get("traceId") or record.get("sessionId"))
    )


def read(record: Any, place: Place) -> Iterator[Found]:
    """The observations and scores of the record.

    Raises:
        ValueError: an observation is damaged.
    """
    rows = record["data"] if isinstance(record.get("data"), list) else [record]
    return salvaged(rows, lambda row: _row(row, place))


def _row(row: Any, place: Place) -> Iterator[Found]:
    if _is_score(row):
        yield _score(row)
    elif "traceId" in row:
        yield _observation(row, place)
    else:
        yield from _trace(row, place)


def _trace(row: Mapping[str, Any], place: Place) -> Iterator[Found]:
    trace_id = fields.text(row, "id")
    if trace_id is None:
        raise ValueError("a trace has no id")
    yield Span(
        format=NAME,
        place=place,
        span_id=f"trace/{trace_id}",
        trace_id=trace_id,
        name=fields.text(row, "name"),
        started=epoch(row.get("timestamp")),
        session_id=fields.text(row, "sessionId"),
        user_id=fields.text(row, "userId"),
        metadata=_metadata(row, row.get("metadata")),
    )
    observations = row.get("observations") or ()
    yield from salvaged(observations, lambda inner: (_observation({"traceId": trace_id, **inner}, place),))
    yield from salvaged(row.get("scores") or (), lambda score: (_score({"traceId": trace_id, **score}),))


def _metadata(row: Mapping[str, Any], own: Any) -> dict[str, Any]:
    """What a person set on the trace; release, environment and tags with it."""
    kept = {
        key: row[key]
        for key in ("tags", "release", "environment", "version", "promptName")
        if row.get(key) not in (None, [], "")
    }
    inner = loosened(own)
    inner = (
        {k: v for k, v in inner.items() if k not in ("scope", "resourceAttributes", "attributes")}
        if isinstance(inner, Mapping)
        else {}
    )
    return {**fields.without(kept), **fields.without(inner)}


def _score(row: Mapping[str, Any]) -> Score:
    value = row.get("value") if row.get("value") is not None else row.get("stringValue")
    return Score(
        as_text(row["name"]) or "score",
        value,
        fields.text(row, "comment"),
        trace_id=fields.text(row, "traceId"),
        span_id=fields.text(row, "observationId"),
        session_id=fields.text(row, "sessionId"),
        time=epoch(row.get("timestamp")),
    )


def _observation(row: Mapping[str, Any], place: Place) -> Span:
    usage = loosened(fields.first(row, "usageDetails", "usage"))
    cost = loosened(row.get("costDetails"))
    return observation(
        place=place,
        ids=(fields.text(row, "traceId"), fields.text(row, "id"), fields.text(row, "parentObservationId")),
        kind=str(row.get("type") or ""),
        content=(loosened(row.get("input")), loosened(row.get("output"))),
        common={
            "name": fields.text(row, "name"),
            "started": epoch(row.get("startTime")),
            "ended": epoch(row.get("endTime")),
            "latency_s": fields.seconds(row.get("latency")),
            "model": fields.text(row, "model", "providedModelName"),
            "parameters": _mapping(loosened(row.get("modelParameters"))),
            "prompt_version": fields.text(row, "promptVersion"),
            "cost_usd": as_float(fields.first(cost, "total"))
            or as_float(fields.first(row, "calculatedTotalCost", "totalCost", "totalPrice")),
            "session_id": fields.text(row, "sessionId"),
            "user_id": fields.text(row, "userId"),
            "error": (fields.text(row, "statusMessage") or "error") if row.get("level") == "ERROR" else None,
            "metadata": _metadata(row, row.get("metadata")),
            **fields.usage(usage),
        },
    )


def _mapping(value: Any) -> dict[str, Any]:
    return fields.without(value) if isinstance(value, Mapping) else {}


def observation(
    *,
    place: Place,
    ids: tuple[str | None, str | None, str | None],
    kind: str,
    content: tuple[Any, Any],
    common: Mapping[str, Any],
) -> Span:
    """One observation, wherever it was written down: `ids` are those of trace, observation and parent.

    Raises:
        ValueError: it has no id, or its messages are damaged.
    """
    trace_id, span_id, parent_id = ids
    if span_id is None:
        raise ValueError("an observation has no id")
    own = _KINDS.get(kind.lower(), "other")
    given, answered = content
    found: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    if own == "llm":
        found = {"messages": _asked(given, notes), "output": _answered(answered, notes), "tools": _tools(given)}
        found["finish_reason"] = "tool_calls" if found["output"] and found["output"][-1].tool_calls else None
    elif own != "other":
        arguments = (
            given.get("kwargs")
            if isinstance(given, Mapping) and set(given) == {"args", "kwargs"} and not given["args"]
            else given
        )
        found = {"input": fields.content_text(arguments), "result": fields.content_text(answered)}
        found["status"] = "error" if common.get("error") else None
    return Span(
        format=NAME,
        **{
            **common,
            **found,
            "place": place,
            "span_id": span_id,
            "trace_id": trace_id,
            "parent_id": parent_id or (f"trace/{trace_id}" if trace_id else None),
            "kind": own,
            "metadata": {**common.get("metadata", {}), **notes},
        },
    )


def _tools(given: Any) -> Any:
    if not isinstance(given, Mapping) or "messages" not in given:
        return None
    return tools_of(given.get("tools") or given.get("functions")) or ()


def _asked(given: Any, notes: dict[str, Any]) -> tuple[Message, ...] | None:
    """The messages that went in, from whatever the instrumented library passed on."""
    if given is None:
        return None
    if isinstance(given, Mapping) and "messages" in given:
        if "system" in given:
            messages, more = anthropic.messages_of(given)
            notes.update(more)
            return messages
        return _messages(given["messages"], notes)
    if isinstance(given, Mapping) and not isinstance(given.get("role"), str) and not langchain.is_message(given):
        return (Message("user", fields.content_text(given)),)
    return _messages(given, notes)


def _messages(values: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    values = values if isinstance(values, list) else [values]
    return tuple(message for value in values for message in _message(value, "user", notes))


def _message(value: Any, role: str, notes: dict[str, Any]) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message(role, value),)
    if isinstance(value, Mapping) and (langchain.is_message(value) or isinstance(value.get("role"), str)):
        if (
            isinstance(value.get("content"), list)
            and not value.get("tool_calls")
            and isinstance(value.get("role"), str)
        ):
            return anthropic.message_of(value["role"], value["content"], notes)
        content = value.get("content")
        plain = {**value, "content": fields.content_text(content)} if isinstance(content, Mapping) else value
        return langchain.message_of(plain, notes)
    if isinstance(value, Mapping) and value.get("type") == "function":
        return ()
    parts = Parts(role)
    add_openai_part(parts, value)
    return parts.messages()


def _answered(answered: Any, notes: dict[str, Any]) -> tuple[Message, ...] | None:
    if answered in (None, "", [], {}):
        return None
    if isinstance(answered, Mapping) and openai_chat.first_choice(answered) is not None:
        return openai_chat.output_of(answered)
    values = answered if isinstance(answered, list) else [answered]
    if values and all(isinstance(v, Mapping) and v.get("type") in ("text", "tool_use", "thinking") for v in values):
        return anthropic.message_of("assistant", values, notes)
    return tuple(message for value in values for message in _message(value, "assistant", notes))


def from_attributes(
    attributes: Mapping[str, Any], common: Mapping[str, Any], place: Place, ids: tuple[str, str, str | None]
) -> Span:
    """The observation in a span that Langfuse's SDK sent.

    Raises:
        ValueError: its messages are damaged.
    """
    get = attributes.get
    prefix = "langfuse.trace.metadata."
    metadata = {
        key.removeprefix(prefix): loosened(value) for key, value in attributes.items() if key.startswith(prefix)
    }
    trace = {key: get(f"langfuse.{key}") for key in ("release", "environment")}
    cost = loosened(get("langfuse.observation.cost_details"))
    return observation(
        place=place,
        ids=ids,
        kind=str(get("langfuse.observation.type") or "span"),
        content=(loosened(get("langfuse.observation.input")), loosened(get("langfuse.observation.output"))),
        common={
            **common,
            "model": as_text(get("langfuse.observation.model.name")),
            "parameters": _mapping(loosened(get("langfuse.observation.model.parameters"))),
            "prompt_version": as_text(get("langfuse.observation.prompt.version")),
            "cost_usd": as_float(fields.first(cost, "total")),
            "session_id": as_text(get("session.id") or get("langfuse.session.id")),
            "user_id": as_text(get("user.id") or get("langfuse.user.id")),
            "error": (as_text(get("langfuse.observation.status_message")) or "error")
            if get("langfuse.observation.level") == "ERROR"
            else common.get("error"),
            "metadata": {
                **_metadata(
                    {
                        **trace,
                        "tags": get("langfuse.trace.tags"),
                        "promptName": get("langfuse.observation.prompt.name"),
                    },
                    metadata,
                )
            },
            **fields.usage(loosened(get("langfuse.observation.usage_details"))),
        },
    )


FORMAT = Format(NAME, accepts, read, "refusals; media, which it stores apart")
