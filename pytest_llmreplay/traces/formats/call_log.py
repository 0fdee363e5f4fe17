"""What an application's own log of requests and responses has around the SDK's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.spans import Place
from pytest_llmreplay.traces.times import epoch

REQUEST = ("request", "request_body", "req", "params", "kwargs")
RESPONSE = ("response", "response_body", "resp", "completion")
_TIMES = ("started_at", "start_time", "startTime", "timestamp", "time", "ts", "created_at", "createdAt")
_ENDS = ("ended_at", "end_time", "endTime", "completed_at")
_SECONDS = ("latency_s", "duration_s", "response_time", "latency", "duration")
_MILLISECONDS = ("latency_ms", "duration_ms", "elapsed_ms", "latencyMs", "durationMs")
_USED = (*REQUEST, *RESPONSE, *_TIMES, *_ENDS, *_SECONDS, *_MILLISECONDS, "chunks", "events", "error", "cost_usd")


def request_of(record: Any) -> Mapping[str, Any] | None:
    """What was sent to the model, or None."""
    return _mapping(record, REQUEST)


def response_of(record: Any) -> Mapping[str, Any] | None:
    """What came back in one piece, or None; a batch file holds it one level deeper."""
    found = _mapping(record, RESPONSE)
    body = found.get("body") if found else None
    return body if isinstance(body, Mapping) else found


def chunks_of(record: Any) -> list[Mapping[str, Any]]:
    """What came back in pieces."""
    pieces = fields.first(record, "chunks", "events", "response.chunks", "stream")
    pieces = pieces if isinstance(pieces, list) else record.get("response") if isinstance(record, Mapping) else None
    return [piece for piece in pieces if isinstance(piece, Mapping)] if isinstance(pieces, list) else []


def answer_of(
    record: Any, key: str, joined: Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """What came back: in one piece, which has this key, else what its pieces add up to."""
    response, chunks = response_of(record), chunks_of(record)
    return joined(chunks) if chunks and (response is None or key not in response) else response


def _mapping(record: Any, names: tuple[str, ...]) -> Mapping[str, Any] | None:
    if not isinstance(record, Mapping):
        return None
    return next((record[name] for name in names if isinstance(record.get(name), Mapping)), None)


def envelope(
    record: Mapping[str, Any], request: Mapping[str, Any], place: Place, response_id: str | None
) -> dict[str, Any]:
    """The span's fields that the log itself says; every key that is none of them is metadata."""
    asked = request.get("metadata")
    own, inner = fields.ids(record), fields.ids(asked)
    request_user = fields.text(request, "user", "safety_identifier")
    started = next((epoch(record[name]) for name in _TIMES if record.get(name) is not None), None)
    latency = fields.seconds(fields.first(record, *_SECONDS)) or fields.seconds(
        fields.first(record, *_MILLISECONDS), 0.001
    )
    used = (*_USED, *fields.CONVERSATION, *fields.SESSION, *fields.USER)
    metadata = fields.without(record, *used)
    if isinstance(asked, Mapping):
        metadata = {**fields.without(asked, *fields.CONVERSATION, *fields.SESSION, *fields.USER), **metadata}
    ended = next((epoch(record[name]) for name in _ENDS if record.get(name) is not None), None)
    return {
        "place": place,
        "span_id": fields.text(record, "call_id", "span_id") or response_id or f"{place.file}#{place.record}",
        "kind": "llm",
        "started": started,
        "ended": ended if ended is not None or started is None or latency is None else started + latency,
        "latency_s": latency,
        "cost_usd": fields.seconds(record.get("cost_usd")),
        "conversation_id": own["conversation_id"] or inner["conversation_id"],
        "session_id": own["session_id"] or inner["session_id"],
        "user_id": own["user_id"] or inner["user_id"] or request_user,
        "error": fields.error_text(record.get("error")),
        "metadata": metadata,
    }


def parameters(request: Mapping[str, Any], *used: str) -> dict[str, Any]:
    """Parameters of a request, such as its temperature: all but what is said elsewhere."""
    return fields.without(request, "model", "messages", "tools", "functions", "metadata", "user", "input", *used)
