"""A conversation in canonical form: OpenAI chat messages and the tool schemas offered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from pytest_llmreplay.model.canonical import canonical_json, digest

Effect = Literal["read", "write"]

UNAVAILABLE = "unavailable"
"""Type of a content part that stands for a medium, or a whole message, which the log does not hold."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model wrote it; `arguments` is its JSON text, which may be malformed."""

    id: str | None
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message.

    `content` is its text; `content_parts` is the JSON of all parts when the message has more than text.
    """

    role: str
    content: str | None = None
    content_parts: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    refusal: str | None = None

    @classmethod
    def from_openai(cls, data: Mapping[str, Any]) -> Message:
        """Read an OpenAI chat message, or the same in this project's flat form.

        Raises:
            ValueError: the message has no role, or content that is neither text nor parts.
        """
        role = data.get("role")
        if not isinstance(role, str) or not role:
            raise ValueError("a message has no role")
        content, parts = _content(data.get("content"))
        given_parts = data.get("content_parts")
        if given_parts is not None:
            parts = given_parts if isinstance(given_parts, str) else json.dumps(given_parts, ensure_ascii=False)
        calls = data.get("tool_calls") or ()
        if not isinstance(calls, Sequence) or isinstance(calls, str):
            raise ValueError("tool_calls is not a list")
        tool_calls = tuple(tool_call_from_openai(call) for call in calls)
        legacy = data.get("function_call")
        if isinstance(legacy, Mapping) and not tool_calls:
            tool_calls = (tool_call_from_openai(legacy),)
        return cls(
            role=role,
            content=content,
            content_parts=parts,
            tool_calls=tool_calls,
            tool_call_id=_text_or_none(data.get("tool_call_id")),
            name=_text_or_none(data.get("name")),
            refusal=_text_or_none(data.get("refusal")),
        )

    def to_openai(self) -> dict[str, Any]:
        """The message as an OpenAI-compatible endpoint takes it; what is absent is left out."""
        message: dict[str, Any] = {"role": self.role}
        message["content"] = json.loads(self.content_parts) if self.content_parts else self.content
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id or f"call_{index}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for index, call in enumerate(self.tool_calls)
            ]
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            message["name"] = self.name
        if self.refusal is not None:
            message["refusal"] = self.refusal
        return message


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool offered to the model; `parameters` is a JSON Schema as text."""

    name: str
    description: str | None = None
    parameters: str | None = None
    effect: Effect | None = None

    @classmethod
    def from_openai(cls, data: Mapping[str, Any]) -> Tool:
        """Read an OpenAI tool (`{type, function: {...}}`) or the flat form (`{name, parameters}`).

        Raises:
            ValueError: the tool has no name or an unknown effect.
        """
        function = data.get("function")
        body = function if isinstance(function, Mapping) else data
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise ValueError("a tool has no name")
        parameters = body.get("parameters", body.get("input_schema"))
        if parameters is not None and not isinstance(parameters, str):
            parameters = json.dumps(parameters, ensure_ascii=False)
        effect = data.get("effect", body.get("effect"))
        if effect not in (None, "read", "write"):
            raise ValueError(f"tool '{name}' has effect {effect!r}; allowed: read, write")
        return cls(name, _text_or_none(body.get("description")), parameters, effect)

    def to_openai(self) -> dict[str, Any]:
        """The tool as an OpenAI-compatible endpoint takes it."""
        function: dict[str, Any] = {"name": self.name}
        if self.description is not None:
            function["description"] = self.description
        if self.parameters is not None:
            function["parameters"] = json.loads(self.parameters)
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened beside the chat: a retrieval, a guardrail, or another span of the application."""

    turn: int
    kind: Literal["retrieval", "guardrail", "other"]
    name: str | None = None
    input: str | None = None
    output: str | None = None
    document_ids: tuple[str, ...] = ()
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One production conversation; None means that the log does not say.

    `feedback` holds scores by name, `metadata` whatever else the log kept. Times are ISO 8601, `latency_s` seconds,
    `cost_usd` US dollars. `source_file` and `record` (from 1) say where it was read.
    """

    conversation_id: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] | None = None
    started_at: str | None = None
    ended_at: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    segment: str | None = None
    steps: tuple[Step, ...] = ()
    feedback: Mapping[str, Any] = field(default_factory=dict)
    latency_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    error: str | None = None
    finish_reason: str | None = None
    format: str | None = None
    source_file: str | None = None
    record: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """A user message and all that the assistant does until the next one; `number` counts from 1.

    `start` and `stop` are indexes into the conversation's messages, as for `range`.
    """

    number: int
    start: int
    stop: int


def turns_of(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """The turns of a conversation; what stands before the first user message belongs to none."""
    starts = [index for index, message in enumerate(messages) if message.role == "user"]
    stops = [*starts[1:], len(messages)] if starts else []
    return tuple(
        Turn(number, start, stop) for number, (start, stop) in enumerate(zip(starts, stops, strict=True), start=1)
    )


def last_assistant_turn(messages: Sequence[Message]) -> int | None:
    """Number of the last turn in which the assistant said or did something, or None when there is none."""
    for turn in reversed(turns_of(messages)):
        if any(message.role == "assistant" for message in messages[turn.start : turn.stop]):
            return turn.number
    return None


@lru_cache(maxsize=256)
def tools_json(tools: tuple[Tool, ...]) -> str:
    """The tools as the canonical JSON of a request; kept, since the cases of a suite mostly share them."""
    return canonical_json([tool.to_openai() for tool in tools])


@lru_cache(maxsize=256)
def tools_digest(tools: tuple[Tool, ...]) -> str:
    """Digest of the tools and their effects."""
    return digest([tools_json(tools), [tool.effect for tool in tools]])


def lost_in(message: Message) -> str | None:
    """What the log does not hold of a message, such as `image/png` or `text`; None when it is whole."""
    if message.content_parts is not None and f'"{UNAVAILABLE}"' in message.content_parts:
        parts = json.loads(message.content_parts)
        lost = [part for part in parts if isinstance(part, Mapping) and part.get("type") == UNAVAILABLE]
        return str(lost[0].get("media") or "a medium") if lost else None
    said = message.content is not None or message.content_parts or message.tool_calls or message.refusal is not None
    return None if said else "text"


def calls_of(messages: Sequence[Message]) -> tuple[ToolCall, ...]:
    """All tool calls of the messages, in order."""
    return tuple(call for message in messages if message.role == "assistant" for call in message.tool_calls)


def tool_call_from_openai(data: Any) -> ToolCall:
    """Read `{id, function: {name, arguments}}` or the flat `{id, name, arguments}`.

    Raises:
        ValueError: it is not a mapping, or has no name.
    """
    if not isinstance(data, Mapping):
        raise ValueError("a tool call is not a mapping")
    function = data.get("function")
    body = function if isinstance(function, Mapping) else data
    name = body.get("name")
    if not isinstance(name, str):
        raise ValueError("a tool call has no name")
    arguments = body.get("arguments")
    if arguments is None:
        arguments = ""
    elif not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(_text_or_none(data.get("id")), name, arguments)


def _content(content: Any) -> tuple[str | None, str | None]:
    if content is None or isinstance(content, str):
        return content, None
    if not isinstance(content, Sequence):
        raise ValueError(f"content is {type(content).__name__}, neither text nor a list of parts")
    texts = [part if isinstance(part, str) else _part_text(part) for part in content]
    only_text = all(text is not None for text in texts)
    joined = "".join(text for text in texts if text is not None)
    return joined, None if only_text else json.dumps(list(content), ensure_ascii=False)


def _part_text(part: Any) -> str | None:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str) and part.get("type", "text") == "text":
        text: str = part["text"]
        return text
    return None


def _text_or_none(value: Any) -> str | None:
    return None if value is None else str(value)
