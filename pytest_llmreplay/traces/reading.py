"""What reading a log is made of: the problem that does not stop it, and where a record stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadProblem:
    """Something that could not be read while the rest was; `record` counts from 1, None means the whole file.

    `note` marks what was read, but not whole: the log does not hold all of it.
    """

    file: str
    record: int | None
    message: str
    note: bool = False

    def __str__(self) -> str:
        where = self.file if self.record is None else f"{self.file}: record {self.record}"
        return f"{where}: {self.message}"


OnProblem = Callable[[ReadProblem], None]


class UnreadableError(ValueError):
    """A file that cannot be read at all; its text is the reason, without the file's name."""
