"""What counts as failed, and which conversations did: one pass over the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.signals import Signal, expression_signal, scan
from pytest_llmreplay.mine.signals.scan import ReadRow
from pytest_llmreplay.mine.signals.sql import literal
from pytest_llmreplay.mine.triage.facts import Wrong
from pytest_llmreplay.mine.triage.spread import ROUTING_SIGNALS

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

IN_THEMSELVES = ("empty_answer", "tool_error_ignored", "truncated", "unknown_tool")
"""The signals that are failures in themselves, whatever the user says of them."""

EXPRESSION = "--failed"
_FEEDBACK = "negative_feedback"
_FALSE = ("success", "passed", "resolved", "correct")
_WORDS = ("label", "outcome", "verdict")
_FAILED = ("fail", "failed", "failure", "bad", "wrong", "incorrect", "negative", "unresolved", "error")
_REWARD = "reward"


@dataclass(frozen=True, slots=True)
class Failing:
    """What counts as failed: a conversation that shows one of the signals; `in_words` is for people."""

    signals: tuple[Signal, ...]
    in_words: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The rows that failed, ascending, and how many conversations show each signal."""

    rows: NDArray[np.int64]
    reasons: Mapping[str, int]


def failing_by_default(known: Mapping[str, Signal]) -> Failing:
    """Negative feedback, an error, a label or reward that says so, or a signal that is a failure in itself."""
    signals = (known[_FEEDBACK], *_LOGGED, *(known[name] for name in IN_THEMSELVES))
    words = (
        f"negative feedback, an error, a label ({', '.join((*_FALSE, *_WORDS, _REWARD))}) that says so, "
        f"or one of the signals {', '.join(IN_THEMSELVES)}"
    )
    return Failing(signals, words)


def failing_as_asked(signals: Sequence[Signal], expression: str | None) -> Failing:
    """One of some signals, or an expression (checked before) that is true of the canonical columns."""
    asked = tuple(signals)
    words = [f"one of the signals {', '.join(one.name for one in signals)}"] if len(signals) > 1 else []
    words += [f"the signal {signals[0].name}"] if len(signals) == 1 else []
    if expression is not None:
        asked += (expression_signal(EXPRESSION, "quality", "model", "What was asked for.", expression),)
        words.append(" ".join(expression.split()))
    return Failing(asked, ", or ".join(words))


def find_failed(
    connection: duckdb.DuckDBPyConnection, failing: Failing, read_row: ReadRow, columns: Sequence[str]
) -> Failed:
    """The conversations of the relation `log` that failed; only their numbers are kept.

    Raises:
        UserError: a signal does not fit the columns.
    """
    import numpy as np

    reasons = {signal.name: 0 for signal in failing.signals}
    rows = []
    for shown in scan(connection, failing.signals, read_row, columns):
        rows.append(shown.row)
        for name in shown.signals:
            reasons[name] += 1
    return Failed(np.sort(np.array(rows, np.int64)), {name: count for name, count in reasons.items() if count})


def find_wrong(
    connection: duckdb.DuckDBPyConnection,
    known: Mapping[str, Signal],
    read_row: ReadRow,
    columns: Sequence[str],
    looked_at: int,
) -> Wrong:
    """Among failing conversations, which are the relation `log`, those whose calls were already wrong."""
    by_signal = dict.fromkeys(ROUTING_SIGNALS, 0)
    wrong = 0
    for shown in scan(connection, [known[name] for name in ROUTING_SIGNALS], read_row, columns):
        wrong += 1
        for name in shown.signals:
            by_signal[name] += 1
    return Wrong(looked_at, wrong, by_signal)


def _labelled() -> str:
    """Whether a label that the log keeps beside the conversation says that it failed."""
    every = "|".join((*_FALSE, *_WORDS, _REWARD))
    said_false = ", ".join(literal(f"$.{name}") for name in _FALSE)
    said_words = ", ".join(literal(f"$.{name}") for name in _WORDS)
    words = ", ".join(map(literal, _FAILED))
    said = f"list_transform(json_extract_string(metadata, [{said_words}]), lambda w: lower(w))"
    return (
        f"CASE WHEN regexp_matches(metadata, '\"(?:{every})\"') AND json_valid(metadata) THEN "
        f"list_has_any(json_extract_string(metadata, [{said_false}]), ['false', 'False', '0', '0.0']) "
        f"OR list_has_any({said}, [{words}]) "
        f"OR coalesce(try_cast(json_extract_string(metadata, '$.{_REWARD}') AS DOUBLE) <= 0, false) END"
    )


_LOGGED = (
    expression_signal("error", "reliability", "model", "The log holds an error.", "coalesce(error, '') <> ''"),
    expression_signal("label", "quality", "model", "A label of the log says that it failed.", _labelled()),
)
