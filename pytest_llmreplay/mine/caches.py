"""What mining keeps between commands: converted logs and vectors, in the user's cache folder and for a time only."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_llmreplay.model.errors import UserError

DAYS_VARIABLE = "PYTEST_LLMREPLAY_CACHE_DAYS"
DEFAULT_DAYS = 7.0
_DAY_S = 86400.0
_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_TEMPORARY = ".tmp"


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached file; `expires_at` is in seconds since the epoch."""

    kind: str
    key: str
    path: Path
    size: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Caches:
    """Files by kind and key that can be made again: they hold customer text, so only their owner may read them.

    `ttl_s` is how long an entry counts after it was written, in seconds; 0 keeps nothing for the next command.
    """

    root: Path
    ttl_s: float
    now: Callable[[], float] = time.time

    def path(self, kind: str, key: str) -> Path:
        """Where an entry is or would be; kind and key are words of letters, digits, `-`, `_` and inner full stops.

        Raises:
            ValueError: they are not.
        """
        for name in (kind, key):
            if not _NAME.fullmatch(name):
                raise ValueError(f"no name of a cache entry: {name!r}")
        return self.root / kind / key

    def find(self, kind: str, key: str) -> Path | None:
        """The entry's file, or None when there is none or its time is over."""
        path = self.path(kind, key)
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            return None
        return path if self.now() < written + self.ttl_s else None

    def write(self, kind: str, key: str, fill: Callable[[Path], object]) -> Path:
        """Have `fill` write a temporary file, which becomes the entry in one step once it is whole and on the disk.

        Whatever fails or interrupts, an older entry is as it was and nothing half written is left.

        Raises:
            UserError: the folder cannot be made or written.
        """
        target = self.path(kind, key)
        temporary = target.with_name(f".{key}.{os.getpid()}.{secrets.token_hex(4)}{_TEMPORARY}")
        try:
            self._make_folder(target.parent)
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            fill(temporary)
            temporary.chmod(0o600)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise UserError(f"the cache cannot be written: {error.strerror or error}", file=str(target)) from error
        finally:
            with suppress(FileNotFoundError, NotADirectoryError):
                temporary.unlink()
        return target

    def entries(self) -> list[Entry]:
        """Every entry, those whose time is over too, by kind and key; and what an interrupted command left behind."""
        found = []
        for path in sorted(self._files()):
            with suppress(FileNotFoundError):
                about = path.stat()
                expires = about.st_mtime + self.ttl_s
                found.append(Entry(path.parent.name, path.name, path, about.st_size, expires))
        return found

    def prune(self) -> list[Entry]:
        """Remove every entry whose time is over; which they were."""
        now = self.now()
        return _removed([entry for entry in self.entries() if now >= entry.expires_at])

    def clear(self) -> list[Entry]:
        """Remove every entry; which they were."""
        return _removed(self.entries())

    def _files(self) -> Iterator[Path]:
        return (path for path in self.root.glob("*/*") if path.is_file())

    def _make_folder(self, folder: Path) -> None:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        for each in (self.root, folder):
            each.mkdir(mode=0o700, exist_ok=True)
            if os.name == "posix" and each.stat().st_mode & 0o077:
                each.chmod(0o700)


def user_caches(environ: Mapping[str, str] | None = None) -> Caches:
    """The caches of the user: `$XDG_CACHE_HOME/pytest-llmreplay`, else `~/.cache/pytest-llmreplay`.

    They last seven days, or as many as the environment variable `PYTEST_LLMREPLAY_CACHE_DAYS` says.

    Raises:
        UserError: the variable is no number of days.
    """
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_CACHE_HOME") or (environ.get("LOCALAPPDATA") if os.name == "nt" else None) or ""
    # The standard says that a relative path is to be ignored; it would lead into whatever folder one is in.
    root = (Path(home) if Path(home).is_absolute() else Path.home() / ".cache") / "pytest-llmreplay" / "mine"
    given = environ.get(DAYS_VARIABLE)
    try:
        days = DEFAULT_DAYS if not given else float(given)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 36500:
        raise UserError("must be a number of days, from 0", key=DAYS_VARIABLE, value=given)
    return Caches(root, days * _DAY_S)


def _removed(entries: list[Entry]) -> list[Entry]:
    for entry in entries:
        entry.path.unlink(missing_ok=True)
    return entries
