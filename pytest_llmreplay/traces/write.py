"""Canonical Parquet: conversations written as they come, whole or not at all."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces.canonical import canonical_schema, canonical_table

_BATCH = 256
_ROW_GROUP_BYTES = 64 << 20


def write_conversations(path: str | Path, conversations: Iterable[Conversation]) -> int:
    """Write canonical Parquet, replacing the file in one step once all is on disk; how many were written.

    The conversations are taken one batch at a time. When taking or writing them fails, the path is as it was before. A
    new file can be read by its owner only: it holds what customers wrote.

    Raises:
        UserError: the folder does not exist or cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = Path(path)
    count = size = 0
    waiting: list[pa.Table] = []
    iterator = iter(conversations)
    with _replacing(target) as temporary, pq.ParquetWriter(temporary, canonical_schema(), compression="zstd") as writer:
        while batch := list(itertools.islice(iterator, _BATCH)):
            table = canonical_table(batch)
            waiting.append(table)
            count, size = count + len(batch), size + table.nbytes
            if size >= _ROW_GROUP_BYTES:
                writer.write_table(pa.concat_tables(waiting))
                waiting, size = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    return count


@contextmanager
def _replacing(target: Path) -> Iterator[str]:
    """A temporary name beside the target, which takes the target's place when the block ends well."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    except OSError as error:
        raise UserError(f"cannot be written: {(error.strerror or str(error)).lower()}", file=str(target)) from error
    os.close(descriptor)
    try:
        yield temporary
        with Path(temporary).open("rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            Path(temporary).chmod(target.stat().st_mode & 0o777)
        Path(temporary).replace(target)
        _sync_folder(target.parent)
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
