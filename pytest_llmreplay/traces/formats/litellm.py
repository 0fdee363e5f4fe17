"""LiteLLM's standard logging payload: one line a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import decoded, messages_of
from pytest_llmreplay.traces.formats import anthropic, call_log, openai_chat, openai_responses
from pytest_llmreplay.traces.jsonable import as_float
from pytest_llmreplay.traces.spans import Format, Place, Span, SpanKind
from pytest_llmreplay.traces.times import epoch

NAME = "litellm"
_MARKS = ("litellm_call_id", "call_type", "response_cost", "custom_llm_provider", "model_parameters")
_KEPT = ("id", "litellm_call_id", "request_tags", "cache_hit", "custom_llm_provider", "stream", "requester_ip_address")


def accepts(record: Any) -> bool:
    """A line with what LiteLLM alone writes around messages and response."""
    return isinstance(record, Mapping) and "messages" in record and sum(mark in record for mark in _MARKS) >= 2


def read(record: Any, place: Place) -> Iterator[Span]:
    """The one call of the record, and the guardrails that it passed.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    call_id = fields.text(record, "litellm_call_id", "id") or f"{place.file}#{place.record}"
    trace_id = fields.text(record, "trace_id", "litellm_trace_id") or call_id
    started, ended = epoch(record.get("startTime")), epoch(record.get("endTime"))
    parameters = record.get("model_parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    failed = record.get("status") == "failure"
    common: dict[str, Any] = {
        "format": NAME,
        "place": place,
        "span_id": call_id,
        "trace_id": trace_id,
        "kind": _kind(record),
        "name": fields.text(record, "call_type"),
        "started": started,
        "ended": ended,
        "latency_s": fields.seconds(record.get("response_time")) if not failed else _between(started, ended),
        "cost_usd": as_float(record.get("response_cost")),
        "session_id": fields.text(record, "session_id", "metadata.session_id"),
        "user_id": fields.text(parameters, "user") or fields.text(record, "end_user"),
        "metadata": _metadata(record),
    }
    found = _call(record, parameters)
    error = _error(record) if failed or record.get("error_str") else None
    usage = {name: count for name, count in fields.usage(record).items() if count or not failed}
    yield Span(**{**common, **found, **usage, "error": error})
    yield from _guardrails(record, common)


def _call(record: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    messages = (
        decoded(record.get("messages"), "messages") if _is_json(record.get("messages")) else record.get("messages")
    )
    response = (
        decoded(record.get("response"), "response") if _is_json(record.get("response")) else record.get("response")
    )
    answer: Mapping[str, Any] = response if isinstance(response, Mapping) else {}
    model = fields.text(record, "model")
    if isinstance(answer.get("output"), list):
        return openai_responses.call({**parameters, "model": model, "input": messages}, answer)
    asked = messages if isinstance(messages, list) else [{"role": "user", "content": messages}] if messages else []
    if answer.get("type") == "message" and isinstance(answer.get("content"), list):
        return _anthropic({**parameters, "model": model, "messages": asked}, answer)
    choice = openai_chat.first_choice(answer)
    return {
        "messages": messages_of(asked),
        "output": openai_chat.output_of(answer),
        "tools": openai_chat.request_tools(parameters),
        "model": fields.text(answer, "model") or model,
        "request_model": model,
        "parameters": call_log.parameters(parameters),
        "finish_reason": fields.finish_reason(choice.get("finish_reason")) if choice else None,
        "response_id": fields.text(answer, "id"),
    }


def _anthropic(request: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    asked, _ = anthropic.messages_of(request)
    return {
        "messages": asked,
        "output": anthropic.message_of("assistant", answer["content"], notes),
        "tools": openai_chat.request_tools(request),
        "model": fields.text(answer, "model") or fields.text(request, "model"),
        "request_model": fields.text(request, "model"),
        "parameters": call_log.parameters(request, "system"),
        "finish_reason": fields.finish_reason(answer.get("stop_reason")),
        "response_id": fields.text(answer, "id"),
    }


def _is_json(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and bool(value.strip())


def _kind(record: Mapping[str, Any]) -> SpanKind:
    called = str(record.get("call_type") or "")
    return (
        "other"
        if any(word in called for word in ("embedding", "image", "speech", "transcription", "rerank"))
        else "llm"
    )


def _between(started: float | None, ended: float | None) -> float | None:
    return None if started is None or ended is None or ended < started else ended - started


def _error(record: Mapping[str, Any]) -> str | None:
    return fields.text(record, "error_str") or fields.error_text(record.get("error_information")) or "failure"


def _metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """The call's own ids and tags, what the requester attached, and what is set of the gateway's user and team."""
    inner = record.get("metadata")
    inner = inner if isinstance(inner, Mapping) else {}
    attached = {
        key: value
        for name in ("requester_metadata", "spend_logs_metadata")
        for key, value in (inner.get(name) or {}).items()
        if isinstance(inner.get(name), Mapping)
    }
    gateway = {k: v for k, v in inner.items() if k.startswith("user_api_key_") and isinstance(v, str)}
    kept = {name: record[name] for name in _KEPT if record.get(name) not in (None, "", [])}
    return fields.without({**gateway, **attached, **kept})


def _guardrails(record: Mapping[str, Any], common: Mapping[str, Any]) -> Iterator[Span]:
    information = record.get("guardrail_information")
    entries = information if isinstance(information, list) else [information]
    for number, entry in enumerate(entries):
        if isinstance(entry, Mapping) and entry:
            yield Span(
                format=NAME,
                place=common["place"],
                span_id=f"{common['span_id']}/guardrail/{number}",
                trace_id=common["trace_id"],
                parent_id=common["span_id"],
                kind="guardrail",
                name=fields.text(entry, "guardrail_name"),
                started=epoch(entry.get("start_time")) or common["started"],
                input=fields.content_text(entry.get("guardrail_request")),
                result=fields.content_text(entry.get("guardrail_response")),
                status=fields.text(entry, "guardrail_status"),
            )


FORMAT = Format(NAME, accepts, read, "feedback; media in base64, which it cuts")
