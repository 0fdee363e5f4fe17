"""Writing a file so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_llmreplay.model.errors import NotWritten


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a temporary file beside `path`, make it durable and give it the name `path`.

    The file keeps its permissions when it exists; a symbolic link is followed. Whatever fails, `path` is as it was and
    the temporary file is gone.

    Raises:
        UserError: the folder cannot be written, the disk is full, or the like.
    """
    with writing(path):
        target = path.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        try:
            write(temporary)
            if target.exists():
                shutil.copymode(target, temporary)
            sync(temporary)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(target.parent)


def write_text_atomically(path: Path, text: str) -> None:
    """`write_atomically` for UTF-8 text.

    Raises:
        UserError: the file cannot be written.
    """
    write_atomically(path, lambda temporary: _write_text(temporary, text))


def write_privately(path: Path, write: Callable[[Path], None]) -> None:
    """`write_atomically` for a file that only its owner may read, whoever could read the one that was there.

    Raises:
        UserError: the file cannot be written.
    """

    def write_own(temporary: Path) -> None:
        temporary.touch(mode=0o600)
        write(temporary)

    if path.exists():
        with writing(path):
            path.chmod(0o600)
    write_atomically(path, write_own)


def sync(path: Path) -> None:
    """Have the operating system put a file or a folder on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses while `path` is written into one sentence for the user.

    Raises:
        NotWritten: instead of any `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise NotWritten(f"cannot be written: {reason_of(error)}", file=str(path)) from error


def reason_of(error: OSError) -> str:
    """What the operating system says, without the path and the wording that a library wraps around it."""
    return os.strerror(error.errno) if error.errno else str(error)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
