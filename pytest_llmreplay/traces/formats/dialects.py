"""Which library wrote a span: the first of these that knows its attributes reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pytest_llmreplay.traces.formats import (
    langfuse,
    openinference,
    otel_console,
    otel_genai,
    otlp,
    pydantic_ai,
    traceloop,
    vercel_otel,
)
from pytest_llmreplay.traces.formats.otlp import RawLog, RawSpan
from pytest_llmreplay.traces.spans import Format, Found, Place, Span, salvaged

NAME = "otel"
NAMES = (
    *(otel_genai.LATEST, otel_genai.EVENTS, otel_genai.UPLOAD, traceloop.NAME, traceloop.LEGACY, openinference.NAME),
    *("openinference_openai", "openinference_litellm", pydantic_ai.LOGFIRE, vercel_otel.NAME, otel_console.NAME),
)
_DIALECTS = (vercel_otel, openinference, pydantic_ai, traceloop, otel_genai)


def span_of(raw: RawSpan, format_name: str | None = None) -> Span:
    """The span in the dialect that it is written in; one of no known dialect still passes on its ids.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    if "langfuse.observation.type" in raw.attributes or raw.scope == "langfuse-sdk":
        return langfuse.from_attributes(raw.attributes, raw.common(), raw.place, raw.ids)
    dialect = next((dialect for dialect in _DIALECTS if dialect.accepts(raw)), None)
    span = _plain(raw) if dialect is None else dialect.read(raw)
    return span if format_name is None else replace(span, format=format_name)


def _plain(raw: RawSpan) -> Span:
    """A span of the application itself."""
    known = {**raw.common(), "error": None, **otel_genai.ids(raw.attributes), "metadata": otel_genai.metadata(raw)}
    return Span(format=NAME, **known)


def accepts(record: Any) -> bool:
    """An OTLP batch, or what the console exporter prints."""
    return otlp.accepts(record) or otel_console.accepts(record)


def read(record: Any, place: Place) -> Iterator[Found]:
    """The spans of the record, and of its log records what belongs to spans.

    Raises:
        ValueError: the record is damaged.
    """
    if otlp.accepts(record):
        return salvaged(otlp.unread(record), lambda item: _spans_of(otlp.raw(item, place)))
    return _spans_of(otel_console.raw(record, place))


def _spans_of(item: RawSpan | RawLog | None) -> Iterator[Span]:
    span = otel_genai.from_log(item) if isinstance(item, RawLog) else span_of(item) if item is not None else None
    if span is not None:
        yield span


FORMAT = Format(
    NAME, accepts, read, "feedback; cost, unless the library adds it; text, unless its capture was switched on"
)
