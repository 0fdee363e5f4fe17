"""Phoenix: spans from its client or its data frame, and annotations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.formats import dialects
from pytest_llmreplay.traces.formats.otlp import RawSpan
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.loose import unflattened
from pytest_llmreplay.traces.spans import Format, Found, Place, Score
from pytest_llmreplay.traces.times import epoch

NAME = "phoenix"


def accepts(record: Any) -> bool:
    """A span with its kind and context, or an annotation."""
    if not isinstance(record, Mapping):
        return False
    if "annotation_name" in record or ("annotator_kind" in record and "span_id" in record):
        return True
    return ("span_kind" in record or "attributes.openinference.span.kind" in record) and (
        "context" in record or "context.span_id" in record
    )


def read(record: Any, place: Place) -> Iterator[Found]:
    """The span, or the annotation as a score.

    Raises:
        ValueError: the span has no id, or its messages are damaged.
    """
    if "context" not in record and "context.span_id" not in record:
        yield _annotation(record)
        return
    nested = "attributes" in record
    context = record.get("context") if isinstance(record.get("context"), Mapping) else {}
    trace_id = fields.text(context, "trace_id") or as_text(record.get("context.trace_id"))
    span_id = fields.text(context, "span_id") or as_text(record.get("context.span_id"))
    if trace_id is None or span_id is None:
        raise ValueError("a span has no id")
    given = record.get("attributes")
    attributes = dict(given) if nested and isinstance(given, Mapping) else _flat(record)
    attributes.setdefault("openinference.span.kind", record.get("span_kind"))
    span = RawSpan(
        place=place,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=as_text(record.get("parent_id")) or None,
        name=as_text(record.get("name")) or "",
        scope="",
        started=epoch(record.get("start_time")),
        ended=epoch(record.get("end_time")),
        attributes=_kind_said(attributes),
        resource={},
        events=_events(record.get("events")),
        status_code=as_text(record.get("status_code")) or "UNSET",
        status_message=as_text(record.get("status_message")) or None,
    )
    yield dialects.span_of(span, format_name=NAME)


def _kind_said(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes with the kind under OpenInference's own key, also when they came as a tree."""
    nested = fields.text(unflattened({"a": attributes.get("openinference")}), "a.span.kind")
    return {**attributes, "openinference.span.kind": nested} if nested else attributes


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "attributes."
    return {
        key.removeprefix(prefix): value for key, value in record.items() if key.startswith(prefix) and value is not None
    }


def _events(events: Any) -> tuple[tuple[str, float | None, Mapping[str, Any]], ...]:
    found = [event for event in events if isinstance(event, Mapping)] if isinstance(events, list) else []
    return tuple(
        (
            as_text(e.get("name")) or "",
            epoch(e.get("timestamp")),
            e["attributes"] if isinstance(e.get("attributes"), Mapping) else {},
        )
        for e in found
    )


def _annotation(record: Mapping[str, Any]) -> Score:
    tree = unflattened(record)
    score, label = fields.first(tree, "result.score", "score"), fields.text(tree, "result.label", "label")
    return Score(
        as_text(fields.first(tree, "annotation_name", "name")) or "annotation",
        label if score is None else score,
        fields.text(tree, "result.explanation", "explanation"),
        trace_id=fields.text(tree, "trace_id"),
        span_id=fields.text(tree, "span_id"),
        session_id=fields.text(tree, "session_id"),
        time=epoch(fields.first(tree, "created_at", "updated_at")),
    )


FORMAT = Format(NAME, accepts, read, "cost, where the server did not work it out")
