"""Signals of single messages that are looked for alone: over the messages of a log as rows of their own.

DuckDB keeps a compiled pattern for as long as it reads rows, and compiles it anew for every batch of a lambda over
lists; and conditions on rows are asked only where those before them hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.signals.signal import ROW, Shown, Signal

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 2000
_MESSAGES = (
    f"(SELECT {ROW}, conversation_id, messages, unnest(messages) AS m, generate_subscripts(messages, 1) AS i FROM log)"  # noqa: S608 - a constant
)


def shown_by_messages(connection: duckdb.DuckDBPyConnection, signals: Sequence[Signal]) -> Iterator[Shown]:
    """The conversations of the relation `log` that show any of the signals, all of which have conditions by message.

    DuckDB gives rows in the order of the log, so that those of a conversation follow each other.
    """
    for (row, id_), hits in groupby(_hits(connection, signals), key=itemgetter(0, 1)):
        positions: dict[str, list[int]] = {}
        for _, _, position, *holds in hits:
            for signal, shows in zip(signals, holds, strict=True):
                if shows:
                    positions.setdefault(signal.name, []).append(position)
        yield Shown(row, str(id_), {name: tuple(listed) for name, listed in positions.items()}, {})


def _hits(connection: duckdb.DuckDBPyConnection, signals: Sequence[Signal]) -> Iterator[tuple[Any, ...]]:
    """The row, id and position of each message for which any signal's conditions hold, and which of them hold."""
    conditions = [" AND ".join(f"({one})" for one in signal.each) for signal in signals]
    which = conditions if len(conditions) > 1 else ("true",)
    asked = ", ".join((ROW, "conversation_id", "i", *which))
    sql = f"SELECT {asked} FROM {_MESSAGES} WHERE {' OR '.join(f'({one})' for one in conditions)}"  # noqa: S608 - constants
    for batch in connection.sql(sql).to_arrow_reader(_BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
