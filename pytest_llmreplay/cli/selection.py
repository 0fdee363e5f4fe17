"""Which conversations of a log a command takes: by id, by expression, or a sample of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_llmreplay.model.errors import UserError, did_you_mean

_PARQUET_MAGIC = b"PAR1"

if TYPE_CHECKING:
    from pytest_llmreplay.cli.choices import Choices
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.traces import ReadProblem


def selected(logs: Sequence[str], choices: Choices, problems: list[ReadProblem]) -> Iterator[Conversation]:
    """The conversations that the options select, in the order of the log."""
    from pytest_llmreplay.traces import read_conversations

    ids = [*choices.ids, *(_ids_in(choices.ids_file) if choices.ids_file is not None else ())]
    if choices.ids_file is not None and not ids:
        raise UserError("holds no id", file=choices.ids_file)
    conversations = with_ids(
        read_conversations(
            logs,
            format=choices.format_name,
            id_column=choices.id_column,
            where=choices.where,
            on_problem=problems.append,
        ),
        ids,
    )
    if choices.sample is None:
        if choices.by is not None:
            raise UserError("--by needs --sample")
        return conversations
    return iter(sampled(list(conversations), choices.sample, choices.by))


def with_ids(conversations: Iterable[Conversation], ids: Sequence[str]) -> Iterator[Conversation]:
    """The conversations with these ids, in the order of the log; all of them when no id is given."""
    if not ids:
        yield from conversations
        return
    wanted, missing = set(ids), dict.fromkeys(ids)
    seen: list[str] = []
    for conversation in conversations:
        seen.append(conversation.conversation_id)
        if conversation.conversation_id in wanted:
            missing.pop(conversation.conversation_id, None)
            yield conversation
    if missing:
        first = next(iter(missing))
        nearest = did_you_mean(first, seen)
        hint = f"did you mean '{nearest}'?" if nearest else None
        raise UserError(f"no conversation has the id '{first}' ({len(seen)} were read)", fix=hint)


def sampled(conversations: Sequence[Conversation], count: int, by: str | None) -> list[Conversation]:
    """So many of the conversations, the same ones every time; with `by` evenly over that column's values."""
    from pytest_llmreplay.model.canonical import text_digest

    groups: dict[str, list[Conversation]] = {}
    for conversation in sorted(conversations, key=lambda c: text_digest(c.conversation_id)):
        value = None if by is None else _value_of(conversation, by)
        groups.setdefault(json.dumps(value, default=str), []).append(conversation)
    if by is not None and conversations and set(groups) == {"null"}:
        raise UserError("no selected conversation has this column", key="--by", value=by)
    turns = [(rank, name, one) for name, group in groups.items() for rank, one in enumerate(group)]
    chosen = {id(one) for _, _, one in sorted(turns, key=lambda turn: turn[:2])[:count]}
    return [one for one in conversations if id(one) in chosen]


def _value_of(conversation: Conversation, column: str) -> Any:
    from pytest_llmreplay.promote import logged_intent

    if column == "intent":
        return logged_intent(conversation.metadata)
    return getattr(conversation, column, None) or conversation.metadata.get(column)


def _ids_in(file: str) -> Iterator[str]:
    """The ids in what `find` gave: Parquet, a JSON list or JSON lines with a `conversation_id`; or one id a line."""
    try:
        with click.open_file(file, "rb") as opened:
            content = opened.read()
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", file=file) from error
    if content.startswith(_PARQUET_MAGIC):
        yield from _ids_in_parquet(content, file)
    elif content.lstrip().startswith(b"["):
        rows = _json(content.decode("utf-8", "replace"), file)
        yield from (_id_of(row, f"{file}: item {number}") for number, row in enumerate(rows, start=1))
    else:
        lines = enumerate(content.decode("utf-8", "replace").splitlines(), start=1)
        yield from (_id_in(line.strip(), f"{file}:{number}") for number, line in lines if line.strip())


def _ids_in_parquet(content: bytes, file: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(pa.BufferReader(content))
        if "conversation_id" not in opened.schema_arrow.names:
            raise UserError("has no column conversation_id", file=file)
        if not Path(file).is_file() and (opened.schema_arrow.metadata or {}).get(b"llmreplay.kind") == b"suggestions":
            raise UserError("holds suggestions, which say what each conversation is: name their file", file=file)
        table = opened.read(["conversation_id"])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"cannot be read: {error}", file=file) from error
    return [str(value) for value in table.column(0).to_pylist() if value is not None]


def _id_in(line: str, place: str) -> str:
    return _id_of(_json(line, place), place) if line.startswith("{") else line


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"is not JSON: {error}", file=place) from error


def _id_of(row: Any, place: str) -> str:
    if not isinstance(row, dict):
        raise UserError("is no object with a conversation_id", file=place, value=row)
    found = row.get("conversation_id", row.get("trace_id"))
    if not isinstance(found, str):
        raise UserError("has no conversation_id", file=place)
    return found
