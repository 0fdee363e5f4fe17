"""Files of content that OpenTelemetry's spans refer to: they are read through the spans, not on their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.traces.spans import Format, Place, Span


def is_content(value: Any) -> bool:
    """Whether this is a message or a part as OpenTelemetry's conventions spell them."""
    if not isinstance(value, Mapping):
        return False
    parts = value.get("parts")
    return isinstance(parts, list) and "role" in value and all(isinstance(p, Mapping) and "type" in p for p in parts)


def accepts(record: Any) -> bool:
    """Messages, one or many."""
    return is_content(record[0]) if isinstance(record, list) and record else is_content(record)


def read(record: Any, place: Place) -> Iterator[Span]:
    """Nothing: the span that refers to the file says where its messages belong."""
    del record, place
    return iter(())


FORMAT = Format("otel_uploaded_content", accepts, read, "", is_content)
