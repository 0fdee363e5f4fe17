"""A streamed chat completion, put together as if it had come in one piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def assembled(body: bytes) -> dict[str, Any]:
    """The chat completion that a body of server-sent events adds up to.

    Raises:
        ValueError: an event is not JSON, or the stream was cut before it was done.
    """
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    finish_reason: str | None = None
    usage: Any = None
    for event in sse_events(body):
        usage = event.get("usage") or usage
        for choice in event.get("choices") or ():
            finish_reason = choice.get("finish_reason") or finish_reason
            _add_delta(message, calls, choice.get("delta") or {})
    if finish_reason is None:
        raise ValueError("the stream was cut before it was done")
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return {"choices": [{"message": message, "finish_reason": finish_reason}], "usage": usage}


def sse_events(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects in a body of server-sent events.

    Raises:
        ValueError: an event is not a JSON object.
    """
    for line in body.decode("utf-8", "replace").splitlines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            event = json.loads(data)
            if not isinstance(event, dict):
                raise ValueError("an event is no object")
            yield event


def _add_delta(message: dict[str, Any], calls: dict[int, dict[str, Any]], delta: dict[str, Any]) -> None:
    for field in ("content", "refusal"):
        if isinstance(delta.get(field), str):
            message[field] = (message.get(field) or "") + delta[field]
    for piece in delta.get("tool_calls") or ():
        call = calls.setdefault(piece.get("index", 0), {"id": None, "function": {"name": "", "arguments": ""}})
        call["id"] = piece.get("id") or call["id"]
        function = piece.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""
