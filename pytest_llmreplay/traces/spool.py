"""A list of any size that lives in a file without a name, which the system removes with the process."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterator
from typing import Any


class Spool:
    """Values kept on disk by number, once they outgrow a small cache; only this process can read them."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA cache_size = -65536")
        self._database.execute("CREATE TABLE spool (number INTEGER PRIMARY KEY, value BLOB)")
        self._database.execute("BEGIN")

    def add(self, value: Any) -> int:
        """Keep a value; its number."""
        data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        number = self._database.execute("INSERT INTO spool (value) VALUES (?)", (data,)).lastrowid
        assert number is not None  # noqa: S101 - SQLite numbers every inserted row
        return number

    def get(self, number: int) -> Any:
        """The value with this number."""
        row = self._database.execute("SELECT value FROM spool WHERE number = ?", (number,)).fetchone()
        return pickle.loads(row[0])  # noqa: S301 - written by this process into a file without a name

    def __iter__(self) -> Iterator[Any]:
        for (data,) in self._database.execute("SELECT value FROM spool ORDER BY number"):
            yield pickle.loads(data)  # noqa: S301 - as above

    def close(self) -> None:
        """Remove everything."""
        self._database.close()
