"""The one query that looks for signals: over the conversations of a log, and over their messages as rows.

DuckDB keeps a compiled pattern for as long as it reads rows, and compiles it anew for every batch of a lambda over
lists; and it asks a condition on rows only where those that it asked before hold. RE2 needs no longer for several
patterns than for one, so that those that are looked for in the same messages are looked for together first. Text is
read once, whatever is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.signals.figures import FIGURES, limits_by_model
from pytest_llmreplay.mine.signals.signal import ROW, Signal
from pytest_llmreplay.mine.signals.sql import Says, literal, matches
from pytest_llmreplay.mine.signals.texts import DERIVED

if TYPE_CHECKING:
    import duckdb

_MESSAGES = "unnest(messages) AS m, unnest(range(1, greatest(len(messages), 1) + 1)) AS i"
"""Rows of messages and their positions; a conversation without messages has one row too."""


def signals_query(connection: duckdb.DuckDBPyConnection, signals: Sequence[Signal], needed: Sequence[str]) -> str:
    """The query for what shows any of the signals.

    Its columns are the number of the row, the id, the position of the message, one for each signal and the `needed`
    ones. What concerns a conversation as a whole stands in the row of its first message: there the columns of signals
    without `each` have what their expression gives, and the needed ones what the log has, if one of the signals that
    are looked for in Python wants it. The columns of signals with `each` are true where it holds.
    """
    names = {signal.name: f"signal_{number}" for number, signal in enumerate(signals)}
    whole = {names[signal.name]: signal for signal in signals if not signal.each}
    holds = {name: name if signal.is_condition else f"len({name}) > 0" for name, signal in whole.items()}
    candidate = " OR ".join(name for name, signal in whole.items() if signal.find)
    found = [f"(i = 1 AND {one})" for one in holds.values()]
    by_message = [way for signal in signals for way in signal.ways]
    found += [_any_of(by_message)] if by_message else []
    columns = [ROW, "conversation_id", "i"]
    columns += [_held(one, signals) if one.each else f"CASE WHEN i = 1 THEN {names[one.name]} END" for one in signals]
    columns += [f"CASE WHEN i = 1 AND ({candidate}) THEN {column} END" for column in needed]
    source = _with(log_with_derived(connection, signals), {name: _value(signal) for name, signal in whole.items()})
    rows = _MESSAGES if by_message else "1 AS i"
    return f"SELECT {', '.join(columns)} FROM (SELECT *, {rows} FROM {source}) WHERE {' OR '.join(found)}"  # noqa: S608 - own expressions are parsed before, the rest are constants


def _value(signal: Signal) -> str:
    # DuckDB takes much for a condition that Python takes otherwise, such as the text 'false'.
    return f"({signal.sql})::BOOLEAN" if signal.is_condition else signal.sql


def type_of(connection: duckdb.DuckDBPyConnection, signal: Signal) -> str:
    """The type of what the expression of a signal gives, in DuckDB's words."""
    sql = f"DESCRIBE SELECT {signal.sql} FROM {log_with_derived(connection, [signal])}"  # noqa: S608 - as above
    return str(connection.execute(sql).fetchall()[0][1])


def keeps_order(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether the rows of a query come in the order of the log.

    They do unless there is a join in its plan, as for a filter by numbers of records or by a long list after IN.
    """
    plan = connection.execute(f"EXPLAIN {sql}").fetchall()
    return not any("JOIN" in text.upper() for _, text in plan)


def log_with_derived(connection: duckdb.DuckDBPyConnection, signals: Iterable[Signal]) -> str:
    """The relation `log` with the derived columns that the signals need."""
    wanted = {column for signal in signals for column in signal.columns}
    source = "log"
    for name, sql in DERIVED.items():
        source = _with(source, {name: sql} if name in wanted else {})
    for name, figure in FIGURES.items():
        if name in wanted:
            limits = limits_by_model(connection, figure)
            source = _with(source, {name: _map(limits), f"lowest_{name}": _lowest(limits)})
    return source


def _with(source: str, columns: Mapping[str, str]) -> str:
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"(SELECT *, {listed} FROM {source})" if listed else source  # noqa: S608


def _map(limits: Mapping[str, float]) -> str:
    entries = ", ".join(f"{literal(model)}: {limit!r}::DOUBLE" for model, limit in limits.items())
    return f"MAP {{{entries}}}::MAP(VARCHAR, DOUBLE)"


def _lowest(limits: Mapping[str, float]) -> str:
    """A constant, which DuckDB compares with the statistics of a row group before it reads that."""
    return f"{min(limits.values())!r}::DOUBLE" if limits else "NULL::DOUBLE"


def _any_of(lists: Sequence[tuple[str, ...]]) -> str:
    """Whether all conditions of any list hold; one with which several lists begin is asked once."""
    if () in lists:
        return "true"
    rests: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in lists:
        rests.setdefault(first, []).append(tuple(rest))
    held = {first: f"(({first}) AND ({_any_of(rest)}))" for first, rest in rests.items()}
    said = [first for first in rests if isinstance(first, Says)]
    if len(said) > 1:
        any_said = matches("m.content", "|".join(f"(?:{one.pattern})" for one in said))
        which = " OR ".join(held.pop(one) for one in said)
        held[any_said] = any_said if all(() in rests[one] for one in said) else f"({any_said} AND ({which}))"
    return " OR ".join(held.values())


def _held(signal: Signal, signals: Sequence[Signal]) -> str:
    """Whether the signal shows at a message where any does; a projection evaluates both sides of an AND."""
    if len(signals) == 1:
        return "true"
    held = "false"
    for way in reversed(signal.ways):
        holds = "true"
        for condition in reversed(way):
            holds = f"CASE WHEN {condition} THEN {holds} END"
        held = f"CASE WHEN {holds} THEN true ELSE {held} END"
    return held
