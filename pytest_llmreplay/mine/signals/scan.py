"""One pass over a log: which conversations show which signals, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.signals.figures import FIGURES
from pytest_llmreplay.mine.signals.query import keeps_order, signals_query, type_of
from pytest_llmreplay.mine.signals.signal import ROW, Evidence, Found, Shown, Signal
from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 500
_SHOWN = 240

ReadRow = Callable[[Mapping[str, Any]], Conversation]
"""Makes a conversation of a row by canonical column; raises `ValueError` when it is none."""


def scan(
    connection: duckdb.DuckDBPyConnection, signals: Sequence[Signal], read_row: ReadRow, columns: Sequence[str]
) -> Iterator[Shown]:
    """The conversations of the relation `log` that show any of the signals, as they are met.

    `log` has the canonical columns and `llmreplay_row`; `whole_log` is the log that outliers are judged by. DuckDB
    streams both, so that memory does not grow with the log, and meanwhile nothing else may be asked on the connection.
    Only where a log is filtered by a join, which loses its order, is what shows collected before any of it is given.

    Args:
        connection: the database.
        signals: what is looked for.
        read_row: makes a conversation of a row, for the signals that are looked for in Python.
        columns: the canonical columns, for signals that do not say what they need.

    Raises:
        UserError: a signal's expression does not fit the columns or a value.
    """
    import duckdb

    needed = _needed(signals, columns)
    try:
        sql = signals_query(connection, signals, needed)
        in_order = not any(signal.each for signal in signals) or keeps_order(connection, sql)
        rows = groupby(_rows(connection, sql), key=itemgetter(0, 1))
        parts = (_shown(row, str(id_), hits, signals, needed, read_row) for (row, id_), hits in rows)
        shown = parts if in_order else _joined(parts, signals)
        yield from (one for one in shown if one.positions or one.found)
    except duckdb.Error as error:
        raise _mistake(connection, signals, error) from error


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[tuple[Any, ...]]:
    connection.execute(sql)
    try:
        while rows := connection.fetchmany(_BATCH_ROWS):
            yield from rows
    finally:
        connection.abort()


def _joined(parts: Iterable[Shown], signals: Sequence[Signal]) -> Iterable[Shown]:
    """The conversations, where the rows of one do not follow each other."""
    known: dict[int, Shown] = {}
    for part in parts:
        other = known.get(part.row, Shown(part.row, part.conversation_id, {}, {}))
        positions = {
            one.name: tuple(sorted((*other.positions.get(one.name, ()), *part.positions.get(one.name, ()))))
            for one in signals
            if one.name in other.positions or one.name in part.positions
        }
        known[part.row] = Shown(part.row, part.conversation_id, positions, {**other.found, **part.found})
    return known.values()


def _needed(signals: Sequence[Signal], columns: Sequence[str]) -> tuple[str, ...]:
    """The columns from which conversations are made for the signals that are looked for in Python."""
    needed: dict[str, None] = {}
    for signal in signals:
        if signal.find is not None:
            needed.update(dict.fromkeys(("messages", *signal.columns) if signal.columns else columns))
    return tuple(name for name in needed if name != "conversation_id")


def _shown(
    row: int,
    id_: str,
    hits: Iterable[tuple[Any, ...]],
    signals: Sequence[Signal],
    needed: Sequence[str],
    read_row: ReadRow,
) -> Shown:
    """What a conversation shows, from its rows of the query."""
    positions: dict[str, list[int]] = {}
    found: dict[str, Sequence[Found]] = {}
    for _, _, position, *values in hits:
        candidates: list[Signal] = []
        for signal, value in zip(signals, values, strict=False):
            if value and signal.find is not None:
                candidates.append(signal)
            elif value:
                places = [position] if signal.each else [0] if signal.is_condition else value
                positions.setdefault(signal.name, []).extend(places)
        if candidates:
            cells = dict(zip(needed, values[len(signals) :], strict=True))
            found |= _found(candidates, read_row({ROW: row, "conversation_id": id_, **cells}))
    listed = {signal.name: tuple(positions[signal.name]) for signal in signals if signal.name in positions}
    return Shown(row, id_, listed, found)


def _found(candidates: Iterable[Signal], conversation: Conversation) -> dict[str, Sequence[Found]]:
    looked = {signal.name: tuple(signal.find(conversation)) for signal in candidates if signal.find is not None}
    return {name: hits for name, hits in looked.items() if hits}


def evidence(shown: Shown, conversation: Conversation, known: Mapping[str, Signal]) -> list[Evidence]:
    """What shows each signal in the conversation, in the order of the signals."""
    turns = list(accumulate(int(message.role == "user") for message in conversation.messages))
    told: list[Evidence] = []
    for name, positions in shown.positions.items():
        told += [_at(known[name], conversation, position, turns) for position in positions]
    for name, found in shown.found.items():
        told += [_told(name, one, turns) for one in found]
    return told


def _told(name: str, found: Found, turns: Sequence[int]) -> Evidence:
    turn = found.turn if found.turn is not None or found.message is None else turns[found.message] or None
    return Evidence(name, turn, _cut(found.text), found.message, found.span, found.call)


def _at(signal: Signal, conversation: Conversation, position: int, turns: Sequence[int]) -> Evidence:
    """What shows the signal at this position; `turns` are those of the messages, 0 before the first."""
    if position == 0 or signal.at == "conversation":
        return Evidence(signal.name, None, _cut(_whole(signal, conversation)))
    if signal.at == "step":
        step = conversation.steps[position - 1]
        return Evidence(signal.name, step.turn or None, _cut(f"{step.name or step.kind}: {step.status or step.output}"))
    message = conversation.messages[position - 1]
    text = message.content or message.refusal or ""
    match = signal.words.search(message.content or "") if signal.words else None
    span = match.span() if match else None
    told = match.group() if match else text or _calls(message)
    call = message.tool_calls[0] if message.tool_calls else None
    return Evidence(signal.name, turns[position - 1] or None, _cut(told), position - 1, span, call)


def _whole(signal: Signal, conversation: Conversation) -> str:
    """The values that the signal looked at."""
    values = (
        (name, getattr(conversation, name, None)) for name in signal.columns if name not in ("metadata", *FIGURES)
    )
    return ", ".join(f"{name} {value}" for name, value in values if value not in (None, {}, ()))


def _calls(message: Message) -> str:
    return "; ".join(f"{call.name}({call.arguments})" for call in message.tool_calls)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _mistake(connection: duckdb.DuckDBPyConnection, signals: Iterable[Signal], error: Exception) -> UserError:
    """Which signal is at fault; for a value that an expression of one's own does not take, the log is read again."""
    import duckdb

    reason = str(error).strip().split("\n", 1)[0]
    for signal in signals:
        try:
            if signal.is_condition and type_of(connection, signal).endswith("[]"):
                return UserError("the condition is a list", key=f"signal {signal.name}", fix="let it be true or false")
            query = signals_query(connection, [signal], ())
            asked = f"{query} LIMIT 0" if signal.columns else f"SELECT count(*) FROM ({query})"  # noqa: S608 - as there
            connection.execute(asked).fetchall()
        except duckdb.Error as own:
            return UserError(str(own).strip().split("\n", 1)[0], key=f"signal {signal.name}")
    return UserError(f"the log cannot be searched: {reason}")
