"""Files of content that OpenTelemetry's spans refer to: they are read through the spans, not on their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.traces.spans import Format, Place, Span

_PARTS = ("tool_call", "tool_call_response", "blob", "uri")


def is_content(value: Any) -> bool:
    """Whether this is a message or a tool as OpenTelemetry's conventions spell them."""
    if not isinstance(value, Mapping):
        return False
    if value.get("type") == "function" and "name" in value and "parameters" in value:
        return True
    parts = value.get("parts")
    return "role" in value and isinstance(parts, list) and any(_is_part(part) for part in parts)


def _is_part(part: Any) -> bool:
    return isinstance(part, Mapping) and (
        part.get("type") in _PARTS or (part.get("type") == "text" and "content" in part)
    )


def accepts(record: Any) -> bool:
    """Messages or tools, one or many."""
    return any(is_content(item) for item in record) if isinstance(record, list) else is_content(record)


def read(record: Any, place: Place) -> Iterator[Span]:
    """Nothing: the span that refers to the file says where its messages belong."""
    del record, place
    return iter(())


FORMAT = Format("otel_uploaded_content", accepts, read, "", is_content)
