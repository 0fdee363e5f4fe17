"""The triage of opened logs: what failed is read, grouped and judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_llmreplay.cli.naming import Naming
    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.mine.caches import Caches
    from pytest_llmreplay.mine.intents import Intents
    from pytest_llmreplay.mine.signals import Signal
    from pytest_llmreplay.mine.signals.scan import ReadRow
    from pytest_llmreplay.mine.space import Space
    from pytest_llmreplay.mine.triage import Triage
    from pytest_llmreplay.mine.triage.by_intent import Seen
    from pytest_llmreplay.mine.triage.facts import Facts, Wrong
    from pytest_llmreplay.mine.triage.failures import Failing
    from pytest_llmreplay.mine.turns import UserTurns
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.model.ports import Embedder
    from pytest_llmreplay.traces import LogTable

INTENT = "intent"
STANDARD = (INTENT, "tool", "model", "prompt_version", "segment")
"""The dimensions by which a triage groups when nobody says by which."""

COLUMNS = ("model", "prompt_version", "segment", "user_id", "session_id", "finish_reason", "format", "source_file")
_LOOKED_AT = 5000
_MANY = 500
_SEED = 0


@dataclass(frozen=True, slots=True)
class TriageAsked:
    """What is asked: by which dimensions (none is the standard ones), what failed means, since when.

    `intents` is a file with intents that are used, extended and written back.
    """

    by: tuple[str, ...] = ()
    failed: str | None = None
    signals: tuple[str, ...] = ()
    since: datetime | None = None
    intents: Path | None = None

    @property
    def needs_intents(self) -> bool:
        """Whether intents are asked for by name."""
        return INTENT in self.by or self.intents is not None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that are looked at: the standard ones too, but intents only when they are asked for."""
        standard = tuple(name for name in STANDARD if name != INTENT or not self.by)
        return tuple(dict.fromkeys((*self.by, *standard)))


@dataclass(frozen=True, slots=True)
class Triaging:
    """What a triage works with; `embedder` is asked for only when it is needed."""

    table: LogTable
    known: Mapping[str, Signal]
    caches: Caches
    display: Display
    embedder: Callable[[], Embedder]
    naming: Naming | None = None

    def triage(self, asked: TriageAsked) -> Triage:
        """The whole result.

        Raises:
            UserError: a dimension, a signal or an expression is wrong, or intents are asked for and cannot be found.
        """
        from pytest_llmreplay.mine.triage.analyse import triage
        from pytest_llmreplay.mine.triage.failures import find_failed
        from pytest_llmreplay.mine.triage.reading import count_undated, read_facts
        from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation

        refuse_unknown(asked.by)
        failing = self.failing(asked)
        connection = self.table.connection
        with self.display.scanning("looking for failures", self.table):
            failed = find_failed(connection, failing, canonical_conversation, CANONICAL_COLUMNS)
        with self.display.scanning("counting", self.table):
            names = [name for name in asked.dimensions if name != INTENT]
            facts = read_facts(connection, names, failed.rows, asked.since)
        notes = [
            f"Of {one.name} only the {_MANY} most frequent values were counted."
            for one in facts.dimensions
            if len(one.values) >= _MANY
        ]
        notes += [f"No conversation has {name}." for name in asked.by if name in names and not facts.dimension(name)]
        if asked.since is not None and (undated := count_undated(connection)):
            do = "conversation that does not say when it" if undated == 1 else "conversations that do not say when they"
            notes.append(f"Left out: {undated:,} {do} began.")
        if INTENT in asked.dimensions and len(facts):
            facts, missing = self._with_intents(facts, asked)
            notes += missing
        wrong = self._wrong(facts)
        return triage(facts, failed_means=failing.in_words, reasons=failed.reasons, wrong=wrong, notes=notes)

    def failing(self, asked: TriageAsked) -> Failing:
        """What counts as failed.

        Raises:
            UserError: a signal or an expression is wrong.
        """
        from pytest_llmreplay.mine.signals import chosen
        from pytest_llmreplay.mine.triage.failures import failing_as_asked, failing_by_default
        from pytest_llmreplay.traces import CANONICAL_COLUMNS, parse_expression

        if asked.failed is None and not asked.signals:
            return failing_by_default(self.known)
        signals = chosen(self.known, asked.signals) if asked.signals else ()
        if asked.failed is not None:
            for name in parse_expression(asked.failed).names:
                if name.casefold() not in CANONICAL_COLUMNS:
                    raise UserError("no canonical column", key="--failed", value=name, allowed=CANONICAL_COLUMNS)
        return failing_as_asked(signals, asked.failed)

    def _with_intents(self, facts: Facts, asked: TriageAsked) -> tuple[Facts, list[str]]:
        """The facts by intent, or why there are none; that is a mistake only of who asked for them."""
        from pytest_llmreplay.mine.intents_file import write_intents
        from pytest_llmreplay.mine.triage.by_intent import seen_in, with_intents
        from pytest_llmreplay.mine.turns import user_turns
        from pytest_llmreplay.store.atomic import write_atomically

        try:
            embedder = self.embedder()
        except UserError as error:
            if asked.needs_intents or self.naming is not None:
                raise
            return facts, [f"There are no intents: {error}."]
        turns = user_turns(self.table.files, self.caches, self.display.reading_turns)
        if not len(turns):
            return facts, ["There are no intents: the log holds no text of users."]
        known, space = self._known_or_none(turns, embedder, asked.intents)
        seen = seen_in(facts, turns, space, [self.table.row(log, 0) for log in turns.logs])
        intents = self._intents(known, turns, space, embedder, seen)
        if asked.intents is not None:
            write_atomically(asked.intents, lambda target: write_intents(target, intents))
        return with_intents(facts, seen, space, intents), []

    def _known_or_none(self, turns: UserTurns, embedder: Embedder, path: Path | None) -> tuple[Intents | None, Space]:
        """The intents that a file keeps, and the space of the turns as it is seen from their middle."""
        from pytest_llmreplay.mine.intents_file import read_intents
        from pytest_llmreplay.mine.space import space_of
        from pytest_llmreplay.mine.vectors import vectors_of

        known = read_intents(path, embedder=embedder.identity) if path is not None and path.exists() else None
        vectors = vectors_of(turns, embedder, self.caches, self.display.counting("embedding what users said"))
        return known, space_of(turns, vectors, middle=None if known is None else known.middle)

    def _intents(
        self, known: Intents | None, turns: UserTurns, space: Space, embedder: Embedder, seen: Seen
    ) -> Intents:
        """What users want, each under a name of its own."""
        from pytest_llmreplay.mine.intents import find_intents
        from pytest_llmreplay.mine.naming import typical_words, with_distinct_names
        from pytest_llmreplay.mine.triage.by_intent import kept_or_extended

        if known is None:
            intents = find_intents(turns, space, embedder.identity, seed=_SEED)
        else:
            intents = kept_or_extended(known, turns, space, seed=_SEED)
        if self.naming is not None:
            intents = self.naming.named(intents, typical_words(intents, turns, space, seen.here))
        return with_distinct_names(intents, known)

    def _wrong(self, facts: Facts) -> Wrong | None:
        """What is wrong with the calls of failing conversations; of many, some thousands drawn evenly."""
        from pytest_llmreplay.mine.triage.failures import find_wrong
        from pytest_llmreplay.traces import CANONICAL_COLUMNS

        rows = _drawn(facts.row[facts.failed])
        if not len(rows):
            return None
        read = _counted(self.display.counting("looking at the calls of failures"), len(rows))
        with self.table.narrowed(rows.tolist()) as narrow:
            return find_wrong(narrow.connection, self.known, read, CANONICAL_COLUMNS, len(rows))


def refuse_unknown(by: tuple[str, ...]) -> None:
    """Refuse a dimension that there is not.

    Raises:
        UserError: it is neither a standard one nor a column of text nor a name in the metadata.
    """
    for name in by:
        if name not in (*STANDARD, *COLUMNS) and not re.fullmatch(r"metadata\.[\w.-]+", name):
            allowed = tuple(dict.fromkeys((*STANDARD, *COLUMNS, "metadata.NAME")))
            raise UserError("there is no such dimension", key="--by", value=name, allowed=allowed)


def _counted(tell: Callable[[int, int], None], total: int) -> ReadRow:
    """Reads rows and tells how many, since DuckDB says nothing of a query that is narrowed to some rows."""
    from pytest_llmreplay.traces import canonical_conversation

    count = 0

    def read(row: Mapping[str, Any]) -> Conversation:
        nonlocal count
        count += 1
        tell(count, total)
        return canonical_conversation(row)

    return read


def _drawn(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    import numpy as np

    if len(rows) <= _LOOKED_AT:
        return rows
    return np.sort(np.random.default_rng(_SEED).choice(rows, _LOOKED_AT, replace=False))
