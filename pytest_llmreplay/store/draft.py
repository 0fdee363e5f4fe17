"""The Parquet file that a journal becomes, written while records come, so that its end does not wait for it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_llmreplay.store.atomic import write_atomically
from pytest_llmreplay.store.parquet import GroupWriter, table_of

if TYPE_CHECKING:
    import pyarrow as pa


class Draft:
    """Rows of a Parquet file that has no name yet, in a file without a name, which is gone with its process.

    What counts is the journal: whatever goes wrong here, as on a full disk, only ends the draft, and the Parquet file
    is made from the journal then. Safe to use from several threads.

    Args:
        folder: where the file is going to be.
        schema: the schema of the file, made when it is needed.
        as_row: the row of a record.
        batch_rows: how many records are held before they become rows.
        group_rows: rows of a row group.
    """

    def __init__(
        self,
        folder: Path,
        schema: Callable[[], pa.Schema],
        as_row: Callable[[Mapping[str, Any]], Mapping[str, Any]],
        *,
        batch_rows: int,
        group_rows: int,
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._as_row = as_row
        self._batch_rows = batch_rows
        self._group_rows = group_rows
        self._records: list[Mapping[str, Any]] = []
        self._file: BinaryIO | None = None
        self._writer: GroupWriter | None = None
        self._ended = False
        self._lock = threading.RLock()

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add the records that the journal got, in its order; none may take the place of an earlier one."""
        with self._lock, self._ending_on_trouble():
            if self._ended:
                return
            self._records.extend(records)
            if len(self._records) >= self._batch_rows:
                self._write()

    def end(self) -> None:
        """Say that the draft will not do, and let its file go."""
        with self._lock:
            self._ended = True
            self._records = []
            # A full disk refuses even the end of what is thrown away, and Arrow that of what it could not write.
            with contextlib.suppress(Exception):
                self._close_writer(whole=False)
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()
                self._file = None

    def finish(self, path: Path) -> bool:
        """Write the file at `path`, atomically.

        Returns:
            Whether that was done: not where the draft has ended, or where so few records came that it was not begun.
        """
        done = False
        with self._lock, self._ending_on_trouble():
            if not self._ended and self._file is not None:
                file = self._file
                self._write()
                self._close_writer()
                file.seek(0)
                write_atomically(path, lambda temporary: _copy(file, temporary))
                done = True
        return done

    @contextlib.contextmanager
    def _ending_on_trouble(self) -> Iterator[None]:
        """End the draft on any error, since a part of its records may be lost; none is raised but an interrupt."""
        try:
            yield
        except Exception:  # noqa: BLE001 (the journal has everything, and says what is wrong when it is read)
            self.end()
        except BaseException:
            self.end()
            raise

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (open until the draft is closed)
            self._writer = GroupWriter(self._file, self._schema(), group_rows=self._group_rows)
        if self._writer is not None:
            records, self._records = self._records, []
            self._writer.add(table_of(map(self._as_row, records), self._schema()))

    def _close_writer(self, *, whole: bool = True) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(whole=whole)


def _copy(file: BinaryIO, path: Path) -> None:
    with path.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
