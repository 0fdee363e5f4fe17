"""Every text of a case that came from a conversation, each with its place, seen and put back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.case import Case, RecordedResult
from pytest_llmreplay.model.conversation import Conversation, Message, Step, ToolCall
from pytest_llmreplay.promote.redact.fields import fields_in
from pytest_llmreplay.promote.redact.places import Places

DEEPEST = 60
_MEDIUM = re.compile(r"data:(?:image|audio|video|font|application)/[\w.+-]+(?:;[\w.=-]+)*;base64,[A-Za-z0-9+/=_\s-]*")


class Place(NamedTuple):
    """Where a text stands, and the kind of personal value that its place is for."""

    path: str
    kind: str | None = None


Visit = Callable[[str, Place], str]


@dataclass(frozen=True, slots=True)
class Walk:
    """Visits every text; what `visit` returns stands in its place afterwards."""

    visit: Visit
    places: Places

    def case(self, case: Case) -> Case:
        """The case with every text visited; its tools are the application's own and are left alone."""
        return replace(
            case,
            title=self._optional(case.title, "title"),
            summary=self._optional(case.summary, "summary"),
            intent=self._optional(case.intent, "intent"),
            tags=tuple(self.visit(tag, Place("tags")) for tag in case.tags),
            messages=self.messages(case.messages),
            vars=self.data(case.vars, "vars"),
            steps=tuple(self._step(step, f"steps[{i}]") for i, step in enumerate(case.steps)),
            recorded_results=tuple(
                self._result(result, f"recorded_results[{i}]") for i, result in enumerate(case.recorded_results)
            ),
            expect=self.data(case.expect, "expect", bare_name=False),
            metadata=self.data(case.metadata, "metadata", bare_name=False),
            provenance=replace(
                case.provenance,
                trace_id=self._optional(case.provenance.trace_id, "provenance.trace_id"),
                source_file=self._optional(case.provenance.source_file, "provenance.source_file"),
                correlation_ids=self.data(case.provenance.correlation_ids, "correlation_ids", bare_name=False),
            ),
        )

    def conversation(self, conversation: Conversation) -> Conversation:
        """A conversation with every text visited."""
        return replace(
            conversation,
            messages=self.messages(conversation.messages),
            steps=tuple(self._step(step, f"steps[{i}]") for i, step in enumerate(conversation.steps)),
            user_id=self._optional(conversation.user_id, "user_id", "user_id"),
            session_id=self._optional(conversation.session_id, "session_id", "session_id"),
            error=self._optional(conversation.error, "error"),
            feedback=self.data(conversation.feedback, "feedback", bare_name=False),
            metadata=self.data(conversation.metadata, "metadata", bare_name=False),
        )

    def messages(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Messages with every text visited."""
        return tuple(self._message(message, f"messages[{i}]") for i, message in enumerate(messages))

    def data(self, value: Any, path: str, kind: str | None = None, *, bare_name: bool = True, depth: int = 0) -> Any:
        """Plain data with every text, whole number and key visited; text that is JSON is looked into."""
        if isinstance(value, str):
            return self.text(value, path, kind, bare_name=bare_name, depth=depth)
        if isinstance(value, bool) or value is None or depth > DEEPEST:
            return value
        if isinstance(value, int | float):
            return self._number(value, Place(path, kind))
        if isinstance(value, Mapping):
            return self._mapping(value, path, kind, bare_name, depth)
        if isinstance(value, list | tuple):
            return [
                self.data(item, f"{path}[{i}]", kind, bare_name=bare_name, depth=depth + 1)
                for i, item in enumerate(value)
            ]
        return value

    def _number(self, value: float, place: Place) -> Any:
        whole = isinstance(value, int) or value.is_integer()
        written = str(int(value)) if whole else str(value)
        visited = self.visit(written, place) if whole or place.kind else written
        if visited == written:
            return value
        # A fake of the same form is a number again, so that the tool's schema still holds.
        return type(value)(visited) if visited.isdecimal() and visited.isascii() else visited

    def text(self, text: str, path: str, kind: str | None = None, *, bare_name: bool = True, depth: int = 0) -> str:
        """A text visited; a JSON object or list in it is visited part by part and spelt anew where one changed."""
        if _MEDIUM.fullmatch(text):
            return text
        if kind is None and text.lstrip()[:1] in ("{", "[", '"') and depth < DEEPEST:
            try:
                data = json.loads(text)
            except (ValueError, RecursionError):
                data = None
            if isinstance(data, dict | list | str):
                visited = self.data(data, path, None, bare_name=bare_name, depth=depth + 1)
                return text if visited == data else _spelt_like(text, visited)
        if kind is None and any(sign in text for sign in ":=<|"):
            text = self._fields(text, path, bare_name)
        return self.visit(text, Place(path, kind))

    def _fields(self, text: str, path: str, bare_name: bool) -> str:
        """A text in which fields are spelt out: what stands at a typed place is visited as such."""

        def kind_of(key: str) -> str | None:
            return self.places.kind_of(key, None, bare_name=bare_name)

        for field in reversed(fields_in(text, kind_of)):
            visited = self.visit(text[field.start : field.stop], Place(f"{path}.{field.key}", field.kind))
            text = text[: field.start] + visited + text[field.stop :]
        return text

    def _mapping(self, value: Mapping[Any, Any], path: str, kind: str | None, bare_name: bool, depth: int) -> Any:
        visited = {}
        for key, item in value.items():
            name = str(key)
            below = self.places.kind_of(name, kind, bare_name=bare_name, holder=_last(path), value=item)
            new_name = self.visit(name, Place(f"{path}.{name}"))
            inside = bare_name or name in ("args", "arguments")
            item_path = f"{path}.{name}" if new_name == name else f"{path}.(a key)"
            visited[new_name] = self.data(item, item_path, below, bare_name=inside, depth=depth + 1)
        return visited

    def _message(self, message: Message, path: str) -> Message:
        return replace(
            message,
            content=self._optional_text(message.content, f"{path}.content"),
            content_parts=self._optional_text(message.content_parts, f"{path}.content_parts"),
            tool_calls=tuple(
                ToolCall(call.id, call.name, self.text(call.arguments, f"{path}.tool_calls[{i}].arguments"))
                for i, call in enumerate(message.tool_calls)
            ),
            name=self._optional(message.name, f"{path}.name", "name" if message.role == "user" else None),
            refusal=self._optional(message.refusal, f"{path}.refusal"),
        )

    def _step(self, step: Step, path: str) -> Step:
        return replace(
            step,
            input=self._optional_text(step.input, f"{path}.input"),
            output=self._optional_text(step.output, f"{path}.output"),
            document_ids=tuple(self.visit(name, Place(f"{path}.document_ids")) for name in step.document_ids),
        )

    def _result(self, result: RecordedResult, path: str) -> RecordedResult:
        arguments = self.text(result.arguments, f"{path}.arguments")
        return replace(
            result,
            arguments=result.arguments if arguments == result.arguments else canonical_arguments(arguments),
            result=self.text(result.result, f"{path}.result"),
            source=self.visit(result.source, Place(f"{path}.source")),
        )

    def _optional_text(self, text: str | None, path: str) -> str | None:
        return None if text is None else self.text(text, path)

    def _optional(self, text: str | None, path: str, kind: str | None = None) -> str | None:
        return None if text is None else self.visit(text, Place(path, kind))


def all_text(case: Case, places: Places) -> str:
    """Every text of a case, one after the other."""
    texts: list[str] = []

    def visit(text: str, _place: Place) -> str:
        texts.append(text)
        return text

    Walk(visit, places).case(case)
    return "\n".join(texts)


def _last(path: str) -> str:
    """The last name in a path, without the number of an item."""
    return re.sub(r"(?:\[\d+\])+$", "", path).rpartition(".")[2]


def _spelt_like(text: str, data: Any) -> str:
    """JSON of `data` with the separators and escapes that `text` uses."""
    compact = '": ' not in text and '", ' not in text
    separators = (",", ":") if compact else (", ", ": ")
    indent = 2 if re.match(r"\s*[{\[]\n", text) else None
    if indent is not None:
        separators = (",", ": ")
    return json.dumps(data, ensure_ascii=text.isascii() and "\\u" in text, separators=separators, indent=indent)
