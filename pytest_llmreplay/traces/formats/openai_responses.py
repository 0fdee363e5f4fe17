"""OpenAI Responses as applications log them: `request.input` and `response.output`, stream events, or bare items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats import call_log
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Format, Place, Span, whole_conversation

NAME = "openai_responses"
_CALLS = ("function_call", "custom_tool_call")
_RESULTS = ("function_call_output", "custom_tool_call_output")
_ITEMS = (*_CALLS, *_RESULTS, "reasoning", "item_reference")


def accepts(record: Any) -> bool:
    """A request with `input`, a response with `output`, or a list of items."""
    if isinstance(record, list):
        return any(is_item(item) for item in record)
    request = call_log.request_of(record)
    if request is None:
        return False
    response = call_log.response_of(record)
    chunks = call_log.chunks_of(record)
    if chunks:
        return any(str(chunk.get("type", "")).startswith("response.") for chunk in chunks)
    return isinstance(request.get("input"), (str, list)) and (
        response is None or "output" in response or "error" in response
    )


def is_item(value: Any) -> bool:
    """Whether this is an item of a Responses conversation that no other format has."""
    if not isinstance(value, Mapping):
        return False
    content = value.get("content")
    typed = isinstance(content, list) and any(
        isinstance(p, Mapping) and p.get("type") in ("input_text", "output_text") for p in content
    )
    return value.get("type") in _ITEMS or typed


def read(record: Any, place: Place) -> Iterator[Span]:
    """The one call of the record, or the conversation that a list of items is.

    Raises:
        ValueError: its items or tools are damaged.
    """
    if isinstance(record, list):
        notes: dict[str, Any] = {}
        yield whole_conversation(NAME, place, messages_of(record, notes), metadata=notes)
        return
    request = call_log.request_of(record) or {}
    response = call_log.answer_of(record, "output", joined)
    found = call(request, response or {})
    envelope = call_log.envelope(record, request, place, fields.text(response, "id"))
    found["conversation_id"] = envelope["conversation_id"] or found["conversation_id"]
    found["error"] = envelope["error"] or found["error"]
    found["metadata"] = {**envelope["metadata"], **found["metadata"]}
    yield Span(format=NAME, **{**envelope, **found})


def call(request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The span's fields that a request to Responses and its response say.

    Raises:
        ValueError: the items or tools are damaged.
    """
    notes: dict[str, Any] = {}
    instructions = request.get("instructions") or response.get("instructions")
    system = (
        (Message("system", instructions),) if isinstance(instructions, str) else messages_of(instructions or [], notes)
    )
    output = response.get("output")
    answered = messages_of(output, notes) if isinstance(output, list) else None
    tools = request.get("tools") if request.get("tools") is not None else response.get("tools")
    conversation = request.get("conversation") or response.get("conversation")
    reason = fields.text(response, "incomplete_details.reason")
    called = bool(answered and answered[-1].tool_calls)
    finished = reason or ("tool_calls" if called else "stop" if answered else None)
    return {
        "messages": (*system, *messages_of(request.get("input"), notes)),
        "output": answered or None,
        "tools": tools_of(tools) or (),
        "model": fields.text(response, "model"),
        "request_model": fields.text(request, "model"),
        "parameters": call_log.parameters(request, "instructions", "previous_response_id", "conversation"),
        "finish_reason": fields.finish_reason(finished),
        "response_id": fields.text(response, "id"),
        "previous": fields.text(request, "previous_response_id") or fields.text(response, "previous_response_id"),
        "conversation_id": fields.text(conversation, "id")
        if isinstance(conversation, Mapping)
        else as_text(conversation),
        "error": fields.error_text(response.get("error")),
        "metadata": notes,
        **fields.usage(fields.first(response, "usage")),
    }


def messages_of(items: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    """The messages that a text or a list of items stands for; the calls of one answer are in one message.

    Raises:
        ValueError: an item is damaged.
    """
    if items is None:
        return ()
    if isinstance(items, str):
        return (Message("user", items),)
    if not isinstance(items, Sequence):
        raise ValueError("input is neither text nor a list of items")
    messages: list[Message] = []
    answer: Parts | None = None
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Mapping):
            raise ValueError(f"item {number} is not a mapping")
        kind = item.get("type", "message")
        if kind in _CALLS:
            answer = answer or Parts("assistant")
            answer.call(item.get("call_id"), item.get("name"), item.get("arguments", item.get("input")))
        elif kind == "reasoning":
            _note_reasoning(item, notes)
        else:
            messages.extend(answer.messages() if answer else ())
            answer = _message(item) if kind == "message" and item.get("role") == "assistant" else None
            messages.extend(() if answer else _other_item(item, kind, notes))
    return (*messages, *(answer.messages() if answer else ()))


def _other_item(item: Mapping[str, Any], kind: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    """A message that is not the assistant's, or a tool's result; calls that the provider answered itself are noted."""
    if kind == "message":
        return _message(item).messages()
    if kind in _RESULTS:
        result = Parts("tool")
        result.result(item.get("call_id"), item.get("output"))
        return result.messages()
    notes.setdefault("built_in_calls", []).append(dict(item))
    return ()


def _message(item: Mapping[str, Any]) -> Parts:
    role = item.get("role")
    if not isinstance(role, str):
        raise ValueError("a message has no role")
    parts = Parts(role)
    content = item.get("content")
    for part in content if isinstance(content, list) else (content,):
        if part is not None:
            add_openai_part(parts, part)
    return parts


def _note_reasoning(item: Mapping[str, Any], notes: dict[str, Any]) -> None:
    pieces = [*(item.get("summary") or ()), *(item.get("content") or ())]
    texts = [piece.get("text") for piece in pieces if isinstance(piece, Mapping)]
    if texts:
        notes.setdefault("reasoning", []).extend(texts)


def joined(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The response that the events of a stream add up to."""
    response: dict[str, Any] = {}
    items: list[Any] = []
    for event in events:
        if isinstance(event.get("response"), Mapping):
            response = dict(event["response"])
        if event.get("type") == "response.output_item.done":
            items.append(event.get("item"))
        if event.get("type") == "error":
            response["error"] = {"code": event.get("code"), "message": event.get("message")}
    if not response.get("output") and items:
        response["output"] = items
    return response


FORMAT = Format(
    NAME, accepts, read, "feedback, cost, and what the application's log does not say, such as latency", is_item
)
