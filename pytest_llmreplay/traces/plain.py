"""Plain logs: Parquet and JSONL whose rows are conversations with OpenAI-style `messages`; and canonical Parquet."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.traces.canonical import CANONICAL_KIND, KIND_KEY
from pytest_llmreplay.traces.jsonable import jsonable, without_nulls
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.records import Record
from pytest_llmreplay.traces.rows import CANONICAL_COLUMNS, canonical_conversation, plain_conversation
from pytest_llmreplay.traces.sources import Source, stem_of

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

NAME = "plain"
_BATCH_ROWS = 128


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a Parquet file, by column, and its number from 1; `error` says why there are no values."""

    number: int
    values: Mapping[str, Any]
    error: str | None = None


def is_plain(record: Any) -> bool:
    """Whether a JSON record is a conversation with OpenAI-style messages."""
    return isinstance(record, Mapping) and isinstance(record.get("messages"), (list, str))


def is_canonical(schema: pa.Schema) -> bool:
    """Whether a Parquet file is the project's own: its footer says so, or it has every canonical column."""
    metadata = schema.metadata or {}
    return metadata.get(KIND_KEY) == CANONICAL_KIND or set(CANONICAL_COLUMNS) <= set(schema.names)


def open_parquet(source: Source) -> pq.ParquetFile:
    """The Parquet file.

    Raises:
        UnreadableError: it is damaged, or not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.raw(), pre_buffer=False)
        file.schema_arrow.names  # noqa: B018 - names that are not text are damage too
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(f"not readable as Parquet: {first_line(error)}") from error
    return file


def parquet_rows(file: pq.ParquetFile, wanted: Collection[int] | None = None) -> Iterator[Row]:
    """The rows, or those with the wanted numbers; a row group that cannot be decoded gives one row with an error."""
    import pyarrow as pa

    ordered = None if wanted is None else sorted(wanted)
    first = 1
    for group in range(file.num_row_groups):
        after = first + file.metadata.row_group(group).num_rows
        number = first
        if ordered is None or bisect_left(ordered, first) < bisect_left(ordered, after):
            try:
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group]):
                    numbers = range(number, number + batch.num_rows)
                    number += batch.num_rows
                    yield from batch_rows(batch, [n for n in numbers if wanted is None or n in wanted], numbers.start)
            except (pa.ArrowException, OSError, ValueError) as error:
                yield Row(number, {}, f"rows {number} to {after - 1} cannot be decoded: {first_line(error)}")
        first = after


def batch_rows(batch: pa.RecordBatch, numbers: Sequence[int], first: int) -> Iterator[Row]:
    """The rows with these numbers in a batch whose first row has the number `first`."""
    if not numbers:
        return
    names = batch.schema.names
    columns = [_readable(column) for column in batch.columns]
    for number in numbers:
        try:
            values = {name: column[number - first].as_py() for name, column in zip(names, columns, strict=True)}
        except (ValueError, OverflowError) as error:
            yield Row(number, {}, f"a value cannot be decoded: {first_line(error)}")
            continue
        yield Row(number, values)


def _readable(column: pa.Array) -> pa.Array:
    """Python's times know microseconds only."""
    target = _microseconds(column.type)
    return column if target == column.type else column.cast(target, safe=False)


def _microseconds(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return pa.timestamp("us", kind.tz)
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_microseconds(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_microseconds(kind.value_type)))
    return kind


def read_parquet(
    source: Source, *, wanted: Collection[int] | None, id_column: str | None, on_problem: OnProblem
) -> Iterator[Conversation]:
    """The conversations in a plain or canonical Parquet file, one at a time.

    Raises:
        UnreadableError: the file cannot be read at all.
    """
    file = open_parquet(source)
    canonical = is_canonical(file.schema_arrow)
    for row in parquet_rows(file, wanted):
        try:
            yield parquet_conversation(source, row, canonical=canonical, id_column=id_column)
        except ValueError as error:
            on_problem(ReadProblem(source.name, row.number, str(error)))


def parquet_conversation(source: Source, row: Row, *, canonical: bool, id_column: str | None = None) -> Conversation:
    """The conversation in one row of a plain or canonical Parquet file.

    Raises:
        ValueError: the row is not a conversation.
    """
    if row.error is not None:
        raise ValueError(row.error)
    if canonical and id_column is None:
        return canonical_conversation(row.values)
    return row_conversation(source, _tidy(row.values), row.number, id_column)


def read_json(
    source: Source, records: Iterator[Record], *, id_column: str | None, on_problem: OnProblem
) -> Iterator[Conversation]:
    """The conversations in the records of a plain JSON file, one at a time."""
    for record in records:
        if record.error is not None:
            on_problem(ReadProblem(source.name, record.number, record.error))
            continue
        try:
            yield row_conversation(source, record.value, record.number, id_column)
        except ValueError as error:
            on_problem(ReadProblem(source.name, record.number, str(error)))


def row_conversation(source: Source, row: Any, record: int, id_column: str | None) -> Conversation:
    """The conversation in one row of a plain log.

    Raises:
        ValueError: the row is not a conversation.
    """
    if not isinstance(row, Mapping):
        raise ValueError("it is not a mapping")
    return plain_conversation(
        row,
        fallback_id=numbered_id(source, record),
        format_name=NAME,
        source_file=source.name,
        record=record,
        id_column=id_column,
    )


def numbered_id(source: Source, record: int) -> str:
    """The id of a row that has none."""
    return f"{source.stem}-{record}"


def is_numbered(conversation: Conversation) -> bool:
    """Whether the log has no id for it, so that it is named after its file and a record, as others may be."""
    source = conversation.source_file
    return source is not None and is_called_after(source, conversation.conversation_id)


def is_called_after(source_file: str, conversation_id: str) -> bool:
    """Whether the id is one that is made of a file's name and a record."""
    name, _, record = conversation_id.rpartition("-")
    return name == stem_of(source_file) and record.isdecimal()


def _tidy(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nested columns as JSON would hold them: absent keys, which structs fill with nulls, are absent again."""
    nested = {name: without_nulls(jsonable(row[name])) for name in ("messages", "tools", "steps") if name in row}
    return {**row, **nested}


def first_line(error: Exception) -> str:
    """What a library said, on one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
