"""Traceloop up to 0.4x: one attribute for every field of every message; and its spans for workflows and tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.chat import tools_of
from pytest_llmreplay.traces.formats import otel_genai
from pytest_llmreplay.traces.formats.otlp import RawSpan
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.loose import loosened, unflattened
from pytest_llmreplay.traces.parts import Parts, add_openai_part
from pytest_llmreplay.traces.spans import Span, SpanKind

NAME, LEGACY = "otel_traceloop", "otel_traceloop_legacy"
_KEY = re.compile(r"gen_ai\.(prompt|completion)\.\d+\.")
_SCOPE = "opentelemetry.instrumentation.openai.v"
_KINDS: dict[str, SpanKind] = {"tool": "tool"}


def is_legacy(span: RawSpan) -> bool:
    """A span whose messages are spread over attributes."""
    return "llm.request.type" in span.attributes or any(_KEY.match(key) for key in span.attributes)


def accepts(span: RawSpan) -> bool:
    """Any span of Traceloop."""
    return (
        is_legacy(span) or span.scope.startswith(_SCOPE) or any(key.startswith("traceloop.") for key in span.attributes)
    )


def read(span: RawSpan) -> Span:
    """The call or the step that the span is.

    Raises:
        ValueError: its messages or tools are damaged.
    """
    legacy = is_legacy(span)
    kind = "llm" if legacy else _kind(span)
    found = otel_genai.call(span.attributes, span.place) if kind == "llm" else otel_genai.step(span.attributes)
    if legacy:
        found = {**found, **_legacy(span.attributes)}
    common = {**span.common(), **otel_genai.ids(span.attributes), "metadata": otel_genai.metadata(span)}
    return Span(format=LEGACY if legacy else NAME, kind=kind, **{**common, **found, "error": common["error"]})


def _kind(span: RawSpan) -> SpanKind:
    own = _KINDS.get(str(span.attributes.get("traceloop.span.kind")))
    if own is None and "traceloop.span.kind" in span.attributes:
        return "guardrail" if "guardrail" in span.name.lower() else "other"
    return own or otel_genai.kind_of(span.attributes, span.name)


def _legacy(attributes: Mapping[str, Any]) -> dict[str, Any]:
    tree = unflattened(
        {
            key: value
            for key, value in attributes.items()
            if key.startswith(("gen_ai.prompt", "gen_ai.completion", "llm."))
        }
    )
    asked, lost = _messages(fields.first(tree, "gen_ai.prompt"))
    answered, _ = _messages(fields.first(tree, "gen_ai.completion"), role="assistant")
    functions = fields.first(tree, "llm.request.functions")
    tools = [{**f, "parameters": loosened(f.get("parameters"))} for f in functions or () if isinstance(f, Mapping)]
    reasons = fields.first(tree, "gen_ai.completion")
    reason = (
        reasons[0].get("finish_reason")
        if isinstance(reasons, list) and reasons and isinstance(reasons[0], Mapping)
        else None
    )
    return {
        "messages": asked,
        "output": answered,
        "tools": tools_of(tools) if tools else (() if asked else None),
        "finish_reason": fields.finish_reason(reason),
        "lost": lost,
    }


def _messages(found: Any, role: str = "") -> tuple[tuple[Message, ...] | None, tuple[str, ...]]:
    """The messages by number, as far as they are there; and what is not.

    Missing numbers were cut by a limit on attributes. From a message with an image on, nothing is written but the role.
    """
    if not isinstance(found, list):
        return None, ()
    gaps = sum(item is None for item in found)
    lost = (f"{gaps} messages, cut by a limit on attributes",) if gaps else ()
    messages = [_message(item, role) for item in found if isinstance(item, Mapping)]
    whole = [message for message in messages if message is not None]
    broken = next(
        (i for i, m in enumerate(whole) if m.role == "user" and m.content is None and m.content_parts is None), None
    )
    if broken is not None:
        lost = (*lost, "the input of a call, from a message with an image on")
        whole = [message for message in whole[:broken] if message.role in ("system", "developer")]
    return (tuple(whole) if whole else None), lost


def _message(item: Mapping[str, Any], role: str) -> Message | None:
    role = fields.text(item, "role") or role
    if not role:
        return None
    parts = Parts(role)
    content = loosened(item.get("content"))
    if isinstance(content, list) and content and all(isinstance(p, Mapping) and "type" in p for p in content):
        for part in content:
            add_openai_part(parts, part)
    else:
        parts.text(item.get("content"))
    calls = item.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, Mapping):
            parts.call(call.get("id"), as_text(call.get("name")), call.get("arguments"))
    own = parts.messages()[-1]
    return Message(
        role,
        own.content,
        own.content_parts,
        own.tool_calls,
        fields.text(item, "tool_call_id"),
        refusal=fields.text(item, "refusal"),
    )
