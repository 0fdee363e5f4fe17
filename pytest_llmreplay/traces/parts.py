"""Messages that are lists of parts, as most systems have them, made into canonical messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_llmreplay.model.conversation import UNAVAILABLE, Message, ToolCall
from pytest_llmreplay.traces.jsonable import as_text, dump, jsonable

_MARKERS = (
    (re.compile(r"\[base64_data truncated[^\]]*\]"), "truncated by the logger"),
    (re.compile(r"@@@langfuseMedia:[^@]*@@@"), "stored apart from the log"),
    (
        re.compile(r"<(?:truncated|redacted|omitted)[^>]*>|\[(?:truncated|redacted|omitted)[^\]]*\]", re.IGNORECASE),
        "removed by the logger",
    ),
)


@dataclass(slots=True)
class Parts:
    """The parts of one message, as they are met."""

    role: str
    name: str | None = None
    parts: list[dict[str, Any]] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)
    refusal: str | None = None

    def text(self, text: Any) -> None:
        """Add text; None adds nothing."""
        if text is not None:
            self.parts.append({"type": "text", "text": as_text(text) or ""})

    def image(self, url: Any) -> None:
        """Add an image by its address, which may be a `data:` address."""
        self.parts.append({"type": "image_url", "image_url": {"url": as_text(url) or ""}})

    def data(self, mime: Any, content: Any) -> None:
        """Add inline data in base64 of a media type."""
        mime, content = as_text(mime) or "application/octet-stream", as_text(content)
        content = content.replace("-", "+").replace("_", "/") if content else content
        if not content:
            self.missing(mime, "not in the log")
        elif mime.startswith("image/"):
            self.image(f"data:{mime};base64,{content}")
        elif mime.startswith("audio/"):
            self.parts.append({"type": "input_audio", "input_audio": {"data": content, "format": mime.split("/")[1]}})
        else:
            self.parts.append({"type": "file", "file": {"file_data": f"data:{mime};base64,{content}"}})

    def missing(self, media: str, reason: str) -> None:
        """Mark a medium that the log does not hold."""
        self.parts.append({"type": UNAVAILABLE, "media": media, "reason": reason})

    def other(self, part: Mapping[str, Any]) -> None:
        """Add a part that has no canonical form, as it is."""
        self.parts.append(dict(jsonable(part)))

    def call(self, call_id: Any, name: Any, arguments: Any) -> None:
        """Add a tool call.

        Raises:
            ValueError: the call has no name.
        """
        if not isinstance(name, str):
            raise ValueError("a tool call has no name")
        text = "" if arguments is None else arguments if isinstance(arguments, str) else dump(jsonable(arguments))
        self.calls.append(ToolCall(as_text(call_id), name, text))

    def result(self, call_id: Any, content: Any, name: Any = None) -> None:
        """Add a tool's result, which is a message of its own."""
        text, parts = content_of(content)
        self.results.append(
            Message("tool", text, content_parts=parts, tool_call_id=as_text(call_id), name=as_text(name))
        )

    def messages(self) -> tuple[Message, ...]:
        """The tool results, then the message itself unless it held nothing but results.

        Raises:
            ValueError: the message has no role.
        """
        if not self.role:
            raise ValueError("a message has no role")
        if self.results and not self.parts and not self.calls and self.refusal is None:
            return tuple(self.results)
        texts = [part["text"] for part in self.parts if part["type"] == "text"]
        only_text = len(texts) == len(self.parts)
        own = Message(
            self.role,
            "".join(texts) if texts else None,
            content_parts=None if only_text else dump(self.parts),
            tool_calls=tuple(self.calls),
            name=self.name,
            refusal=self.refusal,
        )
        return (*self.results, own)


def content_of(content: Any) -> tuple[str | None, str | None]:
    """Content as text and, when it is more than text, as the JSON of its parts; other data becomes JSON text."""
    if content is None or isinstance(content, str):
        return content, None
    if isinstance(content, Sequence) and content and all(_is_part(part) for part in content):
        parts = Parts("tool")
        for part in content:
            add_openai_part(parts, part)
        own = parts.messages()[-1]
        return own.content, own.content_parts
    return dump(jsonable(content)), None


def _is_part(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("type"), str) and len(part) > 1


def add_openai_part(parts: Parts, part: Any) -> None:
    """Add one part in OpenAI's or Anthropic's spelling; what neither knows is kept as it is."""
    if isinstance(part, str):
        parts.text(part)
        return
    if not isinstance(part, Mapping):
        parts.text(dump(jsonable(part)))
        return
    kind = part.get("type")
    if kind in ("text", "input_text", "output_text") and "text" in part:
        parts.text(part["text"])
    elif kind == "refusal":
        parts.refusal = as_text(part.get("refusal"))
    elif kind == "input_image":
        parts.image(part.get("image_url"))
    elif kind in ("image", "document") and isinstance(part.get("source"), Mapping):
        _add_source(parts, part["source"], str(kind))
    else:
        parts.other(part)


def _add_source(parts: Parts, source: Mapping[str, Any], kind: str) -> None:
    """Add Anthropic's source of an image or a document."""
    if source.get("type") == "url":
        parts.image(source.get("url"))
    elif source.get("type") == "base64":
        parts.data(source.get("media_type"), source.get("data"))
    elif source.get("type") == "text":
        parts.text(source.get("data"))
    else:
        parts.other({"type": kind, "source": source})


def with_marked_media(message: Message) -> tuple[Message, bool]:
    """The message with media that the logger cut or stored elsewhere marked as such; whether there were any."""
    if message.content_parts is None and not _marker(message.content or ""):
        return message, False
    if message.content_parts is None:
        return message, "@@@langfuseMedia:" in (message.content or "") or "[base64_data truncated" in (
            message.content or ""
        )
    parts = json.loads(message.content_parts)
    if not isinstance(parts, list):
        return message, False
    marked = [_marked(part) for part in parts]
    lost = any(isinstance(part, dict) and part.get("type") == UNAVAILABLE for part in marked)
    return (replace(message, content_parts=dump(marked)) if marked != parts else message), lost


def _marked(part: Any) -> Any:
    if not isinstance(part, dict) or part.get("type") in ("text", UNAVAILABLE):
        return part
    text = dump(part)
    reason = _marker(text)
    if reason is None:
        return part
    kind = str(part.get("type", "media")).removeprefix("input_").removesuffix("_url")
    return {"type": UNAVAILABLE, "media": kind, "reason": reason}


def _marker(text: str) -> str | None:
    return next((reason for pattern, reason in _MARKERS if pattern.search(text)), None)
