"""The files that a target of one's own is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.errors import UserError


def files_digest(patterns: Sequence[str], base: Path) -> str:
    """Digest of the files that the patterns name: names and contents, folders with all that is in them.

    Raises:
        UserError: a pattern names nothing.
    """
    contents: dict[str, str] = {}
    for pattern in patterns:
        found = list(_files(base, pattern))
        if not found:
            raise UserError("names no file", key="target.digest", value=pattern)
        for path in found:
            contents[path.relative_to(base).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digest(contents)


def _files(base: Path, pattern: str) -> Iterable[Path]:
    for path in sorted(base.glob(pattern)):
        if path.is_file():
            yield path
        else:
            yield from sorted(
                inner for inner in path.rglob("*") if inner.is_file() and "__pycache__" not in inner.parts
            )
