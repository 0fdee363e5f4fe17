"""One row of a log, by column, as a conversation: the columns that the project knows, and the rest as metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Conversation, Step
from pytest_llmreplay.traces.chat import decoded, messages_of, tools_of
from pytest_llmreplay.traces.jsonable import as_float, as_int, as_text, dump, iso_time, jsonable

ID_COLUMNS = ("conversation_id", "trace_id", "id", "session_id")

CANONICAL_COLUMNS = (
    "conversation_id",
    "started_at",
    "ended_at",
    "model",
    "prompt_version",
    "user_id",
    "session_id",
    "segment",
    "messages",
    "tools",
    "steps",
    "feedback",
    "latency_s",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "error",
    "finish_reason",
    "format",
    "source_file",
    "record",
    "metadata",
)
_TEXTS = (
    *("started_at", "ended_at", "model", "prompt_version", "user_id", "session_id", "segment"),
    *("error", "finish_reason", "format", "source_file"),
)
_STEP_KINDS = ("retrieval", "guardrail", "other")


def plain_conversation(
    row: Mapping[str, Any], *, fallback_id: str, format_name: str, source_file: str, record: int, id_column: str | None
) -> Conversation:
    """The conversation in one row of a plain log.

    Columns with the project's own names fill the conversation's fields; a value that does not fit its field, and every
    other column, is kept in `metadata` under the column's name.

    Raises:
        ValueError: the row has no messages, or its messages or tools are not what they should be.
    """
    if "messages" not in row:
        raise ValueError("no column 'messages'")
    fields: dict[str, Any] = {"messages": messages_of(row["messages"]), "tools": tools_of(row.get("tools"))}
    used = {
        "messages",
        "tools",
        *(column for _, columns, _ in _FIELDS for column in columns if row.get(column) is None),
    }
    for field, columns, read in _FIELDS:
        for column in columns:
            value = read(row[column]) if row.get(column) is not None else None
            if value is not None:
                fields[field] = value
                used.add(column)
                break
    id_columns = ID_COLUMNS if id_column is None else (id_column,)
    chosen = _id_column(row, id_columns)
    if chosen is not None:
        used.add(chosen)
    return Conversation(
        conversation_id=fallback_id if chosen is None else as_text(row[chosen]) or fallback_id,
        metadata={name: jsonable(value) for name, value in row.items() if name not in used},
        format=format_name,
        source_file=source_file,
        record=record,
        **fields,
    )


def id_of(row: Mapping[str, Any]) -> str | None:
    """The id of the conversation in a plain row, if it has one."""
    chosen = _id_column(row, ID_COLUMNS)
    return None if chosen is None else as_text(row[chosen])


def _id_column(row: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    return next((column for column in columns if as_text(row.get(column))), None)


def canonical_conversation(row: Mapping[str, Any]) -> Conversation:
    """The conversation in one row of canonical Parquet, exactly as it was written.

    Raises:
        ValueError: a value is not what its column holds.
    """
    fields: dict[str, Any] = {name: row.get(name) for name in CANONICAL_COLUMNS}
    if fields["conversation_id"] is None:
        raise ValueError("no conversation_id")
    fields["conversation_id"] = as_text(fields["conversation_id"])
    fields["messages"] = messages_of(fields["messages"])
    fields["tools"] = tools_of(fields["tools"])
    fields["steps"] = steps_of(fields["steps"]) or ()
    for name in ("feedback", "metadata"):
        value = decoded(fields[name], name)
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(f"{name} is not a mapping")
        fields[name] = value or {}
    for name in _TEXTS:
        if not isinstance(fields[name], str):
            fields[name] = as_text(fields[name])
    for name in ("input_tokens", "output_tokens", "record"):
        fields[name] = as_int(fields[name])
    for name in ("latency_s", "cost_usd"):
        fields[name] = as_float(fields[name])
    return Conversation(**fields)


def steps_of(value: Any) -> tuple[Step, ...] | None:
    """Steps from JSON text or a list of mappings; None when it is neither.

    Raises:
        ValueError: text that is not JSON.
    """
    value = decoded(value, "steps")
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return None
    steps = [_step(item) for item in value]
    return tuple(step for step in steps if step is not None) if all(steps) else None


def _step(value: Any) -> Step | None:
    if not isinstance(value, Mapping):
        return None
    kind = value.get("kind")
    documents = value.get("document_ids") or ()
    return Step(
        turn=as_int(value.get("turn")) or 0,
        kind=kind if kind in _STEP_KINDS else "other",
        name=as_text(value.get("name")),
        input=as_text(value.get("input")),
        output=as_text(value.get("output")),
        document_ids=tuple(as_text(d) or "" for d in documents) if not isinstance(documents, str) else (documents,),
        status=as_text(value.get("status")),
    )


def _feedback(value: Any) -> dict[str, Any] | None:
    """Scores by name; a lone score is called `feedback`."""
    if isinstance(value, str):
        try:
            value = decoded(value, "feedback")
        except ValueError:
            return {"feedback": value}
    if value is None or value == {}:
        return None
    return dict(jsonable(value)) if isinstance(value, Mapping) else {"feedback": jsonable(value)}


def _steps(value: Any) -> tuple[Step, ...] | None:
    try:
        return steps_of(jsonable(value)) or None
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return as_text(value) or None if isinstance(value, (str, int, float)) else None


def _error(value: Any) -> str | None:
    if value is False or value in ("", {}, []):
        return None
    return value if isinstance(value, str) else dump(jsonable(value))


_FIELDS: tuple[tuple[str, tuple[str, ...], Callable[[Any], Any]], ...] = (
    ("started_at", ("started_at",), iso_time),
    ("ended_at", ("ended_at",), iso_time),
    ("model", ("model",), _text),
    ("prompt_version", ("prompt_version",), _text),
    ("user_id", ("user_id",), _text),
    ("session_id", ("session_id",), _text),
    ("segment", ("segment",), _text),
    ("steps", ("steps",), _steps),
    ("feedback", ("feedback",), _feedback),
    ("latency_s", ("latency_s",), as_float),
    ("input_tokens", ("input_tokens", "prompt_tokens"), as_int),
    ("output_tokens", ("output_tokens", "completion_tokens"), as_int),
    ("cost_usd", ("cost_usd",), as_float),
    ("error", ("error",), _error),
    ("finish_reason", ("finish_reason",), _text),
)
