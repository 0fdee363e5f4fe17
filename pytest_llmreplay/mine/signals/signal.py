"""What a signal of failure is, and the evidence for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pytest_llmreplay.model.case import FailureCategory, FailureStage
from pytest_llmreplay.model.conversation import Conversation, ToolCall

At = Literal["message", "step", "conversation"]
ROW = "llmreplay_row"
"""The column of a log's table that numbers its rows."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows a signal.

    `turn` counts from 1; None means the conversation as a whole. `text` is the telling words, `span` where they stand
    in the content of the message with the index `message` (from 0), and `call` the tool call that they are about.
    """

    signal: str
    turn: int | None
    text: str
    message: int | None = None
    span: tuple[int, int] | None = None
    call: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a signal that is looked for in Python found: the message (an index from 0), words, their place, a call."""

    message: int | None
    text: str
    span: tuple[int, int] | None = None
    call: ToolCall | None = None
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A conversation that shows signals: its number in the log's table, its id, and where each signal shows.

    `positions` are those of signals that DuckDB evaluates (from 1 among messages or steps, 0 for the whole), `found`
    what others found.
    """

    row: int
    conversation_id: str
    positions: Mapping[str, Sequence[int]]
    found: Mapping[str, Sequence[Found]]

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals."""
        return (*self.positions, *self.found)

    @property
    def places(self) -> int:
        """At how many places any of them shows."""
        return sum(map(len, self.positions.values())) + sum(map(len, self.found.values()))


Find = Callable[[Conversation], Iterable[Found]]
TextDetector = Callable[[str], Sequence[tuple[int, int, str]]]
"""Finds personal data or secrets in a text: start, stop and kind of each."""


@dataclass(frozen=True)
class Signal:
    """A deterministic sign of failure.

    It shows in one of three ways. At the messages for which all conditions in `each` hold, or all of those in `also`:
    DuckDB expressions on the message `m`, its position `i` (from 1) and the columns, cheap ones first. Or at the
    positions that `sql` lists, a DuckDB expression over the columns (from 1 among the steps or messages, 0 for the
    conversation as a whole); with `at` the conversation, `sql` is the condition under which the whole of it shows the
    signal. Or where `find` finds it, which looks at the conversations for which the condition `sql` is true. `columns`
    are the canonical and derived columns that are read, `pattern` is what the telling words match.

    Raises:
        ValueError: neither `sql` nor `each` is given, or both, `find` without `sql`, or `also` without `each`.
    """

    name: str
    category: FailureCategory
    stage: FailureStage
    definition: str
    sql: str = ""
    columns: tuple[str, ...] = ("messages",)
    at: At = "message"
    pattern: str | None = None
    find: Find | None = None
    each: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.sql) == bool(self.each) or (self.find is not None and not self.sql):
            raise ValueError(f"signal {self.name}: either sql or each must be given, and with find only sql")
        if self.also and not self.each:
            raise ValueError(
                f"signal {self.name}: also is a second list of conditions, and each, the first, is missing"
            )

    @property
    def ways(self) -> tuple[tuple[str, ...], ...]:
        """The lists of conditions of which any shows the signal at a message."""
        return tuple(filter(None, (self.each, self.also)))

    @property
    def is_condition(self) -> bool:
        """Whether `sql` is a condition, and no list of positions."""
        return self.find is not None or self.at == "conversation"

    @cached_property
    def words(self) -> re.Pattern[str] | None:
        """The pattern, compiled for finding the telling words."""
        return None if self.pattern is None else re.compile(self.pattern)
