"""Writing golden files, whole or one row of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.atomic import writing
from pytest_llmreplay.store.case_read import BadCase, CaseFile
from pytest_llmreplay.store.case_rows import FieldError, case_from_row, row_of
from pytest_llmreplay.store.case_schema import ROW_GROUP_ROWS, case_schema
from pytest_llmreplay.store.parquet import open_parquet, reading, table_of, write_tables

if TYPE_CHECKING:
    import pyarrow as pa


def write_cases(path: Path, cases: Iterable[Case], *, replace: bool = False) -> None:
    """Write cases to a new golden file; it appears whole or not at all.

    Args:
        path: where to.
        cases: in the order of the file; taken one batch at a time.
        replace: whether an existing file may be replaced.

    Raises:
        UserError: the file exists, two cases have one id, a case is not sound, or the file cannot be written.
    """
    if path.exists() and not replace:
        raise UserError("exists already, and a promotion never changes an existing file", file=str(path))
    rows = _rows(path, cases)
    tables = (table_of(batch, case_schema()) for batch in iter(lambda: list(islice(rows, ROW_GROUP_ROWS)), []))
    write_tables(path, tables, case_schema(), group_rows=ROW_GROUP_ROWS)


def rewrite_cases(path: Path, change: Callable[[Case], Case | None]) -> int:
    """Have `change` look at every case of a golden file and put what it returns in its place, atomically.

    A case that comes back as it was keeps its row untouched, and so does a row that holds no usable case and any
    column that this program does not know. None removes the case.

    Returns:
        How many cases were changed or removed; when none was, the file is not written.

    Raises:
        UserError: the file cannot be read or written, changed meanwhile, or a new id is in it twice.
    """
    before = _identity(path)
    cases = CaseFile(path)
    with reading(path):
        original = open_parquet(path).read(use_threads=False)
    schema = _complete(original.schema)
    pieces, changes, ids = _changed_pieces(path, _filled(original, schema), cases, change)
    if not changes:
        return 0
    repeated = next((case_id for case_id in ids if ids.count(case_id) > 1), None) if len(set(ids)) < len(ids) else None
    if repeated is not None:
        raise UserError(f"would hold the case id '{repeated}' twice", file=str(path))
    if _identity(path) != before:
        raise UserError("was changed by another program meanwhile", file=str(path), fix="run the command again")
    write_tables(path, pieces, schema, group_rows=ROW_GROUP_ROWS)
    return changes


def _rows(path: Path, cases: Iterable[Case]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for case in cases:
        if case.case_id in seen:
            raise UserError(f"two cases have the id '{case.case_id}'", file=str(path))
        seen.add(case.case_id)
        yield _sound_row(path, case)


def _sound_row(path: Path, case: Case) -> dict[str, Any]:
    try:
        row = row_of(case)
        case_from_row(row)
        row["content_digest"] = case.content_digest
    except FieldError as error:
        raise UserError(f"the case '{case.case_id}' is not sound: {error}", file=str(path)) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"the case '{case.case_id}' cannot be stored: {error}", file=str(path)) from None
    return row


def _changed_pieces(
    path: Path, table: pa.Table, cases: CaseFile, change: Callable[[Case], Case | None]
) -> tuple[list[pa.Table], int, list[str]]:
    pieces: list[pa.Table] = []
    ids: list[str] = []
    start = changes = 0
    for row in range(len(cases)):
        try:
            case = cases.load(row)
        except BadCase:
            continue  # the row stays as it is, for `validate` to report
        changed = change(case)
        if changed is not None:
            ids.append(changed.case_id)
        if changed == case:
            continue
        pieces.append(table.slice(start, row - start))
        if changed is not None:
            pieces.append(_replacement(path, table.slice(row, 1), changed))
        start, changes = row + 1, changes + 1
    pieces.append(table.slice(start))
    return pieces, changes, ids


def _replacement(path: Path, old: pa.Table, case: Case) -> pa.Table:
    row = _sound_row(path, case)
    new = table_of([row], case_schema())
    columns = [
        new.column(field.name).cast(field.type) if field.name in row else old.column(field.name) for field in old.schema
    ]
    return old.from_arrays(columns, schema=old.schema)


def _complete(schema: pa.Schema) -> pa.Schema:
    """The schema of a file with the columns that it lacks, and the footer of today."""
    for field in case_schema():
        if field.name not in schema.names:
            schema = schema.append(field)
    return schema.with_metadata({**(schema.metadata or {}), **case_schema().metadata})


def _filled(table: pa.Table, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.cast(schema)


def _identity(path: Path) -> Sequence[int]:
    with writing(path):
        status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns
