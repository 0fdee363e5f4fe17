"""Columns of JSON lines whose records need not agree: what type each has over the whole file, and tables of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.traces.jsonable import dump, jsonable
from pytest_llmreplay.traces.records import read_records
from pytest_llmreplay.traces.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_ROWS = 4096


def json_columns(source: Source) -> dict[str, pa.DataType]:
    """Every key of the file's records with the type that holds all its values; what cannot be parsed is passed over.

    Raises:
        UnreadableError: the file cannot be opened.
    """
    known: dict[str, set[str]] = {}
    for _, rows in _json_batches(source):
        for row in rows:
            for name, value in row.items():
                kinds = known.setdefault(name, set())
                if value is not None:
                    kinds.add(_kind(value))
    return {name: _arrow_type(kinds) for name, kinds in known.items()}


def json_tables(source: Source, types: Mapping[str, pa.DataType]) -> Iterator[tuple[list[int], pa.Table]]:
    """The records as tables with these columns, a batch at a time; and the number of each row's record."""
    import pyarrow as pa

    for numbers, rows in _json_batches(source):
        arrays = {name: pa.array([_cell(row.get(name), kind) for row in rows], kind) for name, kind in types.items()}
        yield numbers, pa.table(arrays) if arrays else pa.table({"": pa.nulls(len(rows))})


def _json_batches(source: Source) -> Iterator[tuple[list[int], list[Mapping[str, Any]]]]:
    numbers: list[int] = []
    rows: list[Mapping[str, Any]] = []
    for record in read_records(source):
        if isinstance(record.value, Mapping):
            numbers.append(record.number)
            rows.append(record.value)
        if len(rows) == _BATCH_ROWS:
            yield numbers, rows
            numbers, rows = [], []
    if rows:
        yield numbers, rows


def _kind(value: Any) -> str:
    """What a value is: truth, whole, real, a list of one of these or of text, or something else."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int):
        return "whole" if -(2**63) <= value < 2**63 else "other"
    if isinstance(value, float):
        return "real"
    if isinstance(value, str):
        return "text"
    inner = {_kind(item) for item in value} if isinstance(value, list) else {"other"}
    return f"list of {_common(inner)}" if inner <= {"text"} or inner <= {"whole", "real"} else "other"


def _common(kinds: set[str]) -> str:
    """The kind that holds all of these."""
    if not kinds:
        return "nothing"
    return "real" if kinds == {"whole", "real"} else next(iter(kinds)) if len(kinds) == 1 else "other"


def _arrow_type(kinds: set[str]) -> pa.DataType:
    """The type that holds every value of a column; text where the values have nothing in common."""
    import pyarrow as pa

    types = {"truth": pa.bool_(), "whole": pa.int64(), "real": pa.float64()}
    if kinds and all(kind.startswith("list of ") for kind in kinds):
        inner = _common({kind.removeprefix("list of ") for kind in kinds} - {"nothing"})
        return pa.list_(types.get(inner, pa.string())) if inner != "other" else pa.string()
    return types.get(_common(kinds), pa.string())


def _cell(value: Any, kind: pa.DataType) -> Any:
    if value is None or str(kind) != "string" or isinstance(value, str):
        return value
    return dump(jsonable(value))
