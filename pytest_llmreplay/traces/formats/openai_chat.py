"""OpenAI chat completions as applications log them: `request` and `response`, or the `chunks` of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import message_of, messages_of, tools_of
from pytest_llmreplay.traces.formats import call_log
from pytest_llmreplay.traces.spans import Format, Place, Span, whole_conversation

NAME = "openai_chat_logs"


def accepts(record: Any) -> bool:
    """A request with messages and a response of chat completions, or none because it failed; or a list of messages."""
    if isinstance(record, list):
        return bool(record) and all(is_message(item) for item in record)
    request = call_log.request_of(record)
    if request is None or not isinstance(request.get("messages"), list):
        return False
    response = call_log.response_of(record)
    if response is not None and ("choices" in response or "error" in response):
        return True
    chunks = call_log.chunks_of(record)
    if chunks:
        return any("choices" in chunk for chunk in chunks)
    return response is None and not str(request.get("model", "")).startswith(("claude", "anthropic"))


def is_message(value: Any) -> bool:
    """Whether this may be one of the messages of a chat."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("role"), str)
        and ("content" in value or "tool_calls" in value)
    )


def read(record: Any, place: Place) -> Iterator[Span]:
    """The one call of the record, or the conversation that a list of messages is.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    if isinstance(record, list):
        yield whole_conversation(NAME, place, messages_of(record))
        return
    request = call_log.request_of(record) or {}
    response = call_log.answer_of(record, "choices", joined)
    yield Span(
        format=NAME,
        **{**call_log.envelope(record, request, place, fields.text(response, "id")), **call(request, response)},
    )


def call(request: Mapping[str, Any], response: Mapping[str, Any] | None) -> dict[str, Any]:
    """The span's fields that OpenAI's own request and response say."""
    choice = first_choice(response)
    found: dict[str, Any] = {
        "messages": messages_of(request.get("messages")),
        "output": output_of(response),
        "tools": request_tools(request),
        "model": fields.text(response, "model"),
        "request_model": fields.text(request, "model"),
        "parameters": call_log.parameters(request),
        "finish_reason": fields.finish_reason(choice.get("finish_reason")) if choice else None,
        "response_id": fields.text(response, "id"),
        **fields.usage(fields.first(response, "usage")),
    }
    error = fields.error_text(fields.first(response, "error"))
    return {**found, "error": error} if error else found


def request_tools(request: Mapping[str, Any]) -> tuple[Tool, ...]:
    """The tools of a request, also under their old name; a request without any offered none.

    Raises:
        ValueError: they are not tools.
    """
    return tools_of(request.get("tools") or request.get("functions")) or ()


def output_of(response: Mapping[str, Any] | None) -> tuple[Message, ...] | None:
    """The first choice's message; None when there is no response.

    Raises:
        ValueError: it is not a message.
    """
    choice = first_choice(response)
    message = choice.get("message") if choice else None
    if not isinstance(message, Mapping):
        return None
    refusal = fields.first(message, "refusal", "provider_specific_fields.refusal")
    return (message_of({"role": "assistant", **message, "refusal": refusal}),)


def first_choice(response: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The choice with the smallest index."""
    choices = response.get("choices") if response else None
    found = [choice for choice in choices if isinstance(choice, Mapping)] if isinstance(choices, list) else []
    return min(found, key=_index, default=None)


def _index(piece: Mapping[str, Any]) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else 0


def joined(chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The response that the chunks of a stream add up to; pieces of tool calls belong together by their index."""
    response: dict[str, Any] = {}
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls: dict[int, dict[str, Any]] = {}
    finish = None
    for chunk in chunks:
        response.update({k: v for k, v in chunk.items() if k in ("id", "model", "usage", "error") and v is not None})
        choice = first_choice(chunk)
        if choice is None or _index(choice) != 0:
            continue
        finish = choice.get("finish_reason") or finish
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            _add_delta(message, calls, delta)
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    heard = calls or message["content"] is not None or message.get("refusal") or message.get("function_call")
    if heard or finish:
        response["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    return response


def _add_delta(message: dict[str, Any], calls: dict[int, dict[str, Any]], delta: Mapping[str, Any]) -> None:
    for key in ("content", "refusal"):
        if isinstance(delta.get(key), str):
            message[key] = (message.get(key) or "") + delta[key]
    legacy = delta.get("function_call")
    if isinstance(legacy, Mapping):
        _add_function(message.setdefault("function_call", {"name": "", "arguments": ""}), legacy)
    pieces = delta.get("tool_calls")
    for piece in pieces if isinstance(pieces, list) else ():
        if isinstance(piece, Mapping):
            call = calls.setdefault(_index(piece), {"id": None, "function": {"name": "", "arguments": ""}})
            call["id"] = call["id"] or piece.get("id")
            if isinstance(piece.get("function"), Mapping):
                _add_function(call["function"], piece["function"])


def _add_function(function: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for key in ("name", "arguments"):
        if isinstance(piece.get(key), str):
            function[key] += piece[key]


FORMAT = Format(
    NAME, accepts, read, "feedback, and what the application's log does not say, such as latency", is_message
)
