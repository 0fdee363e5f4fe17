"""What OpenTelemetry's console exporter prints: spans and log records as JSON, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.formats.otlp import RawLog, RawSpan, attributes_of, hex_id
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.spans import Place
from pytest_llmreplay.traces.times import epoch

NAME = "otel_console"


def accepts(record: Any) -> bool:
    """A printed span, or a printed log record that belongs to one."""
    if not isinstance(record, Mapping):
        return False
    context = record.get("context")
    if isinstance(context, Mapping) and "trace_id" in context and "start_time" in record:
        return "span_kind" not in record
    return "trace_id" in record and "span_id" in record and "severity_number" in record


def raw(record: Mapping[str, Any], place: Place) -> RawSpan | RawLog:
    """The span or the log record.

    Raises:
        ValueError: it has no id.
    """
    context = record.get("context")
    owner = context if isinstance(context, Mapping) else record
    trace_id, span_id = hex_id(owner.get("trace_id")), hex_id(owner.get("span_id"))
    if trace_id is None or span_id is None:
        raise ValueError("a span has no id")
    resource = attributes_of(fields.first(record, "resource.attributes") or {})
    attributes = attributes_of(record.get("attributes"))
    if owner is record:
        time = epoch(record.get("timestamp")) or epoch(record.get("observed_timestamp")) or 0.0
        name = as_text(record.get("event_name") or attributes.get("event.name")) or ""
        return RawLog(place, trace_id, span_id, name, time, loosened(record.get("body")), attributes, resource)
    return RawSpan(
        place=place,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hex_id(record.get("parent_id")),
        name=as_text(record.get("name")) or "",
        scope=as_text(fields.first(record, "instrumentation_scope.name", "scope.name")) or "",
        started=epoch(record.get("start_time")),
        ended=epoch(record.get("end_time")),
        attributes=attributes,
        resource=resource,
        events=tuple(
            (as_text(event.get("name")) or "", epoch(event.get("timestamp")), attributes_of(event.get("attributes")))
            for event in record.get("events") or ()
            if isinstance(event, Mapping)
        ),
        status_code=str(fields.first(record, "status.status_code") or "UNSET").removeprefix("StatusCode."),
        status_message=fields.text(record, "status.description"),
    )
