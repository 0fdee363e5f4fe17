"""Which files there are, and which reader knows each by what it holds."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import plain
from pytest_llmreplay.traces.foreign import foreign_records
from pytest_llmreplay.traces.formats.all import reader_of, whole_list
from pytest_llmreplay.traces.plain import open_parquet
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.records import Record, read_records
from pytest_llmreplay.traces.sources import Source, expand, local_files, unique

_PLAIN_NAMES = (plain.NAME, "openai_finetune", "conversation_parquet")
_SNIFFED_RECORDS = 20


def log_sources(paths: Sequence[str], on_problem: OnProblem) -> list[Source]:
    """The files that the paths name, each once; a path of several at which there is nothing is reported.

    Raises:
        UserError: there is nothing at all.
    """
    found: list[Source] = []
    for path in paths:
        try:
            found.extend(expand(path))
        except UserError as error:
            if len(paths) == 1:
                raise
            on_problem(ReadProblem(path, None, error.problem))
    if not found:
        raise UserError("no log files there", file=", ".join(paths) or None)
    return unique(found)


def is_log(file: Path, paths: Sequence[str], format_name: str | None) -> bool:
    """Whether a file that exists is one of the logs that the paths name.

    Of what lies in a folder that is named, it takes a reader that knows it: a page that was put there is none.
    """
    place = file.resolve()
    named = [path for path in paths if any(one.is_file() and one.samefile(place) for one in local_files(path))]
    if any(not Path(path).is_dir() for path in named):
        return True
    return bool(named) and _is_readable(Source(str(file), str(place)), format_name)


def _is_readable(source: Source, format_name: str | None) -> bool:
    try:
        first_known(source, format_name)
    except UnreadableError:
        return False
    return True


def is_plain_file(source: Source, format_name: str | None) -> bool:
    """Whether each row of the file is a conversation of its own, with the log's own columns.

    Raises:
        UnreadableError: no reader knows the file, or it is damaged.
    """
    first = first_known(source, format_name)
    if format_name is not None:
        return format_name in _PLAIN_NAMES and plain.is_plain(first)
    return reader_of(first) is None


def first_known(source: Source, format_name: str | None) -> Any:
    """The first record that the file's reader knows.

    Raises:
        UnreadableError: there is none.
    """
    if source.is_parquet() and _is_own_parquet(source):
        return {"messages": []}
    first: Any = None
    broken: str | None = None
    for record in itertools.islice(records_of(source), _SNIFFED_RECORDS):
        if record.error is None:
            first = record.value if first is None else first
            if format_name is not None or _is_known(record.value):
                return record.value
        broken = broken or record.error
    if first is None and _is_empty(source):
        return {"messages": []}
    if first is None:
        raise UnreadableError(f"no reader knows this file: {broken or 'it holds no records'}")
    item = first[0] if isinstance(first, list) and first else first
    keys = f" with the keys {', '.join(map(str, list(item)[:12]))}" if isinstance(item, dict) else ""
    raise UnreadableError(f"no reader knows this file: records{keys}")


def _is_empty(source: Source) -> bool:
    with source.open() as stream:
        return not stream.read(1)


def _is_own_parquet(source: Source) -> bool:
    """Canonical Parquet, or a plain one without rows."""
    file = open_parquet(source)
    return plain.is_canonical(file.schema_arrow) or (
        file.metadata.num_rows == 0 and "messages" in file.schema_arrow.names
    )


def _is_known(record: Any) -> bool:
    return plain.is_plain(record) or reader_of(record) is not None


def records_of(source: Source) -> Iterator[Record]:
    """The records of a file that is no plain log: JSON values, or rows of Parquet as such.

    Raises:
        UnreadableError: the file is damaged.
    """
    return foreign_records(source) if source.is_parquet() else read_records(source, whole_list=whole_list)
