"""Columns of a log read without the rest of it: which rows there are, and how each is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces.chat import decoded
from pytest_llmreplay.traces.json_value import parse
from pytest_llmreplay.traces.jsonable import as_text
from pytest_llmreplay.traces.plain import (
    Row,
    batch_rows,
    first_line,
    is_canonical,
    numbered_id,
    open_parquet,
    parquet_conversation,
    parquet_rows,
    row_conversation,
)
from pytest_llmreplay.traces.query import Expression, select
from pytest_llmreplay.traces.reading import UnreadableError
from pytest_llmreplay.traces.records import read_records
from pytest_llmreplay.traces.rows import CANONICAL_COLUMNS, ID_COLUMNS, id_of
from pytest_llmreplay.traces.sources import Source
from pytest_llmreplay.traces.spool import Spool

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_ID = ID_COLUMNS[0]
_BATCH_ROWS = 4096
_KEPT_GROUP_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of a log: its key and trial as text, where it stands, and what reads it."""

    key: str
    trial: str | None
    place: str
    load: Callable[[], Conversation]


def parquet_log_rows(source: Source, columns: Sequence[str], expression: Expression | None) -> Iterator[LogRow]:
    """The rows of a plain or canonical Parquet file that have a key; `columns` are the key's and, if any, the trial's.

    `conversation_id` is the id that a conversation is read with, whatever the plain log calls it.

    Raises:
        UserError: a column is unknown.
        UnreadableError: the file is damaged.
    """
    import pyarrow as pa

    file = open_parquet(source)
    names = file.schema_arrow.names
    needed = [column for column in columns if column in names]
    if is_canonical(file.schema_arrow):
        needed += ["metadata"] if len(needed) < len(columns) else []
    else:
        check_columns(columns, (*names, _ID), source.name)
        needed += [name for name in ID_COLUMNS if _ID in columns and name in names and name not in needed]
    wanted = None if expression is None else select(source, expression)
    rows = _ParquetFile(source, file)
    number = 0
    try:
        for batch in file.iter_batches(_BATCH_ROWS, columns=needed):
            for values in batch.to_pylist():
                number += 1
                if wanted is None or number in wanted:
                    found = _with_metadata(_with_id(source, values, columns, number), columns)
                    yield from _row(source, found, columns, number, partial(rows.conversation, number))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(f"not readable as Parquet: {first_line(error)}") from error


def json_log_rows(source: Source, columns: Sequence[str], expression: Expression | None) -> Iterator[LogRow]:
    """The rows of a plain JSON file that have a key; those that cannot be parsed are passed over.

    `conversation_id` is the id that a conversation is read with, whatever the log calls it.

    Raises:
        UserError: no record has such a column.
        UnreadableError: the file is damaged.
    """
    wanted = None if expression is None else select(source, expression)
    known: dict[str, None] = {}
    copies: Spool | None = None
    for record in read_records(source):
        if not isinstance(record.value, Mapping):
            continue
        known.update(dict.fromkeys(record.value))
        if wanted is not None and record.number not in wanted:
            continue
        load: Callable[[], Conversation]
        if record.offset is not None and source.is_plain_bytes():
            load = partial(_load_line, source, record.offset, record.number)
        else:
            copies = copies or Spool()
            load = partial(_load_copy, source, copies, copies.add(record.value), record.number)
        values = _with_id(source, record.value, columns, record.number)
        yield from _row(source, values, columns, record.number, load)
    check_columns(columns, (*known, _ID), source.name)


def spooled_rows(conversations: Iterable[Conversation], columns: Sequence[str], name: str) -> Iterator[LogRow]:
    """Rows of conversations that were put together from many records: a copy of each lies on disk.

    Raises:
        UserError: no conversation has such a column.
    """
    copies = Spool()
    known = dict.fromkeys(CANONICAL_COLUMNS)
    for conversation in conversations:
        number = copies.add(conversation)
        values = {**conversation.metadata, **{n: getattr(conversation, n) for n in CANONICAL_COLUMNS}}
        known.update(dict.fromkeys(conversation.metadata))
        key = as_text(values.get(columns[0]))
        if key is not None:
            place = f"{conversation.source_file}: {conversation.conversation_id} (conversation {number})"
            trial = as_text(values.get(columns[1])) if len(columns) > 1 else None
            yield LogRow(key, trial, place, partial(copies.get, number))
    check_columns(columns, tuple(known), name)


def check_columns(columns: Sequence[str], known: Sequence[str], name: str) -> None:
    """Refuse a column that the log does not have.

    Raises:
        UserError: it names the column and those that there are.
    """
    for column in columns:
        if column not in known:
            raise UserError("no such column in the log", file=name, value=column, allowed=known)


class _ParquetFile:
    """Single rows of one Parquet file; the row group that was asked for last stays in memory when it is small."""

    def __init__(self, source: Source, file: pq.ParquetFile) -> None:
        self._source = source
        self._file = file
        self._group: tuple[int, pa.RecordBatch] | None = None

    def conversation(self, number: int) -> Conversation:
        """The conversation in one row.

        Raises:
            ValueError: the row is not a conversation.
        """
        return parquet_conversation(self._source, self._row(number), canonical=is_canonical(self._file.schema_arrow))

    def _row(self, number: int) -> Row:
        first = 1
        for group in range(self._file.num_row_groups):
            about = self._file.metadata.row_group(group)
            if number < first + about.num_rows:
                break
            first += about.num_rows
        if about.total_byte_size > _KEPT_GROUP_BYTES:
            return next(parquet_rows(self._file, (number,)))
        if self._group is None or self._group[0] != group:
            table = self._file.read_row_group(group).combine_chunks()
            self._group = (group, table.to_batches()[0])
        return next(batch_rows(self._group[1].slice(number - first, 1), [number], number))


def _row(
    source: Source, values: Mapping[str, Any], columns: Sequence[str], number: int, load: Callable[[], Conversation]
) -> Iterator[LogRow]:
    key = as_text(values.get(columns[0]))
    if key is not None:
        trial = as_text(values.get(columns[1])) if len(columns) > 1 else None
        yield LogRow(key, trial, f"{source.name}: record {number}", load)


def _with_id(source: Source, values: Mapping[str, Any], columns: Sequence[str], number: int) -> Mapping[str, Any]:
    """A plain row with the id that its conversation has, where it is joined by that."""
    if _ID not in columns or as_text(values.get(_ID)):
        return values
    return {**values, _ID: id_of(values) or numbered_id(source, number)}


def _with_metadata(values: Mapping[str, Any], columns: Sequence[str]) -> Mapping[str, Any]:
    """A canonical row's values, where a column that it does not have is a key of its metadata."""
    if all(column in values for column in columns):
        return values
    inner = decoded(values.get("metadata"), "metadata")
    return {**inner, **values} if isinstance(inner, Mapping) else values


def _load_line(source: Source, offset: int, number: int) -> Conversation:
    with source.raw() as stream:
        stream.seek(offset)
        return row_conversation(source, parse(stream.readline().strip()), number, None)


def _load_copy(source: Source, copies: Spool, copy: int, number: int) -> Conversation:
    return row_conversation(source, copies.get(copy), number, None)
