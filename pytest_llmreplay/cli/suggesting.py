"""What a triage suggests to promote: it is chosen in the space of what users said, and read from the log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.mine.caches import Caches
    from pytest_llmreplay.mine.signals import Evidence, Signal
    from pytest_llmreplay.mine.triage import Conversations, Triage
    from pytest_llmreplay.mine.triage.failures import Failing
    from pytest_llmreplay.mine.triage.suggest import Pick
    from pytest_llmreplay.mine.triage.suggestions import Suggestion
    from pytest_llmreplay.model.conversation import Conversation
    from pytest_llmreplay.model.ports import Embedder
    from pytest_llmreplay.report.triage_links import Example
    from pytest_llmreplay.traces import LogTable

_SEED = 0


@dataclass(frozen=True, slots=True)
class Suggesting:
    """What is needed to look closer at the conversations of a triage; `failing` is what counted as failed."""

    table: LogTable
    known: Mapping[str, Signal]
    failing: Failing
    caches: Caches
    display: Display
    embedder: Callable[[], Embedder]

    def examples(self, triage: Triage, count: int) -> list[Example]:
        """At most `count` failed conversations that stand for all, and as many that went well.

        A conversation in which no user wrote anything is left out: it cannot be replayed.

        Raises:
            UserError: the embedding of texts is not installed.
        """
        from pytest_llmreplay.mine.space import space_of
        from pytest_llmreplay.mine.triage.suggest import patterns_of, suggest
        from pytest_llmreplay.mine.turns import user_turns
        from pytest_llmreplay.mine.vectors import vectors_of

        embedder = self.embedder()
        turns = user_turns(self.table.files, self.caches, self.display.reading_turns)
        if not len(turns):
            return []
        vectors = vectors_of(turns, embedder, self.caches, self.display.counting("embedding what users said"))
        space = space_of(turns, vectors)
        rows = turns.rows(space.begins, [self.table.row(path, 0) for path in turns.logs])
        numbers, places = _in_triage(rows, triage.conversations)
        ways = self._ways(triage.conversations)
        failing, passing = patterns_of(
            triage.conversations.intent[places], ways[places], triage.conversations.failed[places]
        )
        picks = suggest(failing, passing, lambda some: space.conversations(numbers[some]), count, seed=_SEED)
        return self._examples(triage, picks, places)

    def _ways(self, conversations: Conversations) -> NDArray[np.int16]:
        """How each conversation failed, by the place of its signal; -1 for those that went well."""
        import numpy as np

        from pytest_llmreplay.mine.triage.ways import ways_of_failing
        from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation

        ways = np.full(len(conversations), -1, np.int16)
        with self.display.scanning("looking for ways of failing", self.table):
            ways[conversations.failed] = ways_of_failing(
                self.table.connection,
                self.failing.signals,
                conversations.row[conversations.failed],
                canonical_conversation,
                CANONICAL_COLUMNS,
            )
        return ways

    def _examples(self, triage: Triage, picks: Sequence[Pick], places: NDArray[np.int32]) -> list[Example]:
        from pytest_llmreplay.report.triage_links import Example

        place_of = [int(places[pick.number]) for pick in picks]
        rows = [int(triage.conversations.row[place]) for place in place_of]
        conversations = self.table.conversations(rows)
        told = self._told(rows, conversations)
        return [
            Example(
                suggestion=self._suggestion(triage, pick, conversations[row], told.get(row, ())),
                conversation=conversations[row],
                intent=pick.intent,
                finding=int(triage.conversations.finding[place]),
                day=_day(int(triage.conversations.day[place])),
            )
            for pick, place, row in zip(picks, place_of, rows, strict=True)
        ]

    def _told(self, rows: Sequence[int], conversations: Mapping[int, Conversation]) -> Mapping[int, Sequence[Evidence]]:
        """The evidence for what counted as failed, by row."""
        from pytest_llmreplay.mine.signals import evidence, scan
        from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation

        signals = {signal.name: signal for signal in self.failing.signals}
        with self.table.narrowed(rows) as narrow:
            met = scan(narrow.connection, self.failing.signals, canonical_conversation, CANONICAL_COLUMNS)
            return {shown.row: evidence(shown, conversations[shown.row], signals) for shown in met}

    def _suggestion(
        self, triage: Triage, pick: Pick, conversation: Conversation, told: Sequence[Evidence]
    ) -> Suggestion:
        from pytest_llmreplay.mine.triage.suggestions import Suggestion
        from pytest_llmreplay.mine.triage.ways import failing_turn

        failure = self.failing.signals[pick.failure].name if pick.failure >= 0 else None
        # An expression or a label says that it failed, not how.
        signal = None if failure is None else self.known.get(failure)
        shown = next((one for one in told if one.signal == failure and one.turn is not None), None)
        turn = None if shown is None else failing_turn(shown)
        return Suggestion(
            conversation_id=conversation.conversation_id,
            kind=pick.kind,
            role=pick.role,
            weight=pick.weight,
            intent=_intent_name(triage, pick.intent),
            failure=failure,
            category=None if signal is None else signal.category,
            stage=None if signal is None else signal.stage,
            turn=turn,
            text=_said(conversation, turn or 1),
        )


def _in_triage(rows: NDArray[np.int64], conversations: Conversations) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Which conversations of a space are in the triage, by their numbers there and their places in the triage."""
    import numpy as np

    places = np.searchsorted(conversations.row, rows).astype(np.int32).clip(max=max(len(conversations) - 1, 0))
    here = conversations.row[places] == rows if len(conversations) else np.zeros(len(rows), np.bool_)
    return np.flatnonzero(here).astype(np.int32), places[here]


def _day(day: int) -> str | None:
    from pytest_llmreplay.mine.triage.facts import UNKNOWN, iso_day

    return None if day == UNKNOWN else iso_day(day)


def _intent_name(triage: Triage, place: int) -> str | None:
    from pytest_llmreplay.mine.intents import OTHER

    if place < 0:
        return None
    group = triage.groups["intent"][place]
    return None if group.value == OTHER else group.name


def _said(conversation: Conversation, turn: int) -> str:
    said = [message.content or "" for message in conversation.messages if message.role == "user"]
    return said[turn - 1] if turn <= len(said) else ""
