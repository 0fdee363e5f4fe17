"""OpenTelemetry's spans and log records as OTLP writes them in JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.jsonable import as_int, as_text
from pytest_llmreplay.traces.spans import Place
from pytest_llmreplay.traces.times import epoch

_VALUES = (
    ("stringValue", "string_value"),
    ("boolValue", "bool_value"),
    ("doubleValue", "double_value"),
    ("bytesValue", "bytes_value"),
)


@dataclass(frozen=True, slots=True)
class RawSpan:
    """A span as OpenTelemetry knows it; times are epoch seconds, events (name, time, attributes)."""

    place: Place
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    scope: str
    started: float | None
    ended: float | None
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    events: tuple[tuple[str, float | None, Mapping[str, Any]], ...] = ()
    status_code: str = "UNSET"
    status_message: str | None = None

    @property
    def ids(self) -> tuple[str, str, str | None]:
        """Trace, span and parent."""
        return self.trace_id, self.span_id, self.parent_id

    @property
    def error(self) -> str | None:
        """What went wrong: the exception that was recorded, else the status."""
        for name, _, attributes in self.events:
            if name == "exception" and self.status_code == "ERROR":
                kind, message = attributes.get("exception.type"), attributes.get("exception.message")
                return ": ".join(str(part) for part in (kind, message) if part) or "exception"
        if self.status_code == "ERROR":
            return self.status_message or as_text(self.attributes.get("error.type")) or "error"
        return as_text(self.attributes.get("error.type"))

    def common(self) -> dict[str, Any]:
        """The fields of a `Span` that every dialect takes as they are: which span it is, when it was, and its error."""
        latency = None if self.started is None or self.ended is None else max(0.0, self.ended - self.started)
        return {
            "place": self.place,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_id": self.parent_id,
            "name": self.name,
            "started": self.started,
            "ended": self.ended,
            "latency_s": latency,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class RawLog:
    """A log record that belongs to a span."""

    place: Place
    trace_id: str
    span_id: str
    name: str
    time: float
    body: Any
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any] = field(default_factory=dict)


def accepts(record: Any) -> bool:
    """An export batch of spans or logs."""
    keys = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")
    return isinstance(record, Mapping) and any(isinstance(record.get(key), list) for key in keys)


@dataclass(frozen=True, slots=True)
class Unread:
    """A span or a log record of a batch as it stands there, with what the batch says around it."""

    value: Any
    is_log: bool
    scope: str
    resource: Any


def unread(record: Mapping[str, Any]) -> Iterator[Unread]:
    """The spans and log records of an export batch."""
    for is_log, (batches, scopes, items) in ((False, _SPANS), (True, _LOGS)):
        for batch in _items(record, *batches):
            resource = _get(_get(batch, "resource"), "attributes")
            for scoped in _items(batch, *scopes):
                scope = as_text(_get(_get(scoped, "scope", "instrumentationLibrary"), "name")) or ""
                for value in _items(scoped, *items):
                    yield Unread(value, is_log, scope, resource)


_SPANS = (
    ("resourceSpans", "resource_spans"),
    ("scopeSpans", "scope_spans", "instrumentationLibrarySpans"),
    ("spans",),
)
_LOGS = (
    ("resourceLogs", "resource_logs"),
    ("scopeLogs", "scope_logs", "instrumentationLibraryLogs"),
    ("logRecords", "log_records", "logs"),
)


def _items(mapping: Any, *names: str) -> list[Any]:
    """A list of the batch; anything else stands for one damaged item, which is then reported."""
    value = _get(mapping, *names)
    return [] if value is None else value if isinstance(value, list) else [value]


def raw(item: Unread, place: Place) -> RawSpan | RawLog | None:
    """The span or the log record; None for a record that belongs to no span.

    Raises:
        ValueError: it is damaged.
    """
    resource = attributes_of(item.resource)
    return _log(item.value, place, resource) if item.is_log else _span(item.value, place, item.scope, resource)


def _get(mapping: Any, *names: str) -> Any:
    if isinstance(mapping, Mapping):
        for name in names:
            if mapping.get(name) is not None:
                return mapping[name]
    return None


def _list(mapping: Any, *names: str) -> list[Any]:
    value = _get(mapping, *names)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"{names[0]} is not a list")
    return value


def _span(span: Any, place: Place, scope: str, resource: Mapping[str, Any]) -> RawSpan:
    trace_id, span_id = hex_id(_get(span, "traceId", "trace_id")), hex_id(_get(span, "spanId", "span_id"))
    if trace_id is None or span_id is None:
        raise ValueError("a span has no id")
    status = _get(span, "status")
    events = [
        (
            as_text(_get(e, "name")) or "",
            epoch(_get(e, "timeUnixNano", "time_unix_nano")),
            attributes_of(_get(e, "attributes")),
        )
        for e in _list(span, "events")
    ]
    return RawSpan(
        place=place,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hex_id(_get(span, "parentSpanId", "parent_span_id")),
        name=as_text(_get(span, "name")) or "",
        scope=scope,
        started=epoch(_get(span, "startTimeUnixNano", "start_time_unix_nano")),
        ended=epoch(_get(span, "endTimeUnixNano", "end_time_unix_nano")),
        attributes=attributes_of(_get(span, "attributes")),
        resource=resource,
        events=tuple(events),
        status_code=_status(_get(status, "code")),
        status_message=as_text(_get(status, "message")),
    )


def _status(code: Any) -> str:
    number = as_int(code)
    if number is not None:
        return {1: "OK", 2: "ERROR"}.get(number, "UNSET")
    return str(code or "UNSET").removeprefix("STATUS_CODE_").removeprefix("StatusCode.")


def _log(log: Any, place: Place, resource: Mapping[str, Any]) -> RawLog | None:
    """A log record that belongs to a span; others tell nothing of a conversation."""
    trace_id, span_id = hex_id(_get(log, "traceId", "trace_id")), hex_id(_get(log, "spanId", "span_id"))
    if trace_id is None or span_id is None:
        return None
    attributes = attributes_of(_get(log, "attributes"))
    body = value_of(_get(log, "body"))
    name = as_text(
        _get(log, "eventName", "event_name") or attributes.get("event.name") or fields.first(body, "event.name")
    )
    time = epoch(_get(log, "timeUnixNano", "time_unix_nano")) or epoch(
        _get(log, "observedTimeUnixNano", "observed_time_unix_nano")
    )
    return RawLog(place, trace_id, span_id, name or "", time or 0.0, body, attributes, resource)


def attributes_of(attributes: Any) -> dict[str, Any]:
    """Attributes as a mapping, from OTLP's list of keys and typed values, or a mapping as it is."""
    if attributes is None:
        return {}
    if isinstance(attributes, Mapping):
        return {str(key): value for key, value in attributes.items()}
    if not isinstance(attributes, list):
        raise ValueError("attributes is not a list")
    return {str(item.get("key")): value_of(item.get("value")) for item in attributes if isinstance(item, Mapping)}


def value_of(value: Any) -> Any:
    """OTLP's typed value as plain data; a mapping without a known type is an absent value."""
    if not isinstance(value, Mapping):
        return value
    for camel, snake in _VALUES:
        if camel in value or snake in value:
            return value.get(camel, value.get(snake))
    integer = _get(value, "intValue", "int_value")
    if integer is not None:
        return as_int(integer)
    array = _get(value, "arrayValue", "array_value")
    if array is not None:
        return [value_of(item) for item in _iterable(_get(array, "values"))]
    pairs = _get(value, "kvlistValue", "kvlist_value")
    if pairs is not None:
        items = [item for item in _iterable(_get(pairs, "values")) if isinstance(item, Mapping)]
        return {str(item.get("key")): value_of(item.get("value")) for item in items}
    return None


def _iterable(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def hex_id(value: Any) -> str | None:
    """An id as lower-case hexadecimal digits, also from base64 or with a leading 0x; None when it is empty or zero."""
    text = as_text(value)
    if not text:
        return None
    text = text.removeprefix("0x")
    if not _is_hex(text):
        try:
            decoded = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return text
        text = decoded.hex() if len(decoded) in (8, 16) else text
    return None if not text.strip("0") else text.lower() if _is_hex(text) else text


def _is_hex(text: str) -> bool:
    return len(text) in (16, 32) and all(character in "0123456789abcdefABCDEF" for character in text)
