"""A log in which conversations are looked up by a column: the port `ConversationLog`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces.columns import LogRow, json_log_rows, parquet_log_rows, spooled_rows
from pytest_llmreplay.traces.detect import is_plain_file, log_sources
from pytest_llmreplay.traces.jsonable import as_float
from pytest_llmreplay.traces.query import parse_expression
from pytest_llmreplay.traces.reading import OnProblem, ReadProblem, UnreadableError
from pytest_llmreplay.traces.registry import check_format, read_conversations

_KEPT_CONVERSATIONS = 64


@dataclass(slots=True)
class IndexedLog:
    """A log of any size: the keys are in memory, a conversation is read when it is asked for.

    `rows` are the selected rows by their key, `trials` the distinct values of the trial column, the smallest first.
    """

    on: str
    trial: str | None
    rows: Mapping[str, Sequence[LogRow]]
    trials: Sequence[str]
    _kept: OrderedDict[str, Conversation] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def lookup(self, key: str, trial: int) -> Conversation | None:
        """The conversation whose join column equals `key`, at this trial (from 1), or None.

        A log without a trial column holds the first trial only: its one row is not an independent second one.

        Raises:
            UserError: more than one row fits, or the row can no longer be read.
        """
        rows = self.rows.get(key, ())
        if self.trial is not None:
            value = self.trials[trial - 1] if 1 <= trial <= len(self.trials) else None
            rows = [row for row in rows if row.trial == value]
        elif trial != 1:
            return None
        if len(rows) > 1:
            raise self._ambiguous(key, rows)
        return self._load(rows[0]) if rows else None

    def _ambiguous(self, key: str, rows: Sequence[LogRow]) -> UserError:
        places = ", ".join(row.place for row in rows[:3]) + (", …" if len(rows) > 3 else "")
        numbered = "" if self.trial is not None else "name the column that numbers the trials (trial:) or "
        return UserError(
            f"{len(rows)} rows of the log have {self.on} '{key}' ({places})", fix=f"{numbered}narrow the log (where:)"
        )

    def _load(self, row: LogRow) -> Conversation:
        with self._lock:
            if row.place not in self._kept:
                try:
                    self._kept[row.place] = row.load()
                except (ValueError, OSError) as error:
                    raise UserError(f"{row.place}: {error}") from error
                if len(self._kept) > _KEPT_CONVERSATIONS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(row.place)
            return self._kept[row.place]


def open_log(
    paths: str | Sequence[str],
    *,
    on: str,
    where: str | None = None,
    trial: str | None = None,
    format: str | None = None,  # noqa: A002 - the option's own name
    on_problem: OnProblem,
) -> IndexedLog:
    """A log whose conversations can be looked up by the column `on`, compared as text (1 equals "1").

    The columns are a plain log's own, elsewhere the canonical ones and the keys of `metadata`. With a `trial` column,
    trial n is the n-th smallest of its distinct values among the rows that `where` selects.

    Raises:
        UserError: nothing can be read, a column is unknown, a row has no trial, or the expression is wrong.
    """
    check_format(format)
    names = [paths] if isinstance(paths, str) else list(paths)
    columns = (on,) if trial is None else (on, trial)
    index: dict[str, list[LogRow]] = {}
    unnumbered: LogRow | None = None
    for row in _rows(names, columns, where, format, on_problem):
        unnumbered = row if unnumbered is None and row.trial is None else unnumbered
        index.setdefault(row.key, []).append(row)
    if trial is not None and unnumbered is not None:
        fix = f"add '{trial} IS NOT NULL' to where"
        raise UserError(f"{unnumbered.place} has no value in the trial column '{trial}'", fix=fix)
    trials = {row.trial for rows in index.values() for row in rows if row.trial is not None}
    return IndexedLog(on, trial, index, _in_order(trials))


def _rows(
    paths: Sequence[str], columns: Sequence[str], where: str | None, format_name: str | None, on_problem: OnProblem
) -> Iterator[LogRow]:
    """The selected rows of every file: plain ones by their place, what must be stitched from a copy on disk."""
    expression = None if where is None else parse_expression(where)
    sources = log_sources(paths, on_problem)
    stitched: list[str] = []
    for source in sources:
        try:
            if source.is_parquet() and is_plain_file(source, format_name):
                yield from parquet_log_rows(source, columns, expression)
            elif is_plain_file(source, format_name):
                yield from json_log_rows(source, columns, expression)
            else:
                stitched.append(source.name)
        except UnreadableError as error:
            if len(sources) == 1:
                raise UserError(str(error), file=source.name) from error
            on_problem(ReadProblem(source.name, None, str(error)))
    if stitched:
        read: Callable[[], Iterator[Conversation]] = lambda: read_conversations(  # noqa: E731
            stitched, format=format_name, where=where, on_problem=on_problem
        )
        yield from spooled_rows(read(), columns, ", ".join(paths))


def _in_order(values: set[str]) -> list[str]:
    """Numbers by size when all are numbers, else by their text."""
    numbers: dict[str, Any] = {value: as_float(value) for value in values}
    return sorted(values, key=lambda v: (numbers[v], v)) if None not in numbers.values() else sorted(values)
