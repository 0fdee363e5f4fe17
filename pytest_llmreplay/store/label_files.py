"""Tables that people and other programs give to `judge`: Parquet, CSV or JSONL, read by column."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.atomic import reason_of

Columns = Mapping[str, list[Any]]
"""Cells by the name of their column, all of one length; a cell that is not there is None."""


def read_columns(path: Path, wanted: Collection[str] | None = None) -> Columns:
    """The columns of a table, in the form that the file's ending says.

    Args:
        path: a .parquet, .csv or .jsonl file.
        wanted: the columns to read, where they are there; None reads all.

    Raises:
        UserError: the file cannot be read, or is not what its ending says.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UserError("has an unknown ending", file=str(path), value=path.suffix, allowed=sorted(_READERS))
    with _reading(path):
        return read(path, wanted)


def read_json_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file.

    Raises:
        UserError: the file cannot be read, or a line is no JSON object.
    """
    with _reading(path):
        return list(_json_rows(path))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be read: {reason_of(error)}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise UserError("is not UTF-8 text", file=str(path)) from error


def _parquet(path: Path, wanted: Collection[str] | None) -> Columns:
    from pytest_llmreplay.store.parquet import open_parquet, reading

    file = open_parquet(path)
    names = [name for name in file.schema_arrow.names if wanted is None or name in wanted]
    with reading(path):
        table = file.read(columns=names)
        return {name: table.column(name).to_pylist() for name in names}


def _csv(path: Path, wanted: Collection[str] | None) -> Columns:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        try:
            header = next(rows, [])
            columns: dict[str, list[Any]] = {name: [] for name in header}
            if len(columns) < len(header):
                raise UserError("has a column twice", file=str(path), value=", ".join(header))
            for row in rows:
                if len(row) != len(header) and row:
                    place = f"{path}:{rows.line_num}"
                    raise UserError(f"has {len(row)} cells where the header has {len(header)}", file=place)
                for name, cell in zip(header, row, strict=False):
                    columns[name].append(cell)
        except csv.Error as error:
            raise UserError(f"is not CSV: {error}", file=f"{path}:{rows.line_num}") from error
    return {name: cells for name, cells in columns.items() if wanted is None or name in wanted}


def _jsonl(path: Path, wanted: Collection[str] | None) -> Columns:
    columns: dict[str, list[Any]] = {}
    count = 0
    for count, row in enumerate(_json_rows(path), start=1):
        for name, cell in row.items():
            if wanted is None or name in wanted:
                cells = columns.setdefault(name, [])
                cells.extend([None] * (count - 1 - len(cells)))
                cells.append(cell)
    for cells in columns.values():
        cells.extend([None] * (count - len(cells)))
    return columns


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"is not JSON: {error}", file=place) from error
            if not isinstance(row, dict):
                raise UserError("a line must be an object", file=place, value=row)
            yield row


_READERS: Mapping[str, Callable[[Path, Collection[str] | None], Columns]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
}
