"""Pydantic AI and Logfire: spans that follow OTel's conventions with additions, and `all_messages` files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import message_of as openai_message
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats import openai_chat, otel_genai
from pytest_llmreplay.traces.formats.otlp import RawSpan
from pytest_llmreplay.traces.jsonable import as_float, as_int, as_text
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.parts import Parts
from pytest_llmreplay.traces.spans import Format, Place, Span, whole_conversation
from pytest_llmreplay.traces.times import epoch

NAME, LOGFIRE = "pydantic_ai", "logfire_openai"


def accepts(span: RawSpan) -> bool:
    """A span of Pydantic AI, or of Logfire around an SDK."""
    return (
        span.scope in ("pydantic-ai", "pydantic_ai")
        or span.scope.startswith("logfire")
        or "request_data" in span.attributes
    )


def read(span: RawSpan) -> Span:
    """The call or the step that the span is.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    attributes = span.attributes
    request = loosened(attributes.get("request_data"))
    if isinstance(request, Mapping) and "messages" in request:
        return _logfire(span, request)
    kind = otel_genai.kind_of(attributes, span.name)
    if kind == "other" and span.name.startswith("running tool"):
        kind = "tool"
    found = otel_genai.call(attributes, span.place) if kind == "llm" else otel_genai.step(attributes)
    if kind == "llm":
        found.update(_from_events(attributes) if found["messages"] is None else {})
        found["tools"] = found["tools"] or _requested_tools(attributes)
        found["error"] = span.error
    if kind == "tool":
        found["input"] = found["input"] or as_text(attributes.get("tool_arguments"))
        found["result"] = found["result"] or as_text(attributes.get("tool_response"))
    common = {**span.common(), **otel_genai.ids(attributes), "metadata": otel_genai.metadata(span)}
    name = LOGFIRE if span.scope.startswith("logfire") else NAME
    streamed = _streamed(span, found) if name == LOGFIRE and kind == "llm" else {}
    return Span(format=name, kind=kind, **{**common, **found, **streamed})


def _streamed(span: RawSpan, found: Mapping[str, Any]) -> dict[str, Any]:
    """Logfire writes the answer of a stream as a log of its own, when the stream has ended, with how long it took."""
    if found["output"] is None:
        return {"answer_apart": True}
    took = fields.seconds(span.attributes.get("duration"))
    if took is None or span.ended is None:
        return {}
    return {"started": span.ended - took, "latency_s": took}


def _requested_tools(attributes: Mapping[str, Any]) -> tuple[Tool, ...] | None:
    """The tools as older versions say them; a request that lists none offered none."""
    parameters = loosened(attributes.get("model_request_parameters"))
    tools = parameters.get("function_tools") if isinstance(parameters, Mapping) else None
    if not isinstance(tools, list):
        return None
    plain = [{**t, "parameters": t.get("parameters_json_schema")} for t in tools if isinstance(t, Mapping)]
    return tools_of([{k: v for k, v in tool.items() if k != "effect"} for tool in plain])


def _from_events(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The messages of versions that kept them as a list of events in one attribute."""
    events = loosened(attributes.get("events", attributes.get("all_messages_events")))
    if not isinstance(events, list):
        return {}
    asked: list[Message] = []
    answered: list[Message] = []
    for event in events:
        if not isinstance(event, Mapping):
            continue
        name = str(event.get("event.name", ""))
        inner = event.get("message") if name == "gen_ai.choice" else event
        if isinstance(inner, Mapping):
            role = as_text(inner.get("role")) or name.removeprefix("gen_ai.").removesuffix(".message")
            call_id = inner.get("id") if role == "tool" else None
            content = inner.get("content")
            plain = {
                "role": role,
                "content": content if isinstance(content, (str, list)) else fields.content_text(content),
            }
            message = openai_message({**plain, "tool_calls": inner.get("tool_calls"), "tool_call_id": call_id})
            (answered if name == "gen_ai.choice" else asked).append(message)
    return {"messages": tuple(asked), "output": tuple(answered) or None}


def _logfire(span: RawSpan, request: Mapping[str, Any]) -> Span:
    """A call that Logfire wrote as the SDK's own request and response."""
    response = loosened(span.attributes.get("response_data"))
    response = response if isinstance(response, Mapping) else {}
    message = response.get("message")
    whole = {**response, "choices": [{"message": message}]} if isinstance(message, Mapping) else response
    combined = response.get("combined_chunk_content")
    found = openai_chat.call(request, whole)
    if found["output"] is None and isinstance(combined, str):
        found["output"] = (Message("assistant", combined),)
    common = {**span.common(), **otel_genai.ids(span.attributes), "metadata": otel_genai.metadata(span)}
    streamed = _streamed(span, found)
    error = span.error or found.get("error")
    return Span(format=LOGFIRE, kind="llm", **{**common, **found, **streamed, "error": error})


def is_message(value: Any) -> bool:
    """Whether this is one of Pydantic AI's own messages."""
    return (
        isinstance(value, Mapping)
        and value.get("kind") in ("request", "response")
        and isinstance(value.get("parts"), list)
    )


def is_history(record: Any) -> bool:
    """A list of Pydantic AI's own messages, or one under `messages` or `all_messages`."""
    found = fields.first(record, "all_messages", "messages") if isinstance(record, Mapping) else record
    return isinstance(found, list) and bool(found) and is_message(found[0])


def read_history(record: Any, place: Place) -> Iterator[Span]:
    """The conversation, as one call whose answer is the last message.

    Raises:
        ValueError: a message is damaged.
    """
    outer: Mapping[str, Any] = record if isinstance(record, Mapping) else {}
    history = fields.first(outer, "all_messages", "messages") if outer else record
    notes: dict[str, Any] = {}
    messages = history_of(history, notes)
    known, inner = fields.ids(outer), fields.ids(history[0])
    responses = [m for m in history if isinstance(m, Mapping) and m.get("kind") == "response"]
    last = responses[-1] if responses else {}
    used = ("messages", "all_messages", *fields.CONVERSATION, *fields.SESSION, *fields.USER)
    yield whole_conversation(
        NAME,
        place,
        messages,
        started=epoch(history[0].get("timestamp"))
        or epoch(fields.first(history[0]["parts"][0] if history[0]["parts"] else None, "timestamp")),
        ended=epoch(last.get("timestamp")),
        model=fields.text(last, "model_name"),
        finish_reason=fields.finish_reason(last.get("finish_reason")),
        conversation_id=known["conversation_id"] or inner["conversation_id"],
        session_id=known["session_id"],
        user_id=known["user_id"],
        metadata={**fields.without(outer, *used), **notes},
        **_totals(responses),
    )


def _totals(responses: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = [fields.usage(fields.first(response, "usage")) for response in responses]
    costs = [as_float(fields.first(response, "usage.cost")) for response in responses]
    known_costs = [cost for cost in costs if cost is not None]
    totals: dict[str, Any] = {"cost_usd": sum(known_costs) if known_costs and len(known_costs) == len(costs) else None}
    for name in ("input_tokens", "output_tokens"):
        values = [as_int(count[name]) for count in counts]
        known = [value for value in values if value is not None]
        totals[name] = as_int(sum(known)) if known else None
    return totals


def history_of(history: Any, notes: dict[str, Any]) -> tuple[Message, ...]:
    """Pydantic AI's own messages as canonical ones; the instructions stand first.

    Raises:
        ValueError: a message is damaged.
    """
    messages: list[Message] = []
    instructions = None
    for number, message in enumerate(history, start=1):
        if not is_message(message):
            raise ValueError(f"message {number} is neither a request nor a response with parts")
        instructions = fields.text(message, "instructions") or instructions
        if message["kind"] == "response":
            messages.extend(_response(message["parts"]))
        else:
            messages.extend(_request(message["parts"], notes))
    system = (Message("system", instructions),) if instructions else ()
    return (*system, *messages)


def _response(parts: Sequence[Any]) -> tuple[Message, ...]:
    answer = Parts("assistant")
    for part in parts:
        kind = part.get("part_kind") if isinstance(part, Mapping) else None
        if kind == "text":
            answer.text(part.get("content"))
        elif kind in ("tool-call", "builtin-tool-call") and isinstance(part, Mapping):
            answer.call(part.get("tool_call_id"), part.get("tool_name"), part.get("args"))
        elif kind == "file" and isinstance(part, Mapping):
            answer.data(fields.first(part, "content.media_type"), fields.first(part, "content.data"))
    return answer.messages()


def _request(parts: Sequence[Any], notes: dict[str, Any]) -> Iterator[Message]:
    for part in parts:
        if not isinstance(part, Mapping):
            raise ValueError("a part is not a mapping")
        kind, content = part.get("part_kind"), part.get("content")
        if kind == "system-prompt":
            yield Message("system", as_text(content))
        elif kind == "user-prompt":
            yield _user(content)
        elif kind == "tool-return" or (kind == "retry-prompt" and part.get("tool_name")):
            if kind == "retry-prompt" or part.get("outcome") not in (None, "success"):
                notes.setdefault("failed_tool_calls", []).append(part.get("tool_call_id"))
            yield Message(
                "tool",
                fields.content_text(content),
                tool_call_id=fields.text(part, "tool_call_id"),
                name=fields.text(part, "tool_name"),
            )
        elif kind == "retry-prompt":
            yield Message("user", fields.content_text(content))


def _user(content: Any) -> Message:
    parts = Parts("user")
    for item in content if isinstance(content, list) else (content,):
        kind = item.get("kind") if isinstance(item, Mapping) else None
        if kind in ("image-url", "audio-url", "document-url", "video-url"):
            parts.image(item.get("url"))
        elif kind == "binary":
            parts.data(item.get("media_type"), item.get("data"))
        elif isinstance(item, Mapping):
            parts.other(item)
        else:
            parts.text(item)
    return parts.messages()[-1]


FORMAT = Format(NAME, is_history, read_history, "feedback; in all_messages files the tool schemas", is_message)
