"""Reading conversations from whatever is named: which reader reads which file, and what happens to the rest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import plain
from pytest_llmreplay.traces.plain import open_parquet
from pytest_llmreplay.traces.query import Expression, parse_expression, select
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.records import read_records
from pytest_llmreplay.traces.sources import Source, expand, unique

FORMATS = (plain.NAME,)
_SNIFFED_RECORDS = 20


def read_conversations(
    paths: Sequence[str],
    *,
    format: str | None = None,  # noqa: A002 - the option's own name
    id_column: str | None = None,
    where: str | None = None,
    on_problem: OnProblem,
) -> Iterator[Conversation]:
    """The conversations in files, globs, folders, object stores and standard input (`-`), one at a time.

    `format` names the reader instead of looking at the content. `id_column` names the column with the conversation's id
    in plain logs. `where` is an expression over the log's own columns in plain logs and canonical Parquet, over the
    canonical columns elsewhere. A record or file that cannot be read is reported and the rest is read.

    Raises:
        UserError: the format is unknown, the expression is wrong, or nothing that was named can be read.
    """
    check_format(format)
    expression = None if where is None else parse_expression(where)
    return _read(paths, format, id_column, expression, on_problem)


def check_format(name: str | None) -> None:
    """Refuse the name of a reader that does not exist.

    Raises:
        UserError: it names the readers that there are.
    """
    if name is not None and name not in FORMATS:
        raise UserError("unknown format", key="format", value=name, allowed=FORMATS)


def _read(
    paths: Sequence[str],
    format_name: str | None,
    id_column: str | None,
    expression: Expression | None,
    on_problem: OnProblem,
) -> Iterator[Conversation]:
    sources = log_sources(paths, on_problem)
    alone = len(sources) == 1
    read = 0
    for source in sources:
        try:
            yield from _conversations(source, format_name, id_column, expression, on_problem)
            read += 1
        except UnreadableError as error:
            if alone:
                raise UserError(str(error), file=source.name) from error
            on_problem(ReadProblem(source.name, None, str(error)))
        except UserError as error:
            if alone:
                raise
            on_problem(ReadProblem(source.name, None, str(error)))
    if not read:
        raise UserError(f"none of the {len(sources)} files can be read", file=", ".join(paths))


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


def _conversations(
    source: Source,
    format_name: str | None,
    id_column: str | None,
    expression: Expression | None,
    on_problem: OnProblem,
) -> Iterator[Conversation]:
    """The conversations in one plain file.

    Raises:
        UnreadableError: no reader knows the file, or it is damaged.
        UserError: the expression or the id column does not fit the file.
    """
    if source.is_parquet():
        names = parquet_columns(source)
        _check_id_column(source, id_column, names)
        wanted = _selected(source, expression)
        yield from plain.read_parquet(source, wanted=wanted, id_column=id_column, on_problem=on_problem)
        return
    first = _first_record(source, forced=format_name is not None)
    if isinstance(first, dict):
        _check_id_column(source, id_column, tuple(first))
    wanted = _selected(source, expression)
    records = (record for record in read_records(source) if wanted is None or record.number in wanted or record.error)
    yield from plain.read_json(source, records, id_column=id_column, on_problem=on_problem)


def _selected(source: Source, expression: Expression | None) -> Collection[int] | None:
    return None if expression is None else select(source, expression)


def _first_record(source: Source, *, forced: bool) -> object:
    """The first record of a file that a reader knows."""
    first: object = None
    for seen, record in enumerate(read_records(source)):
        if record.error is None:
            first = record.value if first is None else first
            if forced or plain.is_plain(record.value):
                return record.value
        if seen == _SNIFFED_RECORDS:
            break
    if first is None:
        raise UnreadableError("no reader knows this file: it holds no JSON")
    keys = f" with the keys {', '.join(list(first)[:12])}" if isinstance(first, dict) else ""
    raise UnreadableError(f"no reader knows this file: JSON{keys}")


def _check_id_column(source: Source, id_column: str | None, names: Sequence[str]) -> None:
    if id_column is not None and id_column not in names:
        raise UserError("no such column for the id", file=source.name, value=id_column, allowed=names)


def parquet_columns(source: Source) -> list[str]:
    """The columns of a Parquet file that a reader knows.

    Raises:
        UnreadableError: no reader knows it, or it is damaged.
    """
    names: list[str] = open_parquet(source).schema_arrow.names
    if "messages" not in names:
        raise UnreadableError(f"no reader knows this file: Parquet with the columns {', '.join(names[:12])}")
    return names


def is_plain_file(source: Source, format_name: str | None) -> bool:
    """Whether each row of the file is a conversation of its own, with the log's own columns.

    Raises:
        UnreadableError: no reader knows the file, or it is damaged.
    """
    if format_name is None:
        parquet_columns(source) if source.is_parquet() else _first_record(source, forced=False)
    return True
