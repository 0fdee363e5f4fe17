"""Opening and writing Parquet files, with one sentence for whatever is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_llmreplay.model.errors import NotWritten, UserError
from pytest_llmreplay.store.atomic import reason_of, write_atomically
from pytest_llmreplay.store.utf8 import MARK, restored, storable

if TYPE_CHECKING:
    import pyarrow as pa

KIND_KEY = b"llmreplay.kind"
VERSION_KEY = b"llmreplay.schema_version"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while `path` is read into one sentence for the user.

    Raises:
        UserError: instead of any error of Arrow or of the operating system.
    """
    import pyarrow as pa

    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be read: {_first_line(reason_of(error))}", file=str(path)) from error
    except (pa.ArrowException, ValueError) as error:
        raise UserError(f"cannot be read as Parquet: {_first_line(error)}", file=str(path)) from error


def open_parquet(path: Path) -> Any:
    """The `pyarrow.parquet.ParquetFile` at `path`.

    Raises:
        UserError: it cannot be read as Parquet.
    """
    import pyarrow.parquet as pq

    with reading(path):
        return pq.ParquetFile(path)


def footer(path: Path) -> Any:
    """The `pyarrow.parquet.FileMetaData` of the file at `path`.

    Raises:
        UserError: it cannot be read as Parquet.
    """
    import pyarrow.parquet as pq

    with reading(path):
        return pq.read_metadata(path)


def table_of(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows of plain data as a table; lone surrogates in them are escaped."""
    import pyarrow as pa

    listed = [dict(row) for row in rows]
    try:
        table = pa.Table.from_pylist(listed, schema=schema)
    except UnicodeEncodeError:
        table = None
    if table is None or _holds_mark(table):
        table = pa.Table.from_pylist([storable(row) for row in listed], schema=schema)
    return table


def footer_of(kind: bytes, version: int) -> dict[bytes, bytes]:
    """What the footer of a file of this kind says, by which `open_of_kind` knows it."""
    return {KIND_KEY: kind, VERSION_KEY: str(version).encode()}


def open_of_kind(path: Path, kind: bytes, *, holds: str, schema: str, version: int) -> Any:
    """The `pyarrow.parquet.ParquetFile` of a file whose footer says that it is of this kind.

    Args:
        path: the file.
        kind: what the footer has to say.
        holds: the kind in words.
        schema: the name of its schema.
        version: the latest version of the schema that is known.

    Raises:
        UserError: the file cannot be read, is of another kind, or was written by a newer version.
    """
    file = open_parquet(path)
    metadata: Mapping[bytes, bytes] = file.metadata.metadata or {}
    if metadata.get(KIND_KEY) != kind:
        raise UserError(f"holds no {holds}", file=str(path))
    written = metadata.get(VERSION_KEY, b"1").decode("ascii", "replace")
    if not written.isdigit() or int(written) > version:
        raise UserError(
            f"was written with {schema} schema {written}; this program knows {version}",
            file=str(path),
            fix="upgrade pytest-llmreplay to read it",
        )
    return file


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table as plain data, as they were given to `table_of`."""
    rows: list[dict[str, Any]] = table.to_pylist()
    return [restored(row) for row in rows] if _holds_mark(table) else rows


def release_unused() -> None:
    """Give memory that Arrow keeps for later back to the system: tens of MB after a large file, for a long session."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


class GroupWriter:
    """Writes tables of one schema as row groups of exactly so many rows, the last one excepted.

    Args:
        where: a path, or a file that is open for writing.
        schema: of the tables; its metadata becomes that of the footer.
        group_rows: rows of a row group; as many are held in memory.
    """

    def __init__(self, where: Path | BinaryIO, schema: pa.Schema, *, group_rows: int) -> None:
        import pyarrow.parquet as pq

        # Statistics would be most of the footer of a file with many row groups, and nothing here uses them.
        self._writer = pq.ParquetWriter(where, schema, compression="zstd", write_statistics=False)
        self._group_rows = group_rows
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Write what makes whole row groups, and hold the rest."""
        import pyarrow as pa

        self._waiting.append(table)
        count = sum(part.num_rows for part in self._waiting)
        if count < self._group_rows:
            return
        joined = pa.concat_tables(self._waiting)
        full = count - count % self._group_rows
        self._writer.write_table(joined.slice(0, full), row_group_size=self._group_rows)
        self._waiting = [joined.slice(full)] if count > full else []

    def close(self, *, whole: bool = True) -> None:
        """Write what is held, and the footer; a file that is not to be `whole` only ends."""
        import pyarrow as pa

        try:
            if whole and any(part.num_rows for part in self._waiting):
                self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=self._group_rows)
        finally:
            self._waiting = []
            self._writer.close()


def write_tables(path: Path, tables: Iterable[pa.Table], schema: pa.Schema, *, group_rows: int) -> None:
    """Write tables of one schema to one Parquet file, atomically, with row groups of at most `group_rows` rows.

    Raises:
        UserError: the file cannot be written.
    """
    import pyarrow as pa

    def write(temporary: Path) -> None:
        writer = GroupWriter(temporary, schema, group_rows=group_rows)
        try:
            for table in tables:
                writer.add(table)
        except BaseException:
            writer.close(whole=False)
            raise
        writer.close()

    try:
        write_atomically(path, write)
    except (pa.ArrowException, OverflowError) as error:
        raise NotWritten(f"cannot be written as Parquet: {_first_line(error)}", file=str(path)) from error


def _holds_mark(table: pa.Table) -> bool:
    """Whether the text in a table may hold what escapes start with; most never does, and is then taken as it is."""
    mark = MARK.encode()
    chunks = (chunk for column in table.columns for chunk in column.chunks)
    return any(mark in buffer.to_pybytes() for chunk in chunks for buffer in chunk.buffers() if buffer is not None)


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
