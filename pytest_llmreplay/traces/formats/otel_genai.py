"""OpenTelemetry's conventions for generative AI: message attributes, uploaded references, and messages as events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import message_of as openai_message
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats.otel_genai_events import message_event, span_event
from pytest_llmreplay.traces.formats.otlp import RawLog, RawSpan
from pytest_llmreplay.traces.jsonable import as_float, as_text
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Place, Span, SpanKind
from pytest_llmreplay.traces.uploads import uploaded

LATEST, EVENTS, UPLOAD = "otel_genai_latest", "otel_genai_events", "otel_genai_upload"
DETAILS = "gen_ai.client.inference.operation.details"
_CALLS = ("chat", "text_completion", "generate_content", "completion", "responses")
_PARAMETERS = "gen_ai.request."


def accepts(span: RawSpan) -> bool:
    """Any span with an attribute of the conventions."""
    return any(key.startswith("gen_ai.") for key in span.attributes)


def read(span: RawSpan) -> Span:
    """The call or the step that the span is.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    attributes = span.attributes
    kind = kind_of(attributes, span.name)
    name = _format_of(attributes)
    found = call(attributes, span.place) if kind == "llm" else step(attributes)
    common = {**span.common(), **ids(attributes), "metadata": metadata(span)}
    events = tuple(event for event in (span_event(*e) for e in span.events) if event is not None)
    details = [a for event, _, a in span.events if event == DETAILS]
    for extra in details:
        found = {**call(extra, span.place), **{k: v for k, v in found.items() if v is not None}}
    found.setdefault("events", events)
    return Span(format=name, kind=kind, **{**common, **found, "error": common["error"]})


def _format_of(attributes: Mapping[str, Any]) -> str:
    if any(key.startswith("gen_ai.") and key.endswith("_ref") for key in attributes):
        return UPLOAD
    return LATEST if "gen_ai.input.messages" in attributes or "gen_ai.output.messages" in attributes else EVENTS


def kind_of(attributes: Mapping[str, Any], name: str) -> SpanKind:
    """What the span is, by its operation, else by what it carries."""
    operation = as_text(attributes.get("gen_ai.operation.name"))
    if operation in _CALLS:
        return "llm"
    if operation == "execute_tool":
        return "tool"
    if operation in ("retrieval", "search", "retrieve"):
        return "retrieval"
    if operation is not None:
        return "guardrail" if "guardrail" in f"{operation} {name}".lower() else "other"
    if "gen_ai.tool.name" in attributes:
        return "tool"
    return "llm" if "gen_ai.request.model" in attributes else "other"


def ids(attributes: Mapping[str, Any]) -> dict[str, str | None]:
    """Conversation, session and user as spans name them, also by the application's own attributes."""
    get = attributes.get
    association = "traceloop.association.properties."
    chat = get("gen_ai.conversation.id") or get(f"{association}chat_id") or get(f"{association}conversation_id")
    thread = get("thread.id") or get("conversation.id") or get(f"{association}thread_id")
    return {
        "conversation_id": as_text(chat or thread),
        "session_id": as_text(get("session.id") or get(f"{association}session_id") or get("session_id")),
        "user_id": as_text(
            get("user.id") or get("enduser.id") or get(f"{association}user_id") or get("llm.user") or get("user_id")
        ),
    }


def metadata(span: RawSpan) -> dict[str, Any]:
    """Service, release and environment, ids that correlate, and the application's own attributes; no content."""
    resource = {
        key: span.resource[key]
        for key in ("service.name", "service.version", "deployment.environment.name", "deployment.environment")
        if span.resource.get(key) is not None
    }
    prefix = "traceloop.association.properties."
    own = {
        key.removeprefix(prefix): value
        for key, value in span.attributes.items()
        if not _TAKEN.match(key) and isinstance(value, (str, int, float, bool, list)) and not _is_content(value)
    }
    used = (*fields.CONVERSATION, *fields.SESSION, *fields.USER, "session.id", "user.id", "enduser.id")
    return {**fields.without(resource), **fields.without(own, *used)}


_TAKEN = re.compile(
    r"(gen_ai|llm|openai|server|http|url|network|client|user_agent|logfire|ai|code|process|telemetry|host|input|output"
    r"|openinference|tool|langfuse|pydantic_ai|model_request_parameters|all_messages_events|events|request_data"
    r"|response_data|retrieval|error|operation|final_result|agent_name|model_name|session|user|metadata|embedding"
    r"|reranker|exception|async|duration|tool_call|tool_arguments|tool_response|traceloop\.(entity|span|workflow))(\.|$)"
)
"""Attributes that are content, are said elsewhere, or describe the machine."""


def _is_content(value: Any) -> bool:
    return len(value) > 2000 if isinstance(value, (str, list)) else False


def call(attributes: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The fields of a call that attributes of the conventions say; missing content is None.

    Raises:
        ValueError: the messages or tools are damaged.
    """
    get = attributes.get
    notes: list[str] = []
    given = uploaded(attributes, "gen_ai.input.messages", place, notes)
    answered = uploaded(attributes, "gen_ai.output.messages", place, notes)
    system = uploaded(attributes, "gen_ai.system_instructions", place, notes)
    asked = None if given is None else messages_of(given)
    if system and (asked is None or not asked or asked[0].role != "system"):
        asked = (*instructions(system), *(asked or ()))
    output = None if not answered else messages_of(answered)
    reasons = loosened(get("gen_ai.response.finish_reasons"))
    own = (
        answered[0].get("finish_reason")
        if isinstance(answered, list) and answered and isinstance(answered[0], Mapping)
        else None
    )
    incoming = get("gen_ai.usage.input_tokens", get("gen_ai.usage.prompt_tokens"))
    outgoing = get("gen_ai.usage.output_tokens", get("gen_ai.usage.completion_tokens"))
    return {
        "messages": asked,
        "output": output,
        "tools": definitions(uploaded(attributes, "gen_ai.tool.definitions", place, notes)),
        "model": as_text(get("gen_ai.response.model")),
        "request_model": as_text(get("gen_ai.request.model")),
        "parameters": {
            key.removeprefix(_PARAMETERS): value
            for key, value in attributes.items()
            if key.startswith(_PARAMETERS) and key != "gen_ai.request.model" and value is not None
        },
        "finish_reason": fields.finish_reason(reasons) or fields.finish_reason(own),
        "response_id": as_text(get("gen_ai.response.id")),
        "cost_usd": as_float(get("operation.cost", get("gen_ai.usage.cost"))),
        "prompt_version": as_text(get("gen_ai.prompt.version", get("traceloop.prompt.version"))),
        "lost": tuple(notes),
        **fields.usage({"input_tokens": incoming, "output_tokens": outgoing}),
    }


def step(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a tool's or another step's span."""
    get = attributes.get
    given = get("gen_ai.tool.call.arguments", get("traceloop.entity.input", get("input.value")))
    plain = loosened(given)
    if isinstance(plain, Mapping) and set(plain) == {"args", "kwargs"} and not plain["args"]:
        given = plain["kwargs"]
    result = get("gen_ai.tool.call.result", get("traceloop.entity.output", get("output.value")))
    return {
        "name": as_text(get("gen_ai.tool.name", get("traceloop.entity.name", get("gen_ai.agent.name")))),
        "tool_call_id": as_text(get("gen_ai.tool.call.id")),
        "input": fields.content_text(given),
        "result": fields.content_text(result),
    }


def definitions(value: Any) -> tuple[Tool, ...] | None:
    """The tools that a span defines; None when it does not say.

    Raises:
        ValueError: they are not tools.
    """
    value = loosened(value)
    if isinstance(value, list):
        value = [loosened(item) for item in value]
    return tools_of(value)


def instructions(value: Any) -> tuple[Message, ...]:
    """System instructions, which are text, a list of parts, or parts of messages."""
    parts = Parts("system")
    value = loosened(value)
    for part in value if isinstance(value, list) else (value,):
        add_part(parts, part)
    return parts.messages() if parts.parts else ()


def messages_of(value: Any) -> tuple[Message, ...]:
    """Messages with parts, from JSON text or a list.

    Raises:
        ValueError: they are not messages.
    """
    value = loosened(value)
    if isinstance(value, str):
        raise ValueError("messages are not JSON")
    if not isinstance(value, Sequence):
        raise ValueError("messages is not a list")
    return tuple(message for item in value for message in message_of(item))


def message_of(value: Any) -> tuple[Message, ...]:
    """One message; several results of tools in one become messages of their own.

    Raises:
        ValueError: it is not a message.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        raise ValueError("a message has no role")
    if not isinstance(value.get("parts"), list):
        return (openai_message(value),)
    parts = Parts(value["role"], as_text(value.get("name")) if isinstance(value.get("name"), str) else None)
    for part in value["parts"]:
        add_part(parts, part)
    return parts.messages()


def add_part(parts: Parts, part: Any) -> None:
    """Add one part as the conventions, and the libraries before them, spell it."""
    if not isinstance(part, Mapping):
        parts.text(part)
        return
    kind = part.get("type")
    if kind == "text" and ("content" in part or "text" in part):
        parts.text(part.get("content", part.get("text")))
    elif kind == "tool_call":
        parts.call(part.get("id"), part.get("name"), part.get("arguments"))
    elif kind == "tool_call_response":
        content = next((part[key] for key in ("response", "result", "content") if part.get(key) is not None), None)
        parts.result(part.get("id"), content, part.get("name"))
    elif kind == "refusal":
        parts.refusal = as_text(part.get("content", part.get("refusal")))
    elif kind in ("reasoning", "thinking"):
        return
    elif kind in ("uri", "image-url", "document-url", "audio-url", "video-url") and (
        part.get("uri") or part.get("url")
    ):
        parts.image(part.get("uri") or part.get("url"))
    elif kind in ("blob", "binary"):
        parts.data(
            part.get("mime_type") or part.get("media_type") or part.get("modality"),
            part.get("content") or part.get("data"),
        )
    else:
        add_openai_part(parts, part)


def from_log(log: RawLog) -> Span | None:
    """The part of a call that a log record tells; None for records that tell nothing of one.

    Raises:
        ValueError: its messages are damaged.
    """
    body = log.body if isinstance(log.body, Mapping) else {}
    if log.name == DETAILS:
        given = {**{key: value for key, value in body.items() if key.startswith("gen_ai.")}, **log.attributes}
        kind = kind_of(given, "")
        found = call(given, log.place) if kind == "llm" else step(given)
        return Span(
            format=_format_of(given),
            ended=log.time or None,
            place=log.place,
            span_id=log.span_id,
            trace_id=log.trace_id,
            kind=kind,
            **{**ids(given), **found},
        )
    event = message_event(log.name, log.time, body)
    if event is None:
        return None
    return Span(format=EVENTS, place=log.place, span_id=log.span_id, trace_id=log.trace_id, kind="llm", events=(event,))
