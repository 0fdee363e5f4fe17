"""Stored requests and responses: what was answered once is not paid for twice."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.providers.credentials import clean_text
from pytest_llmreplay.store.atomic import writing
from pytest_llmreplay.store.draft import Draft
from pytest_llmreplay.store.journal import Journal, JournalInUse, record_at, sound_records
from pytest_llmreplay.store.key_places import KeyPlaces
from pytest_llmreplay.store.locks import folder_lock
from pytest_llmreplay.store.nearest import NearestIndex
from pytest_llmreplay.store.recording_files import (
    PartReader,
    RecordingEntry,
    as_record,
    read_columns,
    recordings_draft,
    write_recordings,
)
from pytest_llmreplay.store.secrets import without_secret_entries, without_secrets
from pytest_llmreplay.store.state import ensure_state, new_id, notice_on_stderr

PART = ".parquet"
JOURNAL = ".journal"

_T = TypeVar("_T")
_ROW_BITS = 40
_ROW_MASK = (1 << _ROW_BITS) - 1
_ALL_COLUMNS = (*RecordingEntry._fields[:-1], "request", "response")


class _Own(NamedTuple):
    """The journal of this process, and what becomes its part file."""

    journal: Journal
    draft: Draft


class RecordingStore:
    """The recordings of a project: its own ones first, then its committed cassettes, which are never written here.

    Making one touches nothing; a folder is made with the first recording. Every process writes a journal of its own,
    which becomes a part file when it is closed. In memory is a short digest of each key and where the recording is.
    Safe to use from several threads.

    Args:
        folder: the project's own recordings, `.pytest_llmreplay/recordings`.
        cassettes: folders of cassettes, or cassettes.
        on_notice: told of torn and damaged records, in one sentence each.
        now: the clock.
    """

    def __init__(
        self,
        folder: Path,
        cassettes: Sequence[Path] = (),
        *,
        on_notice: Callable[[str], None] = notice_on_stderr,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder = folder
        self._cassettes = tuple(cassettes)
        self._on_notice = on_notice
        self._now = now
        self._lock = threading.RLock()
        self._reader = PartReader()
        self._sources: list[Path | int] = []  # a part file, or the descriptor of an open journal
        self._index: KeyPlaces | None = None
        self._had_any: bool | None = None
        self._nearest: NearestIndex | None = None
        self._own: _Own | None = None
        self._journal_source = -1

    @property
    def had_any(self) -> bool:
        """Whether anything was recorded before this store added something."""
        with self._lock:
            if self._had_any is None:
                self._had_any = bool(self._looking_again(self._places))
            return self._had_any

    @property
    def has_files(self) -> bool:
        """Whether there is any file of recordings; none is opened."""
        return bool(self._own_files(PART, JOURNAL) or self._cassette_files())

    def __len__(self) -> int:
        with self._lock:
            return len(self._places())

    def find(self, key: str) -> Mapping[str, Any] | None:
        """The response recorded under this key, or None.

        Raises:
            UserError: a file of recordings cannot be read.
        """
        with self._lock:
            return self._looking_again(lambda: self._response(key))

    def add(
        self,
        key: str,
        *,
        request: Mapping[str, Any],
        response: Mapping[str, Any],
        provider: str,
        trial: int | None = None,
    ) -> None:
        """Store a response; it counts once this returns. A later one under the same key takes its place.

        Raises:
            UserError: the folder cannot be written, or the disk is full or failed.
        """
        record = {
            "key": key,
            "provider": clean_text(provider),
            "model": request.get("model"),
            "trial": trial,
            "recorded_at": self._now().astimezone(UTC).isoformat(timespec="milliseconds"),
            "request": without_secrets(request),
            "response": without_secret_entries(response),
        }
        with self._lock:
            places, _ = self._looking_again(self._places), self.had_any
            own = self._opened()
            before, offset = places.get(key), own.journal.append(record)
            places[key] = self._journal_source << _ROW_BITS | offset
            if before is not None and before >> _ROW_BITS == self._journal_source:
                own.draft.end()
            own.draft.add([record])

    def nearest(self, request: Mapping[str, Any]) -> str | None:
        """In a few words: the recording most like this request, and what differs; None when there is none.

        The first call reads every recorded request.

        Raises:
            UserError: a file of recordings cannot be read.
        """
        with self._lock:
            return self._looking_again(lambda: self._describe_nearest(without_secrets(request)))

    def records(self) -> Iterator[dict[str, Any]]:
        """Every recording, the latest of each key, with request and response as data.

        Raises:
            UserError: a file of recordings cannot be read.
        """
        with self._lock:
            for _, record in self._placed_records():
                yield record

    def entries(self) -> Iterator[RecordingEntry]:
        """What every recording is, the latest of each key, without requests and responses.

        Raises:
            UserError: a file of recordings cannot be read.
        """
        with self._lock:
            for place, row in self._placed_rows(RecordingEntry._fields[:-1]):
                source = self._sources[place >> _ROW_BITS]
                file = source if isinstance(source, Path) else self.folder
                yield RecordingEntry._make([*(row[name] for name in RecordingEntry._fields[:-1]), file])

    def seal_abandoned(self) -> int:
        """Turn the journals of processes that are gone into part files, and return how many there were.

        What cannot be sealed, as in a read-only project, is as readable as before; a notice says so.
        """
        sealed = 0
        for path in self._own_files(JOURNAL):
            try:
                with contextlib.suppress(JournalInUse):
                    with writing(path), folder_lock(self.folder):
                        journal = Journal(path, create=False, on_notice=self._on_notice)
                    self._seal(journal)
                    sealed += 1
            except UserError as error:
                self._on_notice(f"recordings of a process that is gone could not be sealed: {error}")
        if sealed:
            with self._lock:
                self._forget()
        return sealed

    def close(self) -> None:
        """Turn this process's journal into a part file and let all files go; the store may be used again.

        Raises:
            UserError: the part file cannot be written; the journal stays.
        """
        with self._lock:
            own, self._own = self._own, None
            self._forget()
            if own is not None:
                self._seal(*own)

    def _describe_nearest(self, request: Mapping[str, Any]) -> str | None:
        if self._nearest is None:
            self._nearest = NearestIndex(self._placed_records())
        return self._nearest.describe(request, self._record)

    def _seal(self, journal: Journal, draft: Draft | None = None) -> None:
        try:
            part = journal.path.with_suffix(PART)
            if draft is None or not draft.finish(part):
                self._write_part(journal.path, part)
            with writing(journal.path):
                journal.path.unlink()
        finally:
            journal.close()
            if draft is not None:
                draft.end()

    def _write_part(self, journal: Path, part: Path) -> None:
        with journal.open("rb") as file:
            latest = {r["key"]: offset for offset, r in sound_records(file, journal, self._on_notice)}
            if latest:
                write_recordings(part, filter(None, (record_at(file.fileno(), offset) for offset in latest.values())))

    def _opened(self) -> _Own:
        if self._own is None:
            folder = ensure_state(self.folder.parent, self.folder.name)
            newest = max((path.name for path in self._own_files(PART, JOURNAL)), default=None)
            with writing(folder), folder_lock(folder):
                journal = Journal(folder / f"{new_id(self._now(), newest)}{JOURNAL}")
            self._own = _Own(journal, recordings_draft(folder))
            self._journal_source = self._add_source(os.open(journal.path, os.O_RDONLY))
        return self._own

    def _places(self) -> KeyPlaces:
        if self._index is None:
            try:
                self._index = KeyPlaces(self._keys())
            except BaseException:
                self._forget()
                raise
        return self._index

    def _looking_again(self, look: Callable[[], _T]) -> _T:
        try:
            return look()
        except UserError:
            # Another process may have merged a file into another one since it was looked at.
            self._forget()
            return look()

    def _keys(self) -> Iterator[tuple[str, int]]:
        """Every key and its place, the oldest first."""
        for path in [*self._cassette_files(), *self._own_files(PART, JOURNAL)]:
            yield from self._keys_of_part(path) if path.suffix == PART else self._keys_of_journal(path)

    def _keys_of_part(self, path: Path) -> Iterator[tuple[str, int]]:
        place = self._add_source(path) << _ROW_BITS
        rows = itertools.chain.from_iterable(read_columns(path, ["key"]))
        yield from ((row["key"], number) for number, row in enumerate(rows, start=place))

    def _keys_of_journal(self, path: Path) -> Iterator[tuple[str, int]]:
        own = self._own is not None and path == self._own.journal.path
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return  # sealed since the folder was listed; a miss looks again
        source = self._add_source(descriptor)
        if own:
            self._journal_source = source
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            for offset, record in sound_records(file, path, self._on_notice):
                yield str(record.get("key")), source << _ROW_BITS | offset

    def _add_source(self, source: Path | int) -> int:
        self._sources.append(source)
        return len(self._sources) - 1

    def _response(self, key: str) -> Mapping[str, Any] | None:
        place = self._places().get(key)
        if place is None:
            return None
        source = self._sources[place >> _ROW_BITS]
        if isinstance(source, Path):
            stored, response = self._reader.response(source, place & _ROW_MASK)
        else:
            record = self._record(place)
            stored, response = record["key"], record["response"]
        return response if stored == key and isinstance(response, Mapping) else None

    def _record(self, place: int) -> dict[str, Any]:
        source = self._sources[place >> _ROW_BITS]
        if isinstance(source, Path):
            return self._reader.record(source, place & _ROW_MASK)
        record = record_at(source, place & _ROW_MASK)
        if record is None:
            raise UserError("a recording that was readable is not any more", file=str(self.folder))
        return record

    def _placed_records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for place, row in self._placed_rows(_ALL_COLUMNS):
            yield place, as_record(row) if isinstance(row["request"], str) else row

    def _placed_rows(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        index = self._places()
        for number, source in enumerate(self._sources):
            if isinstance(source, Path):
                all_rows = itertools.chain.from_iterable(read_columns(source, columns))
                rows = enumerate(all_rows, start=number << _ROW_BITS)
                yield from ((place, row) for place, row in rows if index.get(row["key"]) == place)
            else:
                places = sorted(place for place in index if place >> _ROW_BITS == number)
                yield from ((place, self._record(place)) for place in places)

    def _own_files(self, *suffixes: str) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(p for p in self.folder.iterdir() if p.suffix in suffixes and not p.name.startswith("."))

    def _cassette_files(self) -> list[Path]:
        files: list[Path] = []
        for place in self._cassettes:
            files.extend(sorted(place.glob("*" + PART)) if place.is_dir() else [place] if place.exists() else [])
        return files

    def _forget(self) -> None:
        for source in self._sources:
            if isinstance(source, int):
                os.close(source)
        self._sources, self._index, self._nearest = [], None, None
        self._reader.close()
