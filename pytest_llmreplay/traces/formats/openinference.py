"""OpenInference: spans whose attributes are a tree written out key by key, as Phoenix and others collect them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import messages_of as openai_messages
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats import anthropic, openai_chat, otel_genai
from pytest_llmreplay.traces.formats.otlp import RawSpan
from pytest_llmreplay.traces.jsonable import as_float, as_text
from pytest_llmreplay.traces.loose import loosened, unflattened
from pytest_llmreplay.traces.parts import Parts
from pytest_llmreplay.traces.spans import Span, SpanKind

NAME = "openinference"
_KINDS: dict[str, SpanKind] = {
    "LLM": "llm",
    "TOOL": "tool",
    "RETRIEVER": "retrieval",
    "RERANKER": "retrieval",
    "GUARDRAIL": "guardrail",
}


def accepts(span: RawSpan) -> bool:
    """A span that says its kind as OpenInference does."""
    return "openinference.span.kind" in span.attributes


def read(span: RawSpan) -> Span:
    """The call or the step that the span is.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    tree = unflattened(span.attributes)
    kind = _KINDS.get(str(fields.first(tree, "openinference.span.kind")).upper(), "other")
    metadata = loosened(fields.first(tree, "metadata"))
    tags = loosened(fields.first(tree, "tag.tags"))
    own = fields.without(metadata) if isinstance(metadata, Mapping) else {}
    inner = fields.ids(metadata)
    common = {
        **span.common(),
        "session_id": fields.text(tree, "session.id") or inner["session_id"],
        "user_id": fields.text(tree, "user.id") or inner["user_id"],
        "conversation_id": inner["conversation_id"],
        "prompt_version": fields.text(tree, "llm.prompt_template.version")
        or fields.text(metadata, *fields.PROMPT_VERSION),
        "metadata": {**otel_genai.metadata(span), **own, **({"tags": tags} if isinstance(tags, list) and tags else {})},
    }
    found = _call(tree) if kind == "llm" else _step(tree, kind)
    return Span(format=NAME, kind=kind, **{**common, **found})


def _call(tree: Any) -> dict[str, Any]:
    given, answered = loosened(fields.first(tree, "input.value")), loosened(fields.first(tree, "output.value"))
    asked, lost = _messages(fields.first(tree, "llm.input_messages"))
    output, _ = _messages(fields.first(tree, "llm.output_messages"))
    if (
        isinstance(given, Mapping)
        and isinstance(given.get("messages"), list)
        and len(given["messages"]) > len(asked or ())
    ):
        asked, lost = _whole(given), ()
    choice = openai_chat.first_choice(answered) if isinstance(answered, Mapping) else None
    if choice is not None and (not output or _says_nothing(output[-1])):
        output = openai_chat.output_of(answered) or output
    parameters = loosened(fields.first(tree, "llm.invocation_parameters"))
    parameters = fields.without(parameters, "model", "messages", "tools") if isinstance(parameters, Mapping) else {}
    return {
        "messages": asked,
        "output": output or None,
        "tools": _tools(tree) or (() if asked else None),
        "model": fields.text(tree, "llm.model_name"),
        "request_model": fields.text(loosened(fields.first(tree, "llm.invocation_parameters")), "model"),
        "parameters": parameters,
        "finish_reason": fields.finish_reason(
            fields.first(tree, "llm.finish_reason") or (choice or {}).get("finish_reason")
        ),
        "response_id": fields.text(answered, "id"),
        "cost_usd": as_float(fields.first(tree, "llm.cost.total")),
        "lost": lost,
        **fields.usage(
            {
                "input_tokens": fields.first(tree, "llm.token_count.prompt"),
                "output_tokens": fields.first(tree, "llm.token_count.completion"),
            }
        ),
    }


def _whole(given: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of the raw request, which no limit on attributes has cut."""
    if "system" in given:
        return anthropic.messages_of(given)[0]
    return openai_messages(given["messages"])


def _says_nothing(message: Message) -> bool:
    return not message.content and not message.tool_calls and message.content_parts is None and message.refusal is None


def _tools(tree: Any) -> tuple[Tool, ...] | None:
    found = fields.first(tree, "llm.tools")
    schemas = (
        [loosened(fields.first(item, "tool.json_schema")) for item in found or ()] if isinstance(found, list) else []
    )
    return tools_of([schema for schema in schemas if schema]) if schemas else None


def _messages(found: Any) -> tuple[tuple[Message, ...] | None, tuple[str, ...]]:
    if not isinstance(found, list):
        return None, ()
    inner = [fields.first(item, "message") for item in found]
    gaps = sum(not isinstance(item, Mapping) or not item.get("role") for item in inner)
    lost = (f"{gaps} messages, cut by a limit on attributes",) if gaps else ()
    messages = [_message(item) for item in inner if isinstance(item, Mapping) and item.get("role")]
    return (tuple(messages) or None), lost


def _message(item: Mapping[str, Any]) -> Message:
    parts = Parts(as_text(item["role"]) or "user")
    contents = item.get("contents")
    if item.get("content") is not None or not isinstance(contents, list):
        parts.text(fields.content_text(item.get("content")))
    for content in contents if isinstance(contents, list) and item.get("content") is None else ():
        _add_content(parts, fields.first(content, "message_content"))
    calls = item.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        inner = fields.first(call, "tool_call")
        if inner is not None:
            parts.call(
                fields.text(inner, "id"),
                fields.first(inner, "function.name"),
                fields.first(inner, "function.arguments"),
            )
    own = parts.messages()[-1]
    return Message(
        own.role,
        own.content,
        own.content_parts,
        own.tool_calls,
        fields.text(item, "tool_call_id"),
        fields.text(item, "name"),
        fields.text(item, "refusal"),
    )


def _add_content(parts: Parts, content: Any) -> None:
    if fields.first(content, "type") == "image" or fields.first(content, "image") is not None:
        parts.image(fields.first(content, "image.image.url", "image.url"))
    elif fields.first(content, "text") is not None or fields.first(content, "type") == "text":
        parts.text(fields.first(content, "text") or "")
    elif isinstance(content, Mapping):
        parts.other(content)


def _step(tree: Any, kind: SpanKind) -> dict[str, Any]:
    if kind == "other":
        return {}
    documents = fields.first(tree, "retrieval.documents", "reranker.output_documents")
    names = (
        [fields.text(d, "document.id", "document.metadata.id") for d in documents or ()]
        if isinstance(documents, list)
        else []
    )
    result = fields.first(tree, "output.value")
    if result is None and documents:
        result = documents
    return {
        **({"name": fields.text(tree, "tool.name")} if fields.text(tree, "tool.name") else {}),
        "tool_call_id": fields.text(tree, "tool_call.id", "tool.id"),
        "input": fields.content_text(fields.first(tree, "input.value")),
        "result": fields.content_text(result),
        "document_ids": tuple(name for name in names if name),
    }
