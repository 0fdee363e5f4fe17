"""The flat columns of golden files: all that collection reads, made to be quick and small for 100,000 cases."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.case_files import open_cases
from pytest_llmreplay.store.case_rows import WORDS, FieldError, required_text, text, word
from pytest_llmreplay.store.parquet import reading, release_unused
from pytest_llmreplay.store.utf8 import restored

if TYPE_CHECKING:
    import pyarrow as pa

FLAT_COLUMNS = ("case_id", "suite", *WORDS, "intent", "tags")


class CaseEntry(NamedTuple):
    """What collection knows of a case; `row` counts from 0.

    A tuple and not a dataclass: 100,000 of them are made while pytest collects, at a quarter of the time.
    """

    case_id: str
    suite: str
    kind: str
    status: str
    severity: str | None
    failure_category: str | None
    failure_stage: str | None
    intent: str | None
    tags: tuple[str, ...]
    row: int


class BadRow(NamedTuple):
    """A row that is not a case: its number from 0, its id if it has one, the field at fault and what is wrong."""

    row: int
    field: str
    reason: str
    case_id: str | None = None


def read_index(path: Path) -> list[CaseEntry | BadRow]:
    """The flat columns of every row, in the order of the file; a row that is not usable is a `BadRow`.

    Raises:
        UserError: the file cannot be read, lacks a column, or was written by a newer version.
    """
    file = open_cases(path)
    with reading(path):
        table = file.read(columns=[n for n in FLAT_COLUMNS if n in file.schema_arrow.names], use_threads=False)
        columns = {name: _column(path, table, name) for name in FLAT_COLUMNS}
        rows = range(table.num_rows)
    del table
    release_unused()
    entries: list[CaseEntry | BadRow] = list(map(CaseEntry._make, zip(*columns.values(), rows, strict=True)))
    if not _all_good(columns):
        return _with_bad_rows(columns, entries)
    return entries


def _column(path: Path, table: pa.Table, name: str) -> list[Any]:
    import pyarrow as pa

    if name not in table.column_names:
        return [() if name == "tags" else None] * table.num_rows
    column = table.column(name)
    try:
        plain = column.cast(pa.list_(pa.string()) if name == "tags" else pa.string()).combine_chunks()
    except pa.ArrowException:
        plain = None
    if plain is None or pa.types.is_primitive(column.type):
        raise UserError(f"the column {name} holds {column.type}, not text", file=str(path))
    if name == "tags":
        return _tags(plain)
    return _texts(plain) if name == "case_id" else _few_texts(plain)


def _texts(column: pa.Array) -> list[Any]:
    """The texts of a column; bytes where one is not UTF-8."""
    try:
        return [restored(value) for value in column.to_pylist()]
    except UnicodeDecodeError:
        return [_text(value) for value in column]


def _text(value: pa.Scalar) -> Any:
    try:
        return restored(value.as_py())
    except UnicodeDecodeError:
        return value.as_buffer().to_pybytes()


def _few_texts(column: pa.Array) -> list[Any]:
    """The texts of a column in which few distinct ones repeat, each made once."""
    encoded = column.dictionary_encode()
    texts = [sys.intern(word) if isinstance(word, str) else word for word in _texts(encoded.dictionary)]
    texts.append(None)  # index -1 stands for null
    return list(map(texts.__getitem__, encoded.indices.fill_null(-1).to_pylist()))


def _tags(lists: pa.ListArray) -> list[tuple[str, ...]]:
    values = _few_texts(lists.values)
    offsets = lists.offsets.to_pylist()
    seen: dict[tuple[Any, ...], tuple[str, ...]] = {}
    rows = (tuple(values[start:stop]) for start, stop in pairwise(offsets))
    return [seen.setdefault(row, row) for row in rows]


def _all_good(columns: Mapping[str, list[Any]]) -> bool:
    ids = set(columns["case_id"])
    if len(ids) != len(columns["case_id"]) or not all(isinstance(i, str) and i for i in ids):
        return False
    if not all(isinstance(value, str) and value for value in set(columns["suite"])):
        return False
    if not all(isinstance(tag, str) for tags in set(columns["tags"]) for tag in tags):
        return False
    optional = ("severity", "failure_category", "failure_stage")
    words = all(set(columns[n]) <= {*WORDS[n], *([None] if n in optional else [])} for n in WORDS)
    return words and all(value is None or isinstance(value, str) for value in set(columns["intent"]))


def _with_bad_rows(
    columns: Mapping[str, Sequence[Any]], entries: Sequence[CaseEntry | BadRow]
) -> list[CaseEntry | BadRow]:
    checked: list[CaseEntry | BadRow] = []
    first_rows: dict[str, int] = {}
    for row, entry in enumerate(entries):
        plain = {name: column[row] for name, column in columns.items()}
        try:
            _look_at(plain, row, first_rows)
            checked.append(entry)
        except FieldError as error:
            case_id = plain["case_id"] if isinstance(plain["case_id"], str) else None
            checked.append(BadRow(row, error.field, error.reason, case_id))
    return checked


def _look_at(plain: Mapping[str, Any], row: int, first_rows: dict[str, int]) -> None:
    first = first_rows.setdefault(required_text(plain, "case_id"), row)
    if first != row:
        raise FieldError("case_id", f"repeats that of row {first + 1}")
    required_text(plain, "suite")
    for name in WORDS:
        word(plain, name)
    text(plain, "intent")
    if not all(isinstance(tag, str) for tag in plain["tags"]):
        raise FieldError("tags", "is not a list of texts")
