"""Anthropic Messages as applications log them: `request` and `response`, stream events, or a bare list of messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import decoded, tools_of
from pytest_llmreplay.traces.formats import call_log
from pytest_llmreplay.traces.jsonable import as_int
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Format, Place, Span, whole_conversation

NAME = "anthropic_messages"
_BLOCKS = ("tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result")
_STREAM = ("message_start", "content_block_start", "content_block_delta", "message_delta")


def accepts(record: Any) -> bool:
    """A request to Messages, by what only Anthropic has in it, or a conversation in Anthropic's blocks."""
    request = call_log.request_of(record)
    if request is not None and isinstance(request.get("messages"), list):
        response = call_log.response_of(record)
        chunks = call_log.chunks_of(record)
        if chunks:
            return any(chunk.get("type") in _STREAM for chunk in chunks)
        if response is not None and response.get("type") != "error":
            return response.get("type") == "message" and isinstance(response.get("content"), list)
        return "system" in request or str(request.get("model", "")).startswith(("claude", "anthropic"))
    return isinstance(record, Mapping) and isinstance(record.get("messages"), list) and _has_blocks(record)


def _has_blocks(record: Mapping[str, Any]) -> bool:
    tools = record.get("tools")
    if isinstance(tools, list) and any(isinstance(tool, Mapping) and "input_schema" in tool for tool in tools):
        return True
    contents = [m.get("content") for m in record["messages"] if isinstance(m, Mapping)]
    blocks = (block for content in contents if isinstance(content, list) for block in content)
    return any(isinstance(block, Mapping) and block.get("type") in _BLOCKS for block in blocks)


def read(record: Any, place: Place) -> Iterator[Span]:
    """The one call of the record, or the conversation as one call.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    request = call_log.request_of(record)
    if request is None:
        yield _conversation(record, place)
        return
    response = call_log.response_of(record)
    chunks = call_log.chunks_of(record)
    if chunks:
        response = joined(chunks)
    response = response or {}
    messages, notes = messages_of(request)
    usage = response.get("usage")
    failed = response if response.get("type") == "error" else None
    envelope = call_log.envelope(record, request, place, fields.text(response, "id"))
    found = {
        "messages": messages,
        "output": _answer(response),
        "tools": tools_of(request.get("tools")) or (),
        "model": fields.text(response, "model"),
        "request_model": fields.text(request, "model"),
        "parameters": call_log.parameters(request, "system"),
        "finish_reason": fields.finish_reason(response.get("stop_reason")),
        "response_id": fields.text(response, "id"),
        **fields.usage(usage),
        "input_tokens": _input_tokens(usage),
        "error": envelope["error"] or fields.error_text(fields.first(failed, "error")),
        "metadata": {**envelope["metadata"], **notes},
    }
    yield Span(format=NAME, **{**envelope, **found})


def _conversation(record: Mapping[str, Any], place: Place) -> Span:
    messages, notes = messages_of(record)
    ids = fields.ids(record)
    known = ("messages", "tools", "system", "model", "id", *fields.CONVERSATION, *fields.SESSION, *fields.USER)
    return whole_conversation(
        NAME,
        place,
        messages,
        tools=tools_of(record.get("tools")),
        model=fields.text(record, "model"),
        conversation_id=ids["conversation_id"] or fields.text(record, "id"),
        session_id=ids["session_id"],
        user_id=ids["user_id"],
        metadata={**fields.without(record, *known), **notes},
    )


def messages_of(request: Mapping[str, Any]) -> tuple[tuple[Message, ...], dict[str, Any]]:
    """The system prompt and the messages of a request; beside them what canonical messages cannot hold.

    Raises:
        ValueError: a message is damaged.
    """
    messages: list[Message] = []
    notes: dict[str, Any] = {}
    system = request.get("system")
    if system:
        blocks = Parts("system")
        for block in system if isinstance(system, list) else (system,):
            add_openai_part(blocks, block)
        messages.extend(blocks.messages())
    given = request.get("messages")
    for number, message in enumerate(given if isinstance(given, list) else (), start=1):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ValueError(f"message {number}: it has no role")
        messages.extend(message_of(message["role"], message.get("content"), notes))
    return tuple(messages), notes


def message_of(role: str, content: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    """One message; results of tools, which stand inside user messages, come out as messages of their own.

    Raises:
        ValueError: a tool call has no name.
    """
    parts = Parts(role)
    for block in content if isinstance(content, list) else (content,):
        kind = block.get("type") if isinstance(block, Mapping) else None
        if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
            parts.call(block.get("id"), block.get("name"), block.get("input"))
        elif isinstance(kind, str) and kind.endswith("tool_result"):
            parts.result(block.get("tool_use_id"), block.get("content"))
            if block.get("is_error"):
                notes.setdefault("failed_tool_calls", []).append(block.get("tool_use_id"))
        elif kind in ("thinking", "redacted_thinking"):
            notes.setdefault("reasoning", []).append(block.get("thinking") or block.get("data"))
        elif block is not None:
            add_openai_part(parts, block)
    return parts.messages()


def _answer(response: Mapping[str, Any]) -> tuple[Message, ...] | None:
    content = response.get("content")
    if not isinstance(content, list):
        return None
    messages = message_of("assistant", content, {})
    if response.get("stop_reason") == "refusal" and messages:
        text = messages[-1].content
        return (Message("assistant", None, refusal=text or fields.text(response, "stop_details.explanation") or ""),)
    return messages


def _input_tokens(usage: Any) -> int | None:
    """All tokens that went in: Anthropic counts those of the cache apart."""
    counts = [
        fields.first(usage, key) for key in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    ]
    known = [count for count in map(as_int, counts) if count is not None]
    return as_int(sum(known)) if known else None


def joined(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The response that the events of a stream add up to."""
    response: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    for event in events:
        kind, index = event.get("type"), event.get("index")
        if kind == "message_start" and isinstance(event.get("message"), Mapping):
            response = dict(event["message"])
        elif kind == "content_block_start" and isinstance(event.get("content_block"), Mapping):
            blocks[index if isinstance(index, int) else len(blocks)] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(event.get("delta"), Mapping):
            _add_delta(blocks.setdefault(index if isinstance(index, int) else 0, {"type": "text"}), event["delta"])
        elif kind == "message_delta":
            delta = event.get("delta")
            response.update({k: v for k, v in delta.items() if v is not None} if isinstance(delta, Mapping) else {})
            response["usage"] = {**(response.get("usage") or {}), **fields.without(event.get("usage") or {})}
        elif kind == "error":
            return {"type": "error", "error": event.get("error")}
    if blocks:
        response["content"] = [_finished(blocks[index]) for index in sorted(blocks)]
    return response


def _add_delta(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for source, target in (("text", "text"), ("partial_json", "partial_json"), ("thinking", "thinking")):
        if isinstance(delta.get(source), str):
            block[target] = str(block.get(target) or "") + delta[source]


def _finished(block: dict[str, Any]) -> dict[str, Any]:
    """A block whose input came in pieces; pieces that are not JSON stay as the model wrote them."""
    pieces = block.pop("partial_json", "")
    if pieces:
        try:
            block["input"] = decoded(pieces, "input")
        except ValueError:
            block["input"] = pieces
    return block


FORMAT = Format(NAME, accepts, read, "feedback, cost, and what the application's log does not say, such as latency")
