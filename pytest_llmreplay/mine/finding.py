"""What a search finds: conversations with the turn, the words and the reason, best first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.search import Match
from pytest_llmreplay.mine.signals import Evidence, Shown
from pytest_llmreplay.model.conversation import Conversation

if TYPE_CHECKING:
    import duckdb

_REASONS = 3
_SHOWN = 80
KIND = b"matches"


@dataclass(frozen=True, slots=True)
class Finding:
    """A conversation that a search found.

    `score` is 1 for the best possible and smaller the worse it fits, `turn` (from 1) and `text` are what fits best,
    `signals` the names of all signals that it shows and `why` a sentence. `row` is its number in the log's table.
    """

    row: int
    conversation_id: str
    score: float
    turn: int | None
    text: str
    signals: tuple[str, ...]
    why: str

    def as_row(self) -> dict[str, Any]:
        """What `find --json` prints of it."""
        return {
            "conversation_id": self.conversation_id,
            "score": self.score,
            "turn": self.turn,
            "text": self.text,
            "signals": list(self.signals),
            "why": self.why,
        }


@dataclass(slots=True)
class Counted:
    """How many conversations matched while only the best were kept; None where all are ranked and none is left out."""

    matches: int | None = None


def best_shown(shown: Iterable[Shown], asked: int, limit: int, counted: Counted) -> list[tuple[float, Shown]]:
    """The conversations that show most of the signals asked for, at most places first, then in the log's order.

    The score is the share of the signals that show. Only `limit` conversations are in memory.
    """

    def counting() -> Iterable[Shown]:
        counted.matches = 0
        for one in shown:
            counted.matches += 1
            yield one

    best = heapq.nsmallest(limit, counting(), key=lambda one: (-len(one.signals), -one.places, one.row))
    return [(round(len(one.signals) / asked, 4), one) for one in best]


def first_rows(connection: duckdb.DuckDBPyConnection, limit: int, counted: Counted) -> list[int]:
    """The first rows of the relation `log`, in its order."""
    # One pass gives the rows and their count; a number a conversation is little.
    table = connection.sql("SELECT llmreplay_row FROM log").to_arrow_table()
    counted.matches = table.num_rows
    rows: list[int] = table.sort_by("llmreplay_row").slice(0, limit).column(0).to_pylist()
    return rows


def by_signals(
    score: float, row: int, conversation: Conversation, told: Sequence[Evidence], asked: Sequence[str]
) -> Finding:
    """A conversation that was found by its signals: its first place of a signal that was asked for."""
    wanted = [one for one in told if one.signal in asked]
    first = next((one for one in wanted if one.turn is not None), wanted[0] if wanted else None)
    turn = first.turn if first is not None else None
    text = first.text if first is not None and first.turn is not None else _said(conversation, turn)
    return Finding(row, conversation.conversation_id, score, turn, text, names(told), reason(wanted))


def by_expression(row: int, conversation: Conversation, told: Sequence[Evidence], where: str) -> Finding:
    """A conversation that was found by an expression: how it begins, or as a whole where its user says nothing."""
    why = f"where {' '.join(where.split())}"
    turn = 1 if any(message.role == "user" for message in conversation.messages) else None
    return Finding(row, conversation.conversation_id, 1.0, turn, _said(conversation, turn), names(told), why)


def by_meaning(row: int, match: Match, told: Sequence[Evidence], asked: Sequence[str]) -> Finding:
    """A conversation that was found by what its user said."""
    why = "; ".join(part for part in (match.why, reason([one for one in told if one.signal in asked])) if part)
    return Finding(row, match.conversation_id, match.score, match.turn, match.text, names(told), why)


def names(told: Sequence[Evidence]) -> tuple[str, ...]:
    """The signals, each once."""
    return tuple(dict.fromkeys(one.signal for one in told))


def reason(told: Sequence[Evidence]) -> str:
    """The first evidence of each signal, in words."""
    first: dict[str, Evidence] = {}
    for one in told:
        first.setdefault(one.signal, one)
    shown = [_in_words(one) for one in list(first.values())[:_REASONS]]
    more = len(first) - len(shown)
    return "; ".join(shown) + (f"; and {more} more signals" if more > 0 else "")


def write_matches(path: Path, findings: Sequence[Finding]) -> None:
    """Write what was found as Parquet, whose column `conversation_id` selects what is promoted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    schema = pa.schema(
        [
            ("conversation_id", text),
            ("score", pa.float64()),
            ("turn", pa.int64()),
            ("text", text),
            ("signals", pa.list_(text)),
            ("why", text),
        ],
        metadata={b"llmreplay.kind": KIND, b"llmreplay.schema_version": b"1"},
    )
    pq.write_table(pa.Table.from_pylist([one.as_row() for one in findings], schema), path, compression="zstd")


def _said(conversation: Conversation, turn: int | None) -> str:
    """What the user said in a turn; without one, at first."""
    said = [message.content or "" for message in conversation.messages if message.role == "user"]
    number = (turn or 1) - 1
    return said[number] if number < len(said) else ""


def _in_words(one: Evidence) -> str:
    place = f" in turn {one.turn}" if one.turn is not None else ""
    text = one.text if len(one.text) <= _SHOWN else one.text[: _SHOWN - 1] + "…"
    return f"{one.signal}{place}" + (f": {text}" if text else "")
