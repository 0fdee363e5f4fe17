"""What people do with recordings: publish them as a cassette, merge part files, throw old ones away."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.atomic import writing
from pytest_llmreplay.store.locks import folder_lock
from pytest_llmreplay.store.recording_files import (
    RecordingEntry,
    as_record,
    read_columns,
    recording_schema,
    write_recordings,
)
from pytest_llmreplay.store.recordings import PART, RecordingStore


def commit(store: RecordingStore, path: Path, keys: Collection[str] | None = None, *, replace: bool = False) -> int:
    """Publish recordings as a cassette, and return how many.

    Args:
        store: where they are.
        path: the cassette, such as `golden/cassettes/support.parquet`.
        keys: of which recordings; None for all.
        replace: whether an existing cassette may be replaced.

    Raises:
        UserError: the cassette exists, a key has no recording, or the file cannot be written.
    """
    if path.exists() and not replace:
        raise UserError("exists already", file=str(path), fix="name another file or replace it")
    missing = set(keys or ()) - {entry.key for entry in store.entries()}
    if missing:
        raise UserError(f"{len(missing)} of {len(keys or ())} keys have no recording", value=min(missing))
    count = 0

    def chosen() -> Iterator[dict[str, Any]]:
        nonlocal count
        for record in store.records():
            if keys is None or record["key"] in keys:
                count += 1
                yield record

    write_recordings(path, chosen())
    return count


def compact(folder: Path) -> int:
    """Merge the part files of the project's own recordings into one, and return how many there were.

    Journals are left alone. Of two recordings with one key the later one is kept. A kill in between leaves doubles,
    which harm nothing.

    Raises:
        UserError: a file cannot be read or written.
    """
    if not folder.is_dir():
        return 0
    with writing(folder), folder_lock(folder):
        parts = _parts(folder)
        if len(parts) < 2:
            return len(parts)
        latest: dict[str, tuple[Path, int]] = {}
        for path in parts:
            latest.update((row["key"], (path, number)) for number, row in _rows(path, ["key"]))
        # The name sorts right behind the newest part, so that what other processes add later still comes later.
        merged = folder / f"{parts[-1].stem}c{PART}"
        write_recordings(
            merged,
            (
                as_record(row)
                for path in parts
                for number, row in _rows(path, recording_schema().names)
                if latest[row["key"]] == (path, number)
            ),
        )
        for path in parts:
            path.unlink()
    return len(parts)


def prune(folder: Path, keep: Callable[[RecordingEntry], bool]) -> int:
    """Throw away the project's own recordings that `keep` does not want, and return how many.

    Journals are left alone.

    Raises:
        UserError: a file cannot be read or written.
    """
    if not folder.is_dir():
        return 0
    with writing(folder), folder_lock(folder):
        return sum(_prune_part(path, keep) for path in _parts(folder))


def _prune_part(path: Path, keep: Callable[[RecordingEntry], bool]) -> int:
    names = RecordingEntry._fields[:-1]
    wanted = [keep(RecordingEntry._make([*(row[name] for name in names), path])) for _, row in _rows(path, names)]
    if all(wanted):
        return 0
    if any(wanted):
        rows = _rows(path, recording_schema().names)
        write_recordings(path, (as_record(row) for number, row in rows if wanted[number]))
    else:
        path.unlink()
    return wanted.count(False)


def _rows(path: Path, columns: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for rows in read_columns(path, columns):
        for row in rows:
            yield number, row
            number += 1


def _parts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*" + PART) if not path.name.startswith("."))
