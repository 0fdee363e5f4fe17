"""One pass over a log: which conversations show which signals, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.signals.figures import FIGURES, limits_sql
from pytest_llmreplay.mine.signals.flat import shown_by_messages
from pytest_llmreplay.mine.signals.signal import ROW, Evidence, Found, Shown, Signal
from pytest_llmreplay.mine.signals.sql import literal
from pytest_llmreplay.mine.signals.texts import DERIVED
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
    streams both, so that memory does not grow with the log.

    Args:
        connection: the database.
        signals: what is looked for.
        read_row: makes a conversation of a row, for the signals that are looked for in Python.
        columns: the canonical columns, for signals that do not say what they need.

    Raises:
        UserError: a signal's expression does not fit the columns or a value.
    """
    import duckdb

    try:
        if all(signal.each for signal in signals):
            yield from shown_by_messages(connection, signals)
            return
        batches = connection.sql(_query(connection, signals, columns)).to_arrow_reader(_BATCH_ROWS)
        for batch in batches or ():
            for row in batch.to_pylist():
                shown = _shown(row, signals, read_row)
                if shown.positions or shown.found:
                    yield shown
    except duckdb.Error as error:
        raise _mistake(connection, signals, error) from error


def _query(connection: duckdb.DuckDBPyConnection, signals: Sequence[Signal], columns: Sequence[str]) -> str:
    named = [(f"s{number}", signal) for number, signal in enumerate(signals)]
    inner = [f"{signal.sql} AS {name}" for name, signal in named]
    shows = [name if signal.find is not None else f"len({name}) > 0" for name, signal in named]
    candidates = " OR ".join(f"coalesce({name}, false)" for name, signal in named if signal.find is not None)
    needed = _needed(signals, columns) if candidates else ()
    outer = [ROW, "conversation_id", *(name for name, _ in named)]
    outer += [f"CASE WHEN {candidates} THEN {column} END AS {column}" for column in needed]
    kept = ", ".join(dict.fromkeys((ROW, "conversation_id", *needed)))
    return (
        f"SELECT {', '.join(outer)} FROM (SELECT {', '.join((kept, *inner))} FROM {_source(connection, signals)}) "  # noqa: S608 - own expressions are parsed before, the rest are constants
        f"WHERE {' OR '.join(f'coalesce({one}, false)' for one in shows)}"
    )


def _source(connection: duckdb.DuckDBPyConnection, signals: Sequence[Signal]) -> str:
    """The log with the derived columns that the signals need."""
    wanted = {column for signal in signals for column in signal.columns}
    derived = [f"{sql} AS {name}" for name, sql in DERIVED.items() if name in wanted]
    for name, figure in FIGURES.items():
        if name in wanted:
            limits = connection.execute(limits_sql(figure)).fetchall()
            entries = ", ".join(f"{literal(model)}: {limit!r}::DOUBLE" for model, limit in limits)
            derived.append(f"MAP {{{entries}}}::MAP(VARCHAR, DOUBLE) AS {name}")
    return f"(SELECT *, {', '.join(derived)} FROM log)" if derived else "log"  # noqa: S608


def _needed(signals: Sequence[Signal], columns: Sequence[str]) -> tuple[str, ...]:
    """The columns from which conversations are made for the signals that are looked for in Python."""
    needed: dict[str, None] = {}
    for signal in signals:
        if signal.find is not None:
            needed.update(dict.fromkeys(signal.columns or columns))
    return tuple(name for name in needed if name != "conversation_id")


def _shown(row: Mapping[str, Any], signals: Sequence[Signal], read_row: ReadRow) -> Shown:
    positions: dict[str, Sequence[int]] = {}
    found: dict[str, Sequence[Found]] = {}
    candidates: list[Signal] = []
    for number, signal in enumerate(signals):
        value = row[f"s{number}"]
        if signal.find is not None:
            candidates += [signal] if value else []
        elif value:
            positions[signal.name] = tuple(value)
    if candidates:
        conversation = read_row(row)
        for signal in candidates:
            hits = tuple(signal.find(conversation)) if signal.find is not None else ()
            if hits:
                found[signal.name] = hits
    return Shown(row[ROW], str(row["conversation_id"]), positions, found)


def evidence(shown: Shown, conversation: Conversation, known: Mapping[str, Signal]) -> list[Evidence]:
    """What shows each signal in the conversation, in the order of the signals."""
    told: list[Evidence] = []
    for name, positions in shown.positions.items():
        told += [_at(known[name], conversation, position) for position in positions]
    for name, found in shown.found.items():
        told += [_told(name, one, conversation) for one in found]
    return told


def _told(name: str, found: Found, conversation: Conversation) -> Evidence:
    turn = found.turn if found.turn is not None or found.message is None else _turn(conversation, found.message)
    return Evidence(name, turn, _cut(found.text), found.message, found.span, found.call)


def _at(signal: Signal, conversation: Conversation, position: int) -> Evidence:
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
    return Evidence(signal.name, _turn(conversation, position - 1), _cut(told), position - 1, span, call)


def _whole(signal: Signal, conversation: Conversation) -> str:
    """The values that the signal looked at."""
    values = (
        (name, getattr(conversation, name, None)) for name in signal.columns if name not in ("metadata", *FIGURES)
    )
    return ", ".join(f"{name} {value}" for name, value in values if value not in (None, {}, ()))


def _turn(conversation: Conversation, index: int) -> int | None:
    """The turn of a message; None before the first."""
    return sum(message.role == "user" for message in conversation.messages[: index + 1]) or None


def _calls(message: Message) -> str:
    return "; ".join(f"{call.name}({call.arguments})" for call in message.tool_calls)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _mistake(connection: duckdb.DuckDBPyConnection, signals: Iterable[Signal], error: Exception) -> UserError:
    """Which signal is at fault, as far as it can be told without reading the log again."""
    import duckdb

    reason = str(error).strip().split("\n", 1)[0]
    for signal in signals:
        try:
            connection.execute(f"SELECT {signal.sql} FROM {_source(connection, [signal])} LIMIT 0")  # noqa: S608
        except duckdb.Error as own:
            return UserError(str(own).strip().split("\n", 1)[0], key=f"signal {signal.name}")
    return UserError(f"the log cannot be searched: {reason}")
