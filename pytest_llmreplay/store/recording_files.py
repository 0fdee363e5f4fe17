"""The Parquet files of recordings: part files and cassettes."""

from __future__ import annotations

import bisect
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.draft import Draft
from pytest_llmreplay.store.parquet import footer_of, open_of_kind, plain_rows, reading, table_of, write_tables

if TYPE_CHECKING:
    import pyarrow as pa

RECORDINGS = b"recordings"
RECORDINGS_VERSION = 1
ROW_GROUP_ROWS = 128

_OPEN_FILES = 32
_KEPT_ROW_GROUPS = 32


class RecordingEntry(NamedTuple):
    """What a recording is, without its request and response; `recorded_at` is ISO 8601, `file` where it is kept."""

    key: str
    provider: str
    model: str | None
    trial: int | None
    recorded_at: str
    file: Path


@cache
def recording_schema() -> pa.Schema:
    """The schema of recordings, with the metadata of the footer."""
    import pyarrow as pa

    text = pa.string()
    before, after = ("key", "provider", "model"), ("recorded_at", "request", "response")
    return pa.schema(
        [*((n, text) for n in before), ("trial", pa.int64()), *((n, text) for n in after)],
        metadata=footer_of(RECORDINGS, RECORDINGS_VERSION),
    )


def open_recordings(path: Path) -> Any:
    """The `pyarrow.parquet.ParquetFile` of a part file or cassette.

    Raises:
        UserError: it cannot be read, holds something else, or was written by a newer version.
    """
    file = open_of_kind(path, RECORDINGS, holds="recordings", schema="recording", version=RECORDINGS_VERSION)
    missing = [name for name in recording_schema().names if name not in file.schema_arrow.names]
    if missing:
        raise UserError(f"lacks the columns {', '.join(missing)}", file=str(path))
    return file


def read_columns(path: Path, columns: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
    """Some columns of a part file or cassette, a row group at a time.

    Raises:
        UserError: it cannot be read.
    """
    file, wanted = open_recordings(path), list(columns)
    for number in range(file.metadata.num_row_groups):
        with reading(path):
            rows = plain_rows(file.read_row_group(number, columns=wanted, use_threads=False))
        yield rows


def write_recordings(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write recordings, in the form of the journal, to a Parquet file, atomically.

    Raises:
        UserError: the file cannot be written.
    """
    rows = map(_row, records)
    batches = iter(lambda: list(islice(rows, ROW_GROUP_ROWS)), [])
    tables = (table_of(batch, recording_schema()) for batch in batches)
    write_tables(path, tables, recording_schema(), group_rows=ROW_GROUP_ROWS)


def recordings_draft(folder: Path) -> Draft:
    """What `write_recordings` would write, while recordings come."""
    return Draft(folder, recording_schema, _row, batch_rows=ROW_GROUP_ROWS, group_rows=ROW_GROUP_ROWS)


class _OpenPart:
    """An open file and the first row of each of its row groups."""

    __slots__ = ("file", "starts")

    def __init__(self, file: Any) -> None:
        self.file = file
        sizes = (file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups))
        self.starts = list(accumulate(sizes, initial=0))


class PartReader:
    """Single recordings of Parquet files; a few row groups and a few open files are kept."""

    def __init__(self) -> None:
        self._files: OrderedDict[Path, _OpenPart] = OrderedDict()
        self._groups: OrderedDict[tuple[Path, int], list[tuple[str, str]]] = OrderedDict()

    def response(self, path: Path, row: int) -> tuple[str, Any]:
        """The key and the response in this row, counted from 0.

        Raises:
            UserError: the file cannot be read, as when another process has merged it away.
        """
        number, index = self._place(path, row)
        group = self._groups.get((path, number))
        if group is None:
            with reading(path):
                table = self._open(path).file.read_row_group(number, columns=["key", "response"], use_threads=False)
            group = [(plain["key"], plain["response"]) for plain in plain_rows(table)]
            self._groups[path, number] = group
            if len(self._groups) > _KEPT_ROW_GROUPS:
                self._groups.popitem(last=False)
        self._groups.move_to_end((path, number))
        key, response = group[index]
        with reading(path):
            return key, json.loads(response)

    def record(self, path: Path, row: int) -> dict[str, Any]:
        """The whole recording in this row, in the form of the journal.

        Raises:
            UserError: the file cannot be read.
        """
        number, index = self._place(path, row)
        with reading(path):
            table = self._open(path).file.read_row_group(number, use_threads=False)
            plain = plain_rows(table.slice(index, 1))[0]
            return as_record(plain)

    def _place(self, path: Path, row: int) -> tuple[int, int]:
        starts = self._open(path).starts
        number = bisect.bisect_right(starts, row) - 1
        return number, row - starts[number]

    def _open(self, path: Path) -> _OpenPart:
        part = self._files.get(path)
        if part is None:
            part = _OpenPart(open_recordings(path))
            self._files[path] = part
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)[1].file.close()
        self._files.move_to_end(path)
        return part

    def close(self) -> None:
        """Close all files."""
        for part in self._files.values():
            part.file.close()
        self._files.clear()
        self._groups.clear()


def as_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in the form of the journal, with request and response as data."""
    return {**row, "request": json.loads(row["request"]), "response": json.loads(row["response"])}


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "request": _json(record["request"]), "response": _json(record["response"])}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
