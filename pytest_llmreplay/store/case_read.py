"""Reading single cases of golden files."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import InfrastructureError, Problems, UserError, did_you_mean
from pytest_llmreplay.store.case_files import golden_files, open_cases
from pytest_llmreplay.store.case_index import read_index
from pytest_llmreplay.store.case_rows import FieldError, case_from_row
from pytest_llmreplay.store.parquet import plain_rows, reading
from pytest_llmreplay.store.utf8 import restored

if TYPE_CHECKING:
    import pyarrow as pa

_KEPT_ROW_GROUPS = 2


class BadCase(InfrastructureError):
    """A row of a golden file that holds no usable case; its outcome is `error`. `row` counts from 0."""

    def __init__(self, file: Path, row: int, field: str, reason: str) -> None:
        super().__init__(f"{file}: row {row + 1}: {field}: {reason}", code="bad_case")
        self.file = file
        self.row = row
        self.field = field
        self.reason = reason


class CaseFile:
    """Single cases of a golden file, read by row group; safe to use from several threads.

    Raises:
        UserError: the file cannot be read, lacks a column, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open_cases(path)
        groups = self._file.metadata.num_row_groups
        self._starts = _starts(self._file.metadata.row_group(g).num_rows for g in range(groups))
        self._columns = [n for n in self._file.schema_arrow.names if n in Case.__dataclass_fields__]
        self._recent: OrderedDict[int, list[dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._starts[-1]

    def load(self, row: int) -> Case:
        """The case in this row, counted from 0.

        Raises:
            BadCase: the row holds no usable case.
        """
        plain = self._row(row)
        try:
            return case_from_row(plain)
        except FieldError as error:
            raise BadCase(self.path, row, error.field, error.reason) from None

    def _row(self, row: int) -> dict[str, Any]:
        if not 0 <= row < len(self):
            raise BadCase(self.path, row, "row", f"the file has {len(self)} rows")
        number = bisect.bisect_right(self._starts, row) - 1
        with self._lock:
            group = self._group(number)
        return group[row - self._starts[number]]

    def _group(self, number: int) -> list[dict[str, Any]]:
        group = self._recent.get(number)
        if group is None:
            with reading(self.path):
                group = _plain_rows(self._file.read_row_group(number, columns=self._columns, use_threads=False))
            self._recent[number] = group
            if len(self._recent) > _KEPT_ROW_GROUPS:
                self._recent.popitem(last=False)
        self._recent.move_to_end(number)
        return group


def read_cases(path: Path) -> list[Case]:
    """Every case of a golden file, in its order.

    Raises:
        UserError: the file cannot be read; every bad row is named.
    """
    cases, problems = [], []
    file = CaseFile(path)
    for row in range(len(file)):
        try:
            cases.append(file.load(row))
        except BadCase as error:
            problems.append(UserError(error.reason, file=str(path), key=f"row {row + 1}: {error.field}"))
    if problems:
        raise Problems(problems)
    return cases


def find_case(paths: Path | Iterable[Path], case_id: str) -> tuple[Path, Case]:
    """The case with this id and the file that holds it.

    Raises:
        UserError: no file holds it, two do, or its row is not usable.
    """
    known: list[str] = []
    places: list[tuple[Path, int]] = []
    for path in golden_files(paths):
        entries = read_index(path)
        known.extend(entry.case_id for entry in entries if entry.case_id)
        places.extend((path, entry.row) for entry in entries if entry.case_id == case_id)
    if not places:
        nearest = did_you_mean(case_id, known)
        hint = f"did you mean '{nearest}'?" if nearest else f"known cases: {len(known)}"
        raise UserError("no golden case has this id", value=case_id, fix=hint)
    if len(places) > 1:
        where = " and ".join(f"{path} row {row + 1}" for path, row in places)
        raise UserError(f"the case id '{case_id}' is in more than one place: {where}")
    path, row = places[0]
    try:
        return path, CaseFile(path).load(row)
    except BadCase as error:
        raise UserError(error.reason, file=str(path), key=f"row {row + 1}: {error.field}") from None


def _plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    try:
        return plain_rows(table)
    except UnicodeDecodeError:
        return [{name: _value(table, name, row) for name in table.column_names} for row in range(table.num_rows)]


def _value(table: pa.Table, name: str, row: int) -> Any:
    try:
        return restored(table.column(name)[row].as_py())
    except UnicodeDecodeError:
        return b""


def _starts(sizes: Iterable[int]) -> list[int]:
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)
    return starts
