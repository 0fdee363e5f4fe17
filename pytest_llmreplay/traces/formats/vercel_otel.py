"""The Vercel AI SDK's telemetry: spans `ai.generateText`, `ai.streamText` and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats import otel_genai
from pytest_llmreplay.traces.formats.otlp import RawSpan
from pytest_llmreplay.traces.jsonable import as_text, dump
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Span, SpanKind

NAME = "vercel_ai_otel"
_METADATA = "ai.telemetry.metadata."
_SETTINGS = "ai.settings."


def accepts(span: RawSpan) -> bool:
    """A span of the AI SDK."""
    return "ai.operationId" in span.attributes or str(span.attributes.get("operation.name", "")).startswith("ai.")


def read(span: RawSpan) -> Span:
    """The call or the step that the span is; the turn's own span is a step that holds the others.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    attributes = span.attributes
    operation = as_text(attributes.get("ai.operationId")) or span.name
    kind: SpanKind = (
        "tool" if operation == "ai.toolCall" else "llm" if operation.endswith((".doGenerate", ".doStream")) else "other"
    )
    if "embed" in operation:
        kind = "other"
    own = {key.removeprefix(_METADATA): value for key, value in attributes.items() if key.startswith(_METADATA)}
    known, spans = fields.ids(own), otel_genai.ids(attributes)
    function = as_text(attributes.get("ai.telemetry.functionId"))
    metadata = {
        **otel_genai.metadata(span),
        **fields.without(own, *fields.CONVERSATION, *fields.SESSION, *fields.USER),
        **({"function": function} if function else {}),
    }
    found = _call(attributes) if kind == "llm" else _tool(attributes) if kind == "tool" else {}
    common = {
        **span.common(),
        **{name: known[name] or spans[name] for name in known},
        "prompt_version": fields.text(own, *fields.PROMPT_VERSION),
        "metadata": metadata,
    }
    return Span(format=NAME, kind=kind, **{**common, **found})


def _tool(attributes: Mapping[str, Any]) -> dict[str, Any]:
    get = attributes.get
    return {
        "name": as_text(get("ai.toolCall.name")),
        "tool_call_id": as_text(get("ai.toolCall.id")),
        "input": as_text(get("ai.toolCall.args", get("ai.toolCall.input"))),
        "result": as_text(get("ai.toolCall.result", get("ai.toolCall.output"))),
    }


def _call(attributes: Mapping[str, Any]) -> dict[str, Any]:
    get = attributes.get
    prompt = loosened(get("ai.prompt.messages"))
    tools = get("ai.prompt.tools")
    tools = loosened(tools)
    settings = {key.removeprefix(_SETTINGS): value for key, value in attributes.items() if key.startswith(_SETTINGS)}
    requested = {
        key.removeprefix("gen_ai.request."): value
        for key, value in attributes.items()
        if key.startswith("gen_ai.request.") and key != "gen_ai.request.model"
    }
    return {
        "messages": tuple(message for item in prompt for message in message_of(item))
        if isinstance(prompt, list)
        else None,
        "output": _answer(attributes),
        "tools": _tools(tools) if tools is not None else (() if prompt is not None else None),
        "model": as_text(get("ai.response.model", get("gen_ai.response.model"))),
        "request_model": as_text(get("ai.model.id", get("gen_ai.request.model"))),
        "parameters": fields.without({**settings, **requested}),
        "finish_reason": fields.finish_reason(get("ai.response.finishReason")),
        "response_id": as_text(get("ai.response.id", get("gen_ai.response.id"))),
        "input_tokens": _count(
            attributes, "ai.usage.inputTokens", "ai.usage.promptTokens", "gen_ai.usage.input_tokens"
        ),
        "output_tokens": _count(
            attributes, "ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"
        ),
    }


def _count(attributes: Mapping[str, Any], *names: str) -> int | None:
    found = next((attributes[name] for name in names if attributes.get(name) is not None), None)
    return fields.usage({"input_tokens": found})["input_tokens"]


def _tools(value: Any) -> Any:
    """Each tool is a JSON text of its own."""
    found = [loosened(item) for item in value] if isinstance(value, list) else []
    plain = [{**t, "parameters": t.get("inputSchema", t.get("parameters"))} for t in found if isinstance(t, Mapping)]
    return tools_of([{key: item for key, item in tool.items() if key != "inputSchema"} for tool in plain])


def _answer(attributes: Mapping[str, Any]) -> tuple[Message, ...] | None:
    get = attributes.get
    text, calls = get("ai.response.text"), loosened(get("ai.response.toolCalls", get("ai.result.toolCalls")))
    if text is None:
        text = get("ai.response.object", get("ai.result.text"))
    if text is None and not calls:
        return None
    parts = Parts("assistant")
    if text or not calls:
        parts.text(as_text(text))
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            add_call(parts, call)
    return parts.messages()


def add_call(parts: Parts, call: Mapping[str, Any]) -> None:
    """Add a tool call, whose arguments are text in older versions and data in newer ones."""
    parts.call(call.get("toolCallId"), call.get("toolName"), call.get("input", call.get("args")))


def message_of(value: Any) -> tuple[Message, ...]:
    """One of the SDK's model messages.

    Raises:
        ValueError: it is not a message.
    """
    if not isinstance(value, Mapping) or not isinstance(value.get("role"), str):
        raise ValueError("a message has no role")
    parts = Parts(value["role"])
    content = value.get("content")
    for part in content if isinstance(content, list) else (content,):
        if not isinstance(part, Mapping):
            parts.text(part)
            continue
        kind = part.get("type")
        if kind == "tool-call":
            add_call(parts, part)
        elif kind == "tool-result":
            parts.result(
                part.get("toolCallId"), result_of(part.get("output", part.get("result"))), part.get("toolName")
            )
        elif kind in ("image", "file"):
            add_file(parts, part)
        elif kind != "reasoning":
            add_openai_part(parts, part)
    return parts.messages()


def add_file(parts: Parts, part: Mapping[str, Any]) -> None:
    """Add a file or an image: an address, a `data:` address, or base64."""
    media = as_text(part.get("mediaType") or part.get("mimeType") or part.get("mime_type")) or (
        "image/*" if part.get("type") == "image" else "file"
    )
    source = part.get("url") or part.get("image") or part.get("data")
    if isinstance(source, Mapping):
        source = source.get("url") or source.get("data")
    if not isinstance(source, str):
        parts.missing(media, "not in the log")
    elif source.startswith(("http://", "https://", "data:")):
        parts.image(source)
    else:
        parts.data(media, source)


def result_of(output: Any) -> Any:
    """A tool's result without the SDK's wrapper that says what kind of value it is."""
    if (
        isinstance(output, Mapping)
        and set(output) <= {"type", "value", "reason", "providerOptions"}
        and "type" in output
    ):
        value = output.get("value", output.get("reason"))
        return value if isinstance(value, str) else dump(value)
    return output
