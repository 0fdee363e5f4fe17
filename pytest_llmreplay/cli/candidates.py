"""Which conversations `find` finds: by what the user said, by their signals, or by an expression alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.mine.caches import Caches
    from pytest_llmreplay.mine.finding import Counted, Finding
    from pytest_llmreplay.mine.search import Match
    from pytest_llmreplay.mine.signals import Evidence, Shown, Signal
    from pytest_llmreplay.mine.turns import UserTurns
    from pytest_llmreplay.model.ports import Embedder
    from pytest_llmreplay.traces import LogTable


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for; `like` and `like_trace` exclude each other."""

    like: str | None
    like_trace: str | None
    signals: tuple[str, ...]
    where: str | None
    limit: int

    def in_words(self, known: Mapping[str, Signal]) -> str:
        """What is looked for, as a model is asked whether it is there."""
        parts = [f"the user says something like: {self.like}"] if self.like is not None else []
        parts += [f"{name}: {known[name].definition}" for name in self.signals]
        return "; and ".join(parts)

    def briefly(self) -> str:
        """What is looked for, for people."""
        parts = [f"like '{self.like}'"] if self.like is not None else []
        parts += [f"like {self.like_trace}"] if self.like_trace is not None else []
        parts += [f"signal {name}" for name in self.signals]
        parts += [f"where {' '.join(self.where.split())}"] if self.where is not None else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Search:
    """What a search works with.

    `embedder` is asked for only when it is needed; `explains` says that it costs nothing to ask it for single words.
    """

    table: LogTable
    known: Mapping[str, Signal]
    caches: Caches
    embedder: Callable[[], Embedder]
    explains: bool
    display: Display

    def find(self, asked: Asked, counted: Counted) -> list[Finding]:
        """The conversations, best first.

        Raises:
            UserError: a name, an id or an expression is wrong, or a file is damaged.
            InfrastructureError: the embedder gave no usable answer.
            NotRun: the embedder's budget is used up.
        """
        import duckdb

        try:
            return self._found(asked, counted)
        except duckdb.Error as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise UserError(f"the log cannot be searched: {reason}") from error

    def _found(self, asked: Asked, counted: Counted) -> list[Finding]:
        if asked.like is not None or asked.like_trace is not None:
            return self._by_meaning(asked)
        if asked.signals:
            return self._by_signals(asked, counted)
        return self._by_expression(asked, counted)

    def _by_meaning(self, asked: Asked) -> list[Finding]:
        from pytest_llmreplay.mine.finding import by_meaning
        from pytest_llmreplay.mine.search import search_like, search_like_trace

        turns = self._turns(asked)
        if not len(turns):
            return []
        progress = self.display.counting("embedding what users said")
        search = search_like if asked.like is not None else search_like_trace
        text = asked.like or asked.like_trace or ""
        embedder = self.embedder()
        words = embedder if self.explains else None
        matches = search(turns, text, embedder, self.caches, limit=asked.limit, words=words, progress=progress)
        rows = {self._row(match): match for match in matches}
        told = self._told(list(rows))
        return [by_meaning(row, match, told.get(row, ()), asked.signals) for row, match in rows.items()]

    def _by_signals(self, asked: Asked, counted: Counted) -> list[Finding]:
        from pytest_llmreplay.mine.finding import best_shown, by_signals

        with self.display.scanning("looking for signals", self.table):
            met = self._scan(self.table, asked.signals)
            best = best_shown(met, len(set(asked.signals)), asked.limit, counted)
        scores = {shown.row: score for score, shown in best}
        conversations = self.table.conversations(list(scores))
        told = self._told(list(scores))
        return [
            by_signals(scores[row], row, conversation, told.get(row, ()), asked.signals)
            for row, conversation in conversations.items()
        ]

    def _by_expression(self, asked: Asked, counted: Counted) -> list[Finding]:
        from pytest_llmreplay.mine.finding import by_expression, first_rows

        with self.display.scanning("filtering", self.table):
            rows = first_rows(self.table.connection, asked.limit, counted)
        told = self._told(rows)
        return [
            by_expression(row, conversation, told.get(row, ()), asked.where or "")
            for row, conversation in self.table.conversations(rows).items()
        ]

    def _turns(self, asked: Asked) -> UserTurns:
        """What users said in the conversations to which a search by meaning is narrowed, and in its trace."""
        import numpy as np

        from pytest_llmreplay.mine.turns import user_turns

        turns = user_turns(self.table.files, self.caches, self.display.reading_turns)
        if not asked.signals and asked.where is None:
            return turns
        first_rows = [self.table.row(log, 0) for log in turns.logs]
        chosen = np.isin(turns.rows(np.arange(len(turns)), first_rows), self._rows(asked))
        if asked.like_trace is not None:
            chosen |= np.isin(turns.position, turns.of_first(asked.like_trace).position)
        return turns.only(chosen)

    def _rows(self, asked: Asked) -> NDArray[np.int64]:
        """The rows to which a search by meaning is narrowed."""
        import numpy as np

        if asked.signals:
            with self.display.scanning("looking for signals", self.table):
                return np.fromiter((shown.row for shown in self._scan(self.table, asked.signals)), np.int64)
        with self.display.scanning("filtering", self.table):
            rows = self.table.connection.execute("SELECT llmreplay_row FROM log").fetchnumpy()
        return np.asarray(rows["llmreplay_row"], np.int64)

    def _told(self, rows: Sequence[int]) -> Mapping[int, Sequence[Evidence]]:
        """The evidence for every signal that these conversations show."""
        from pytest_llmreplay.mine.signals import evidence

        conversations = self.table.conversations(rows)
        with self.table.narrowed(rows) as narrow:
            met = self._scan(narrow, ())
            return {shown.row: evidence(shown, conversations[shown.row], self.known) for shown in met}

    def _scan(self, table: LogTable, names: Sequence[str]) -> Iterator[Shown]:
        from pytest_llmreplay.mine.signals import chosen, scan
        from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation

        return scan(table.connection, chosen(self.known, names), canonical_conversation, CANONICAL_COLUMNS)

    def _row(self, match: Match) -> int:
        return self.table.row(match.log, match.row)
