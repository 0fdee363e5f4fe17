"""Which files are read in place, which are converted, and which only together, each under a name for its content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces.canonical import canonical_schema
from pytest_llmreplay.traces.detect import is_plain_file, log_sources
from pytest_llmreplay.traces.plain import is_canonical, open_parquet
from pytest_llmreplay.traces.query import Expression, select
from pytest_llmreplay.traces.reader import Reading
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.registry import check_format
from pytest_llmreplay.traces.sources import Source
from pytest_llmreplay.traces.write import write_conversations

_TOLD_EVERY = 64


@dataclass(frozen=True, slots=True)
class Portion:
    """Files of a log that are made canonical in one go.

    `in_place` is the file itself where it is canonical Parquet of this machine. `plain` says that each row stands for
    itself, so that `--where` asks the log's own columns.
    """

    sources: tuple[Source, ...]
    in_place: Path | None
    plain: bool
    format_name: str | None
    id_column: str | None

    @property
    def name(self) -> str:
        """What people are told."""
        more = f" and {len(self.sources) - 1} more" if len(self.sources) > 1 else ""
        return f"{self.sources[0].name}{more}"

    def key(self) -> str:
        """A digest of where the files are, their size, time and content, and of what reads them.

        Raises:
            UserError: a file cannot be read.
        """
        read_as = [_version(), self.format_name, self.id_column]
        return digest([read_as, [_fingerprint(source) for source in self.sources]])

    def convert(
        self, path: Path, on_problem: OnProblem, on_bytes: Callable[[int, int], None] = lambda _done, _total: None
    ) -> int:
        """Write the conversations as canonical Parquet; how many there are.

        `on_bytes` is told how many bytes of how many were read.

        Raises:
            UserError: nothing can be read, or the file cannot be written.
        """
        names = [source.name for source in self.sources]
        watched = [_Watched(s.name, s.path, s.filesystem, s.copy) for s in self.sources]
        reading = Reading(names, self.format_name, self.id_column, None, on_problem, sources=watched)
        return write_conversations(path, _telling(reading.conversations(), watched, on_bytes))

    def records(self, expression: Expression) -> frozenset[int] | None:
        """Of a plain file that is converted, the records for which the expression is true of its own columns.

        None where the expression is asked of the canonical columns instead.

        Raises:
            UserError: the expression does not fit the file.
        """
        if not self.plain or self.in_place is not None:
            return None
        try:
            return select(self.sources[0], expression)
        except UnreadableError as error:
            raise UserError(str(error), file=self.name) from error


@dataclass(frozen=True, slots=True)
class _Watched(Source):
    """A file whose place of reading can be asked for."""

    opened: list[BinaryIO] = field(default_factory=list, compare=False)

    def raw(self) -> BinaryIO:
        handle = Source.raw(self)
        self.opened[:] = [handle]
        return handle

    def place(self) -> int:
        """How many of its bytes were read; 0 while it is not open."""
        return self.opened[0].tell() if self.opened and not self.opened[0].closed else 0

    def size(self) -> int:
        """How many bytes it has."""
        with Source.raw(self) as raw:
            return raw.seek(0, os.SEEK_END)


def _telling(
    conversations: Iterator[Conversation], watched: Sequence[_Watched], on_bytes: Callable[[int, int], None]
) -> Iterator[Conversation]:
    """The conversations, while it is told how far the files were read."""
    total = sum(source.size() for source in watched)
    reached = [0] * len(watched)
    for number, conversation in enumerate(conversations):
        if number % _TOLD_EVERY == 0:
            reached = [max(before, source.place()) for before, source in zip(reached, watched, strict=True)]
            on_bytes(sum(reached), total)
        yield conversation


def portions(
    paths: Sequence[str],
    *,
    format: str | None = None,  # noqa: A002 - the option's own name
    id_column: str | None = None,
    on_problem: OnProblem,
) -> list[Portion]:
    """What the paths name: canonical Parquet, plain files one by one, and all others as one source.

    Raises:
        UserError: the format is unknown, or nothing that was named can be read.
    """
    check_format(format)
    sources = log_sources(paths, on_problem)
    found = list(_found(sources, format, id_column, on_problem))
    if not found:
        raise UserError(f"none of the {len(sources)} files can be read", file=", ".join(paths))
    return found


def _found(
    sources: Sequence[Source], format_name: str | None, id_column: str | None, on_problem: OnProblem
) -> Iterator[Portion]:
    stitched: list[Source] = []
    for source in sources:
        try:
            if _is_canonical_here(source, format_name, id_column):
                yield Portion((source,), Path(source.path).resolve(), True, format_name, id_column)
            elif is_plain_file(source, format_name):
                yield Portion((source,), None, True, format_name, id_column)
            else:
                stitched.append(source)
        except UnreadableError as error:
            if len(sources) == 1:
                raise UserError(str(error), file=source.name) from error
            on_problem(ReadProblem(source.name, None, str(error)))
    if stitched and id_column is not None:
        raise UserError("a column for the id can be named in plain logs only", file=stitched[0].name)
    if stitched:
        yield Portion(tuple(stitched), None, False, format_name, id_column)


def _is_canonical_here(source: Source, format_name: str | None, id_column: str | None) -> bool:
    """Whether DuckDB can read the file as it is; it takes some characters of a name for a pattern."""
    if format_name is not None or id_column is not None or not source.is_local or set(source.path) & set("*?["):
        return False
    if not source.is_parquet():
        return False
    schema = open_parquet(source).schema_arrow
    kinds: dict[str, Any] = dict(zip(schema.names, schema.types, strict=True))
    return is_canonical(schema) and all(kinds.get(field.name) == field.type for field in canonical_schema())


def _fingerprint(source: Source) -> list[Any]:
    try:
        with source.raw() as raw:
            content = hashlib.file_digest(cast("Any", raw), "sha256").hexdigest()
        if not source.is_local:
            return [source.name, content]
        about = Path(source.path).stat()
        return [source.name, os.path.realpath(source.path), about.st_size, about.st_mtime_ns, content]
    except (UnreadableError, OSError) as error:
        raise UserError(f"cannot be read: {error}", file=source.name) from error


@lru_cache(maxsize=1)
def _version() -> str:
    """What converts: a newer version may read more out of the same file."""
    import importlib.metadata

    return importlib.metadata.version("pytest-llmreplay")
