"""Which files are golden files, and opening one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.case import SCHEMA_VERSION
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.case_schema import CASES
from pytest_llmreplay.store.parquet import KIND_KEY, footer, open_of_kind

_REQUIRED = ("case_id", "suite", "kind", "status", "messages", "turn")


def is_case_file(path: Path) -> bool:
    """Whether the footer of a Parquet file says that it holds golden cases.

    Raises:
        UserError: the file cannot be read as Parquet.
    """
    if not _may_hold_cases(path):
        return False
    metadata = footer(path).metadata
    return bool(metadata) and metadata.get(KIND_KEY) == CASES


def _may_hold_cases(path: Path) -> bool:
    """Whether the footer has the words of golden files, or is none: told without Arrow, which takes time to import."""
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
            file.seek(-8 - length, os.SEEK_END)
            metadata = file.read(length)
    except OSError:
        return True  # whoever reads it says what is wrong
    return magic != b"PAR1" or (KIND_KEY in metadata and CASES in metadata)


def golden_files(paths: Path | Iterable[Path]) -> list[Path]:
    """The golden files among the given files and below the given folders, sorted; hidden folders are passed over.

    Raises:
        UserError: a path does not exist, a named file holds no cases, or a Parquet file cannot be read.
    """
    found: set[Path] = set()
    for path in [paths] if isinstance(paths, Path) else paths:
        if path.is_dir():
            found.update(file for file in _parquet_below(path) if is_case_file(file))
        elif not path.exists():
            raise UserError("does not exist", file=str(path))
        elif is_case_file(path):
            found.add(path)
        else:
            raise UserError("holds no golden cases", file=str(path))
    return sorted(found)


def open_cases(path: Path) -> Any:
    """The `pyarrow.parquet.ParquetFile` of a golden file.

    Raises:
        UserError: it cannot be read, holds no cases, lacks a column, or was written by a newer version.
    """
    file = open_of_kind(path, CASES, holds="golden cases", schema="case", version=SCHEMA_VERSION)
    missing = [name for name in _REQUIRED if name not in file.schema_arrow.names]
    if missing:
        raise UserError(f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}", file=str(path))
    return file


def _parquet_below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where, name) for name in names if name.endswith(".parquet") and not name.startswith("."))
