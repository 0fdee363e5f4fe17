"""An append-only file of checksummed records: what it holds survives a kill at any moment.

A record is one line: eight hexadecimal digits, the CRC-32 of the rest; a space; one JSON object in ASCII.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.atomic import reason_of, sync, writing
from pytest_llmreplay.store.locks import try_lock

FSYNC_DELAY_S = 0.05
_encoded = json.JSONEncoder(separators=(",", ":")).encode
TORN = "{}: the last record was torn when its process ended, and is left out"


class JournalInUse(UserError):
    """Another process writes this journal, or has just sealed it."""


class Journal:
    """A journal that this process writes; its lock tells other processes that it is alive. Safe to use from threads.

    A torn last record, from a process that was killed, is cut off when the file is opened.

    Args:
        path: the journal.
        create: whether it is made when it is not there.
        on_notice: told, in one sentence, when a torn record is cut off.

    Raises:
        JournalInUse: another process writes it.
        UserError: the file cannot be written.
    """

    def __init__(self, path: Path, *, create: bool = True, on_notice: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._syncer: threading.Thread | None = None
        self._trouble: OSError | None = None
        with writing(path):
            self._file = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
            try:
                self._claim()
                self._end = _whole_records_end(self._file)
                if os.fstat(self._file).st_size > self._end and on_notice is not None:
                    on_notice(TORN.format(path))
                os.ftruncate(self._file, self._end)
                sync(path.parent)
            except BaseException:
                os.close(self._file)
                raise

    def append(self, record: Mapping[str, Any]) -> int:
        """Hand a record to the operating system; it survives the death of this process once this returns.

        The disk has it within 100 ms; nobody waits for that.

        Returns:
            Where the record begins in the file, in bytes.

        Raises:
            UserError: the disk is full or failed; the record does not count and the file holds no part of it.
        """
        return self.append_all([record])[0]

    def append_all(self, records: Iterable[Mapping[str, Any]]) -> list[int]:
        """`append` for several records at once: either all of them count or none.

        Returns:
            Where each record begins in the file, in bytes.

        Raises:
            UserError: the disk is full or failed; the file holds no part of them.
        """
        lines = [encode_record(record) for record in records]
        with self._lock, writing(self.path):
            if self._trouble is not None:
                raise self._trouble
            start = self._end
            try:
                _write_all(self._file, b"".join(lines), start)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, start)
                raise
            starts = list(accumulate(map(len, lines), initial=start))
            self._end = starts.pop()
            self._sync_soon()
        return starts

    def read_at(self, offset: int) -> dict[str, Any] | None:
        """The record that begins at this offset, or None when there is no sound one."""
        return record_at(self._file, offset)

    def close(self) -> None:
        """Put all records on the disk and let the file go.

        Raises:
            UserError: the disk failed.
        """
        with self._lock:
            if self._file < 0:
                return
            self._closing.set()
            self._dirty.set()
        if self._syncer is not None:
            self._syncer.join()
        with writing(self.path):
            try:
                os.fsync(self._file)
            finally:
                os.close(self._file)
                self._file = -1
            if self._trouble is not None:
                raise self._trouble

    def _claim(self) -> None:
        if not try_lock(self._file):
            raise JournalInUse("is being written by another process", file=str(self.path))
        there = self.path.stat() if self.path.exists() else None
        if there is None or not os.path.samestat(os.fstat(self._file), there):
            raise JournalInUse("was sealed by another process meanwhile", file=str(self.path))

    def _sync_soon(self) -> None:
        if self._syncer is None:
            self._syncer = threading.Thread(target=self._sync_until_closed, name="llmreplay-fsync", daemon=True)
            self._syncer.start()
        if not self._dirty.is_set():
            self._dirty.set()

    def _sync_until_closed(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._closing.wait(FSYNC_DELAY_S)
            self._dirty.clear()
            try:
                os.fsync(self._file)
            except OSError as error:
                self._trouble = error  # the next append says so
                return


def read_journal(path: Path, on_notice: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The sound records of a journal, in order; it may be one that another process is writing.

    Args:
        path: the journal.
        on_notice: told, in one sentence each, of a torn last record and of every damaged one.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for _, record in sound_records(file, path, on_notice):
                yield record
    except OSError as error:
        raise UserError(f"cannot be read: {reason_of(error)}", file=str(path)) from error


def sound_records(file: BinaryIO, path: Path, on_notice: Callable[[str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The sound records of an open journal, each with the offset at which it begins, in bytes."""
    offset = 0
    for number, line in enumerate(file, start=1):
        record = decode_record(line)
        if record is not None:
            yield offset, record
        elif not line.endswith(b"\n"):
            on_notice(TORN.format(path))
        else:
            on_notice(f"{path}: record {number} is damaged and is left out; the others are read")
        offset += len(line)


def encode_record(record: Mapping[str, Any]) -> bytes:
    """The line of a record."""
    body = _encoded(record).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def decode_record(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None when the line is torn or damaged."""
    body = line[9:-1]
    if line[-1:] != b"\n" or line[:9] != b"%08x " % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def record_at(descriptor: int, offset: int) -> dict[str, Any] | None:
    """The record that begins at this offset of an open journal, or None when there is no sound one."""
    line, size = b"", 4096
    while not line.endswith(b"\n"):
        piece = os.pread(descriptor, size, offset + len(line))
        if not piece:
            return None
        end = piece.find(b"\n")
        line += piece if end < 0 else piece[: end + 1]
        size *= 2
    return decode_record(line)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def _whole_records_end(descriptor: int) -> int:
    """Where the last line ends that was written whole; what follows is torn."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
