"""The flat columns of golden files: all that collection reads, made to be quick and small for 100,000 cases."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
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

_BATCH_ROWS = 8192


class CaseLabels(NamedTuple):
    """What a case is filed under; cases that are filed alike share one."""

    suite: str
    kind: str
    status: str
    severity: str | None
    failure_category: str | None
    failure_stage: str | None
    intent: str | None
    tags: tuple[str, ...]


class CaseEntry(NamedTuple):
    """What collection knows of a case; `row` counts from 0.

    A tuple and not a dataclass: 100,000 of them are made while pytest collects, at a quarter of the time.
    """

    case_id: str
    labels: CaseLabels
    row: int


FLAT_COLUMNS = ("case_id", *CaseLabels._fields)


class BadRow(NamedTuple):
    """A row that is not a case: its number from 0, its id if it has one, the field at fault and what is wrong."""

    row: int
    field: str
    reason: str
    case_id: str | None = None


def read_index(path: Path) -> Sequence[CaseEntry | BadRow]:
    """The flat columns of every row, in the order of the file; a row that is not usable is a `BadRow`.

    Raises:
        UserError: the file cannot be read, lacks a column, or was written by a newer version.
    """
    file = open_cases(path)
    present = [name for name in FLAT_COLUMNS if name in file.schema_arrow.names]
    entries: list[CaseEntry] = []
    distinct: dict[str, set[Any]] = {name: set() for name in FLAT_COLUMNS}
    shared, labels_of = cache(restored), cache(CaseLabels)
    with reading(path):
        for batch in file.iter_batches(_BATCH_ROWS, columns=present, use_threads=False):
            columns = [_column(path, batch, name, restored if name == "case_id" else shared) for name in FLAT_COLUMNS]
            for values, column in zip(distinct.values(), columns, strict=True):
                values.update(column)
            rows = range(len(entries), len(entries) + batch.num_rows)
            labels = map(labels_of, *columns[1:])
            entries.extend(map(CaseEntry, columns[0], labels, rows))
    release_unused()
    return entries if _all_good(distinct, len(entries)) else _with_bad_rows(entries)


def _column(path: Path, batch: pa.RecordBatch, name: str, text_of: Callable[[Any], Any]) -> list[Any]:
    import pyarrow as pa

    if name not in batch.schema.names:
        return [() if name == "tags" else None] * batch.num_rows
    column = batch.column(name)
    wanted = pa.list_(pa.string()) if name == "tags" else pa.string()
    # Casting loads Arrow's kernels: 25 ms and 8 MB that files of our own make do without.
    if not column.type.equals(wanted):
        column = _cast(path, column, name, wanted)
    return _tags(column, text_of) if name == "tags" else _texts(column, text_of)


def _cast(path: Path, column: pa.Array, name: str, wanted: pa.DataType) -> pa.Array:
    import pyarrow as pa

    with contextlib.suppress(pa.ArrowException):
        if not pa.types.is_primitive(column.type):
            return column.cast(wanted)
    raise UserError(f"the column {name} holds {column.type}, not text", file=str(path))


def _texts(column: pa.Array, text_of: Callable[[Any], Any]) -> list[Any]:
    """The texts of a column; bytes where one is not UTF-8."""
    try:
        return list(map(text_of, column.to_pylist()))
    except UnicodeDecodeError:
        return [_text(value) for value in column]


def _text(value: pa.Scalar) -> Any:
    try:
        return restored(value.as_py())
    except UnicodeDecodeError:
        return value.as_buffer().to_pybytes()


def _tags(lists: pa.ListArray, text_of: Callable[[Any], Any]) -> list[tuple[str, ...]]:
    values = _texts(lists.values, text_of)
    seen: dict[tuple[Any, ...], tuple[str, ...]] = {}
    rows = (tuple(values[start:stop]) for start, stop in pairwise(lists.offsets.to_pylist()))
    return [seen.setdefault(row, row) for row in rows]


def _all_good(distinct: Mapping[str, Collection[Any]], rows: int) -> bool:
    ids = distinct["case_id"]
    if len(ids) != rows or not all(isinstance(i, str) and i for i in ids):
        return False
    if not all(isinstance(value, str) and value for value in distinct["suite"]):
        return False
    if not all(isinstance(tag, str) for tags in distinct["tags"] for tag in tags):
        return False
    optional = ("severity", "failure_category", "failure_stage")
    words = all({*WORDS[n], *([None] if n in optional else [])}.issuperset(distinct[n]) for n in WORDS)
    return words and all(value is None or isinstance(value, str) for value in distinct["intent"])


def _with_bad_rows(entries: Iterable[CaseEntry]) -> list[CaseEntry | BadRow]:
    checked: list[CaseEntry | BadRow] = []
    first_rows: dict[str, int] = {}
    for row, entry in enumerate(entries):
        plain = {"case_id": entry.case_id, **entry.labels._asdict()}
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
