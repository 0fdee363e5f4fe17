"""A case as the plain row that a Parquet file holds, and back, with every field looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, get_args

from pytest_llmreplay.model.case import (
    SCHEMA_VERSION,
    Case,
    CaseStatus,
    FailureCategory,
    FailureStage,
    Kind,
    Provenance,
    RecordedResult,
    Severity,
)
from pytest_llmreplay.model.conversation import Effect, Message, Step, Tool, ToolCall

WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "status": get_args(CaseStatus),
    "severity": get_args(Severity),
    "failure_category": get_args(FailureCategory),
    "failure_stage": get_args(FailureStage),
}
"""The columns that hold one of a few words, with these words."""

JSON_COLUMNS = ("vars", "expect", "metadata")

_OPTIONAL_TEXTS = ("title", "intent", "summary", "owner", "due", "occurred_at", "expires_at")
_MESSAGE_TEXTS = ("content", "content_parts", "tool_call_id", "name", "refusal")
_PROVENANCE_TEXTS = tuple(name for name in Provenance.__dataclass_fields__ if name not in ("row", "correlation_ids"))
_T = TypeVar("_T")


class FieldError(ValueError):
    """A field of a row that cannot be what it says; `field` is its path, `allowed` the words it may hold."""

    def __init__(self, field: str, reason: str, allowed: Sequence[str] | None = None) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.allowed = allowed


def row_of(case: Case) -> dict[str, Any]:
    """The row of a case, without its content digest."""
    row: dict[str, Any] = {name: getattr(case, name) for name in Case.__dataclass_fields__}
    row["tags"] = list(case.tags)
    row["messages"] = [message_row(message) for message in case.messages]
    row["tools"] = None if case.tools is None else [_plain(tool) for tool in case.tools]
    row["steps"] = [{**_plain(step), "document_ids": list(step.document_ids)} for step in case.steps]
    row["recorded_results"] = [_plain(result) for result in case.recorded_results]
    row["provenance"] = {**_plain(case.provenance), "correlation_ids": list(case.provenance.correlation_ids.items())}
    for name in JSON_COLUMNS:
        row[name] = json_text(row[name])
    return row


def message_row(message: Message) -> dict[str, Any]:
    """The row of a chat message."""
    return {**_plain(message), "tool_calls": [_plain(call) for call in message.tool_calls]}


def json_text(value: Any) -> str:
    """JSON of a value; mappings and tuples of any make are taken."""
    return json.dumps(value, ensure_ascii=False, default=_as_dict)


def case_from_row(row: Mapping[str, Any]) -> Case:
    """The case that a row holds; what a row leaves out has its default.

    Raises:
        FieldError: the first field that cannot be what it says.
    """
    version = whole(row, "schema_version", SCHEMA_VERSION)
    if version > SCHEMA_VERSION:
        raise FieldError("schema_version", f"is {version}, newer than this program knows ({SCHEMA_VERSION})")
    words: dict[str, Any] = {name: word(row, name) for name in WORDS}
    texts: dict[str, Any] = {name: text(row, name) for name in _OPTIONAL_TEXTS}
    documents: dict[str, Any] = {name: _document(row, name) for name in JSON_COLUMNS}
    messages = _each(row, "messages", message_from_row)
    turn = whole(row, "turn")
    turns = sum(message.role == "user" for message in messages)
    if not 1 <= turn <= turns:
        raise FieldError("turn", f"is {turn}, but the conversation has {turns} turns")
    return Case(
        case_id=required_text(row, "case_id"),
        suite=required_text(row, "suite"),
        messages=messages,
        turn=turn,
        tags=_texts(row, "tags"),
        tools=_tools(row),
        steps=_each(row, "steps", _step),
        recorded_results=_each(row, "recorded_results", _result),
        weight=_number(row, "weight", 1.0),
        provenance=_provenance(row),
        schema_version=version,
        **words,
        **texts,
        **documents,
    )


def message_from_row(row: Mapping[str, Any]) -> Message:
    """The chat message that a row holds.

    Raises:
        FieldError: a field of it cannot be what it says.
    """
    texts = {name: text(row, name) for name in _MESSAGE_TEXTS}
    if texts["content_parts"] is not None:
        _parsed(texts["content_parts"], "content_parts")
    calls = _each(row, "tool_calls", _call) if row.get("tool_calls") else ()
    return Message(role=required_text(row, "role"), tool_calls=calls, **texts)


def text(row: Mapping[str, Any], name: str) -> str | None:
    """A text or None.

    Raises:
        FieldError: it is something else.
    """
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    raise FieldError(name, "is not UTF-8" if isinstance(value, bytes) else f"is {type(value).__name__}, not text")


def required_text(row: Mapping[str, Any], name: str) -> str:
    """A text that is there and is not empty.

    Raises:
        FieldError: it is not.
    """
    value = text(row, name)
    if not value:
        raise FieldError(name, "is missing" if value is None else "is empty")
    return value


def word(row: Mapping[str, Any], name: str) -> str | None:
    """One of the words of a column of `WORDS`; only `kind` and `status` must be there.

    Raises:
        FieldError: it is another word, or missing.
    """
    value = row.get(name)
    if value is None and name not in ("kind", "status"):
        return None
    if value is None:
        raise FieldError(name, "is missing", WORDS[name])
    if value not in WORDS[name]:
        raise FieldError(name, f"is {value!r}; allowed: {', '.join(WORDS[name])}", WORDS[name])
    return str(value)


def whole(row: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """A whole number.

    Raises:
        FieldError: it is something else, or missing where there is no default.
    """
    value = row.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise FieldError(name, "is missing" if value is None else f"is {type(value).__name__}, not a whole number")


def _number(row: Mapping[str, Any], name: str, default: float) -> float:
    value = row.get(name)
    if value is None:
        return default
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    raise FieldError(name, f"is {value!r}, not a number of at least 0")


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = row.get(name)
    if values is None:
        return ()
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return tuple(values)
    raise FieldError(name, "is not a list of texts")


def _each(row: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any]], _T]) -> tuple[_T, ...]:
    values = row.get(name)
    if values is None:
        return ()
    if not isinstance(values, list):
        raise FieldError(name, f"is {type(values).__name__}, not a list")
    return tuple(_one(f"{name}[{index}]", value, read) for index, value in enumerate(values))


def _one(path: str, value: Any, read: Callable[[Mapping[str, Any]], _T]) -> _T:
    if not isinstance(value, Mapping):
        raise FieldError(path, "is missing" if value is None else f"is {type(value).__name__}, not a mapping")
    try:
        return read(value)
    except FieldError as error:
        raise FieldError(f"{path}.{error.field}", error.reason, error.allowed) from None


def _call(row: Mapping[str, Any]) -> ToolCall:
    name = text(row, "name")
    if name is None:
        raise FieldError("name", "is missing")
    return ToolCall(text(row, "id"), name, text(row, "arguments") or "")


def _tools(row: Mapping[str, Any]) -> tuple[Tool, ...] | None:
    values = row.get("tools")
    if values is None:
        return None
    try:
        return _read_tools(tuple(tuple(value.items()) for value in values))
    except (TypeError, AttributeError):
        return _each(row, "tools", _tool)


@lru_cache(maxsize=256)
def _read_tools(items: tuple[tuple[tuple[str, Any], ...], ...]) -> tuple[Tool, ...]:
    """Tools, once for all cases that share them, as the cases of a suite mostly do."""
    return _each({"tools": [dict(item) for item in items]}, "tools", _tool)


def _tool(row: Mapping[str, Any]) -> Tool:
    effect: Any = row.get("effect")
    if effect is not None and effect not in get_args(Effect):
        raise FieldError("effect", f"is {effect!r}; allowed: read, write", get_args(Effect))
    parameters = text(row, "parameters")
    if parameters is not None:
        _parsed(parameters, "parameters")
    return Tool(required_text(row, "name"), text(row, "description"), parameters, effect)


def _step(row: Mapping[str, Any]) -> Step:
    kind: Any = row.get("kind")
    if kind not in ("retrieval", "guardrail", "other"):
        raise FieldError("kind", f"is {kind!r}; allowed: retrieval, guardrail, other")
    documents = _texts(row, "document_ids")
    name, given, output = text(row, "name"), text(row, "input"), text(row, "output")
    return Step(whole(row, "turn"), kind, name, given, output, documents, text(row, "status"))


def _result(row: Mapping[str, Any]) -> RecordedResult:
    name, result = text(row, "name"), text(row, "result")
    if name is None or result is None:
        raise FieldError("name" if name is None else "result", "is missing")
    return RecordedResult(
        whole(row, "turn"), name, text(row, "arguments") or "", result, text(row, "source") or "production"
    )


def _provenance(row: Mapping[str, Any]) -> Provenance:
    given = row.get("provenance")
    return Provenance() if given is None else _one("provenance", given, _provenance_from_row)


def _provenance_from_row(row: Mapping[str, Any]) -> Provenance:
    texts: dict[str, Any] = {name: text(row, name) for name in _PROVENANCE_TEXTS}
    number = None if row.get("row") is None else whole(row, "row")
    try:
        ids = dict(row.get("correlation_ids") or {})
    except (TypeError, ValueError):
        raise FieldError("correlation_ids", "is not a mapping") from None
    if not all(isinstance(part, str) for item in ids.items() for part in item):
        raise FieldError("correlation_ids", "is not a mapping of texts")
    return Provenance(row=number, correlation_ids=ids, **texts)


def _document(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = row.get(name)
    if value is None:
        return {}
    if not isinstance(value, str):
        raise FieldError(name, f"is {type(value).__name__}, not JSON text")
    document = _parsed(value, name)
    if isinstance(document, dict):
        return document
    raise FieldError(name, f"is JSON of a {type(document).__name__}, not of an object")


def _parsed(value: str, name: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise FieldError(name, f"is not JSON: {error}") from None


def _plain(noun: Any) -> dict[str, Any]:
    return {name: getattr(noun, name) for name in noun.__dataclass_fields__}


def _as_dict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not plain data")
