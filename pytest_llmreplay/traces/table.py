"""Canonical Parquet as one table of a locked database: nothing is loaded whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.traces.locked import locked_database, quoted
from pytest_llmreplay.traces.plain import is_called_after
from pytest_llmreplay.traces.query import Expression, run_expression
from pytest_llmreplay.traces.rows import CANONICAL_COLUMNS, canonical_conversation
from pytest_llmreplay.traces.sources import stem_of

if TYPE_CHECKING:
    import duckdb

ROW = "llmreplay_row"
"""The column that numbers the rows of the table."""

_MEMORY_MB = 1200
_ROWS_PER_FILE = 40
_READ = "read_parquet([{files}], file_row_number=true, union_by_name=true, hive_partitioning=false) AS log"
_COLUMNS = ", ".join(CANONICAL_COLUMNS)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of canonical Parquet; with `records` only the rows whose column `record` is among them count."""

    path: Path
    records: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class LogTable:
    """A log as the relation `log` of a database: the canonical columns, and `llmreplay_row`, a number for each row.

    The relation `whole_log` is the same without the filter. Both are streamed from the files, and only the columns and
    row groups that a query needs are read.
    """

    connection: duckdb.DuckDBPyConnection
    files: Sequence[Path]

    def conversations(self, rows: Sequence[int]) -> Mapping[int, Conversation]:
        """The conversations in these rows, by number.

        Raises:
            ValueError: a row is no conversation.
        """
        found: dict[int, Conversation] = {}
        for index in sorted({row >> _ROWS_PER_FILE for row in rows}):
            wanted = _in_file(rows, index)
            source = _READ.format(files=quoted(str(self.files[index])))
            sql = f"SELECT file_row_number, {_COLUMNS} FROM {source} WHERE file_row_number IN ({', '.join(map(str, wanted))})"  # noqa: S608, E501 - numbers
            for number, *values in self.connection.execute(sql).fetchall():
                row = dict(zip(CANONICAL_COLUMNS, values, strict=True))
                found[(index << _ROWS_PER_FILE) + number] = canonical_conversation(row)
        return {row: found[row] for row in rows}

    def row(self, file: Path, number: int) -> int:
        """The number in the table of a row (from 0) of one of its files."""
        return (self.files.index(file) << _ROWS_PER_FILE) + number

    def size(self) -> int:
        """How many conversations there are, filtered out or not; only footers are read."""
        [(count,)] = self.connection.execute("SELECT count(*) FROM whole_log").fetchall()
        return int(count)

    def files_sharing_ids(self) -> int:
        """How many source files have the name of another one, and conversations that are called after it."""
        several = "SELECT min(source_file) <> max(source_file) FROM whole_log"
        if self.connection.execute(several).fetchall() != [(True,)]:
            return 0
        first_ids = "SELECT source_file, min(conversation_id) FROM whole_log WHERE source_file IS NOT NULL GROUP BY ALL"
        found = self.connection.execute(first_ids).fetchall()
        stems = Counter(stem_of(file) for file, id_ in found if is_called_after(file, id_))
        return sum(count for count in stems.values() if count > 1)

    @contextmanager
    def narrowed(self, rows: Sequence[int]) -> Iterator[LogTable]:
        """The same log, where the relation `log` has only these rows."""
        with self.connection.cursor() as connection:
            parts = [
                f"{_select([str(file)], index)} WHERE file_row_number IN ({', '.join(map(str, wanted))})"
                for index, file in enumerate(self.files)
                if (wanted := _in_file(rows, index))
            ]
            empty = f"{_select([str(self.files[0])], 0)} WHERE false"
            connection.execute(f"CREATE TEMP VIEW log AS {' UNION ALL '.join(parts or [empty])}")
            connection.execute(f"CREATE TEMP VIEW whole_log AS {_select(list(map(str, self.files)), 0)}")
            yield LogTable(connection, self.files)


@contextmanager
def open_table(files: Sequence[TableFile], expression: Expression | None = None) -> Iterator[LogTable]:
    """Open the files, filtered by an expression where no records are given.

    Raises:
        UserError: the expression does not fit the columns.
    """
    by_expression = [file for file in files if file.records is None]
    by_record = [file for file in files if file.records is not None]
    ordered = [str(file.path) for file in (*by_expression, *by_record)]
    with locked_database(ordered, memory_mb=_MEMORY_MB) as connection:
        connection.execute("CREATE TEMP TABLE llmreplay_records (file BIGINT, record BIGINT)")
        for index, file in enumerate(by_record):
            connection.execute("INSERT INTO llmreplay_records SELECT ?, unnest(?)", [index, sorted(file.records or ())])
        parts: list[tuple[str, str]] = []
        if by_expression:
            condition = "" if expression is None else f" WHERE (\n{expression.text}\n)"
            parts.append((_select(ordered[: len(by_expression)], 0), condition))
            if expression is not None:
                sql = f"{parts[0][0]}{condition} LIMIT 0"
                names = [name for name, *_ in connection.execute(f"DESCRIBE {_all_columns(by_expression)}").fetchall()]
                run_expression(connection, sql, expression, names, [])
        if by_record:
            condition = " WHERE (file_index, record) IN (SELECT (file, record) FROM llmreplay_records)"
            parts.append((_select(ordered[len(by_expression) :], len(by_expression)), condition))
        for name, filtered in (("log", True), ("whole_log", False)):
            union = " UNION ALL ".join(select + (condition if filtered else "") for select, condition in parts)
            connection.execute(f"CREATE TEMP VIEW {name} AS {union}")
        yield LogTable(connection, [Path(path) for path in ordered])


def _in_file(rows: Sequence[int], index: int) -> list[int]:
    """The row numbers inside one file."""
    return sorted(row - (index << _ROWS_PER_FILE) for row in rows if row >> _ROWS_PER_FILE == index)


def _select(paths: Sequence[str], first: int) -> str:
    source = _READ.format(files=", ".join(map(quoted, paths)))
    row = f"((file_index::BIGINT + {first}) << {_ROWS_PER_FILE}) + file_row_number AS {ROW}"
    return f"SELECT {_COLUMNS}, {row} FROM {source}"  # noqa: S608 - quoted names of files


def _all_columns(files: Sequence[TableFile]) -> str:
    return f"SELECT * FROM {_READ.format(files=', '.join(quoted(str(file.path)) for file in files))}"  # noqa: S608
