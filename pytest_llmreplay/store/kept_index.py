"""What collection read of golden files, kept so that the next one does without Arrow.

Importing Arrow takes about as much memory as pytest with 10,000 items, and half its time: in every process that only
collects, such as each worker of xdist.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.case import SCHEMA_VERSION
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.atomic import write_text_atomically, writing
from pytest_llmreplay.store.case_index import BadRow, CaseEntry, CaseLabels, read_index
from pytest_llmreplay.store.state import ensure_state

_FOLDER = "collected"
# A file that is written again within one tick of the clock, in place and with the same size, looks as it was.
_TICK_S = 2.0


class KeptIndex:
    """The flat columns of golden files, in the state folder; a file that changed in any way is read again.

    Args:
        state: the state folder.
        writes: whether what is read is kept.
    """

    def __init__(self, state: Path, *, writes: bool = False) -> None:
        self._state = state
        self._writes = writes

    def holds(self, path: Path) -> bool:
        """Whether this golden file was read before and has not changed since."""
        # Path.is_file raises where the folder is another user's.
        return os.path.isfile(self._place(path))  # noqa: PTH113

    def read(self, path: Path) -> Sequence[CaseEntry | BadRow]:
        """`read_index`, from what was kept where that still holds.

        Raises:
            UserError: the file cannot be read, lacks a column, or was written by a newer version.
        """
        place = self._place(path)
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            return _entries(json.loads(place.read_text(encoding="ascii")))
        entries = read_index(path)
        if self._writes and _is_settled(path) and place == self._place(path):
            cases = [entry for entry in entries if isinstance(entry, CaseEntry)]
            if len(cases) == len(entries):
                self._keep(place, cases)
        return entries

    def _place(self, path: Path) -> Path:
        return (
            self._state
            / _FOLDER
            / f"{_digest(path.absolute(), CaseLabels._fields, SCHEMA_VERSION)}-{_stamp(path)}.json"
        )

    def _keep(self, place: Path, entries: Sequence[CaseEntry]) -> None:
        numbers: dict[CaseLabels, int] = {}
        of = [numbers.setdefault(entry.labels, len(numbers)) for entry in entries]
        kept = {"case_ids": [entry.case_id for entry in entries], "labels": list(numbers), "labels_of": of}
        # It only saves time: a project that cannot be written is collected all the same.
        with contextlib.suppress(UserError):
            folder = ensure_state(self._state, _FOLDER)
            write_text_atomically(place, json.dumps(kept, separators=(",", ":")))
            with writing(folder):
                for outdated in folder.glob(f"{place.name.partition('-')[0]}-*.json"):
                    if outdated != place:
                        outdated.unlink(missing_ok=True)


def _entries(kept: Mapping[str, Any]) -> list[CaseEntry]:
    labels = [CaseLabels._make([*plain[:-1], tuple(plain[-1])]) for plain in kept["labels"]]
    of = map(labels.__getitem__, kept["labels_of"])
    return list(map(CaseEntry, kept["case_ids"], of, range(len(kept["case_ids"]))))


def _is_settled(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_ctime > _TICK_S
    except OSError:
        return False


def _stamp(path: Path) -> str:
    try:
        told = path.stat()
    except OSError:
        return "unreadable"
    return _digest(told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino)


def _digest(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
