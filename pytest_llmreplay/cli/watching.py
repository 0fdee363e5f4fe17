"""What `monitor` measures: the watches of a suite, and the similar conversations of a log with or without the sign."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.cli.own_conversation import OwnConversation
from pytest_llmreplay.model.conversation import Conversation, turns_of
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.cli.progress import Display
    from pytest_llmreplay.mine.caches import Caches
    from pytest_llmreplay.mine.failure_signal import FailureSignal
    from pytest_llmreplay.mine.monitoring import Met
    from pytest_llmreplay.mine.signals import Evidence, Signal
    from pytest_llmreplay.model.case import Case
    from pytest_llmreplay.model.ports import Embedder
    from pytest_llmreplay.traces import LogTable

_CONVERSATIONS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Watch:
    """A case that is watched: what its user said, what shows its failure, and which conversation is its own.

    That one was chosen because it failed, so that it says nothing of how often others do.
    """

    case_id: str
    text: str
    signal: FailureSignal
    own: OwnConversation


@dataclass(frozen=True, slots=True)
class Window:
    """The time that counts for one watch: from `since` on (None: from the beginning), and later than `after`."""

    since: dt.datetime | None = None
    after: dt.datetime | None = None

    def holds(self, at: dt.datetime) -> bool:
        """Whether a conversation that began then counts."""
        return (self.since is None or at >= self.since) and (self.after is None or at > self.after)


@dataclass(slots=True)
class Seen:
    """How many conversations the log has, how many of them do not say when they began, and when the latest began."""

    conversations: int = 0
    undated: int = 0
    latest: dt.datetime | None = None


def watches_of(cases: Iterable[Case], known: Mapping[str, Signal]) -> tuple[list[Watch], dict[str, str]]:
    """The watches of the open and fixed incidents, and why the others of them cannot be watched."""
    from pytest_llmreplay.mine.failure_signal import case_text, failure_signal

    incidents = [case for case in cases if case.kind == "incident" and case.status in ("open", "fixed")]
    told = _told_of_cases(incidents, known)
    watches: list[Watch] = []
    unwatched: dict[str, str] = {}
    for case in incidents:
        text = case_text(case)
        try:
            signal = failure_signal(case, told.get(case.case_id, ()), known)
        except UserError as error:
            unwatched[case.case_id] = str(error)
            continue
        if signal is None:
            unwatched[case.case_id] = "nothing shows its failure: no call by name, no signal, no failure label"
        elif not text:
            unwatched[case.case_id] = "its user says nothing that could be similar"
        else:
            own = OwnConversation(case.provenance, _time(case.occurred_at))
            watches.append(Watch(case.case_id, text, signal, own))
    return watches, unwatched


@dataclass(frozen=True, slots=True)
class Monitor:
    """What a measurement works with; `relative` names a file as the provenance of cases does."""

    table: LogTable
    known: Mapping[str, Signal]
    caches: Caches
    embedder: Embedder
    display: Display
    relative: Callable[[Path], str]

    def measure(
        self, watches: Sequence[Watch], similar_from: Mapping[str, float], windows: Mapping[str, Window], seen: Seen
    ) -> dict[str, list[Met]]:
        """For each watch the similar conversations of its window in which the assistant said or did something then.

        Raises:
            UserError: the cache cannot be written.
            InfrastructureError: the embedder gave no usable answer.
            NotRun: the embedder's budget is used up.
        """
        from pytest_llmreplay.mine.monitoring import Met
        from pytest_llmreplay.traces import is_numbered

        starts = self._starts(set(windows.values()), seen)
        similar = self._similar(watches, similar_from, starts)
        wanted = {
            name: {row: turns for row, turns in found.items() if windows[name].holds(starts[row])}
            for name, found in similar.items()
        }
        met: dict[str, list[Met]] = {watch.case_id: [] for watch in watches}
        done = self.display.counting("reading similar conversations")
        rows = sorted({row for found in wanted.values() for row in found})
        for first in range(0, len(rows), _CONVERSATIONS_AT_ONCE):
            some = rows[first : first + _CONVERSATIONS_AT_ONCE]
            for watch, row, conversation, shown in self._looked_at(watches, wanted, some, starts):
                named_after = conversation.source_file if is_numbered(conversation) else None
                met[watch.case_id].append(Met(conversation.conversation_id, starts[row], shown, named_after))
            done(first + len(some), len(rows))
        return met

    def _starts(self, windows: Collection[Window], seen: Seen) -> dict[int, dt.datetime]:
        """When the rows of the filtered log began that are in any window; the others are only counted."""
        starts: dict[int, dt.datetime] = {}
        for batch in self.table.connection.sql("SELECT llmreplay_row, started_at FROM log").to_arrow_reader():
            for row, written in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                at = _time(written)
                seen.conversations += 1
                if at is None:
                    seen.undated += 1
                    continue
                seen.latest = at if seen.latest is None else max(at, seen.latest)
                if any(window.holds(at) for window in windows):
                    starts[row] = at
        return starts

    def _similar(
        self, watches: Sequence[Watch], similar_from: Mapping[str, float], rows: Collection[int]
    ) -> dict[str, dict[int, list[int]]]:
        """By watch: those of the rows with similar turns, and the numbers of these turns."""
        import numpy as np

        from pytest_llmreplay.mine.similar import similar_turns
        from pytest_llmreplay.mine.turns import user_turns

        turns = user_turns(self.table.files, self.caches, self.display.reading_turns)
        table_rows = turns.rows(np.arange(len(turns)), [self.table.row(log, 0) for log in turns.logs])
        chosen = np.isin(table_rows, np.fromiter(rows, np.int64, len(rows)))
        turns, table_rows = turns.only(chosen), table_rows[chosen]
        number_of = turns.turn
        texts = {watch.case_id: watch.text for watch in watches}
        done = self.display.counting("embedding what users said")
        found: dict[str, dict[int, list[int]]] = {}
        for name, places in similar_turns(turns, texts, similar_from, self.embedder, self.caches, done).items():
            numbers = found.setdefault(name, defaultdict(list))
            for row, turn in zip(table_rows[places].tolist(), number_of[places].tolist(), strict=True):
                numbers[row].append(turn)
        return found

    def _looked_at(
        self,
        watches: Sequence[Watch],
        wanted: Mapping[str, Mapping[int, Sequence[int]]],
        rows: Sequence[int],
        starts: Mapping[int, dt.datetime],
    ) -> Iterator[tuple[Watch, int, Conversation, bool]]:
        conversations = self.table.conversations(rows)
        told = self._told_of(watches, wanted, conversations)
        for watch in watches:
            for row, conversation in conversations.items():
                if row not in wanted[watch.case_id]:
                    continue
                turns = _answered(conversation, wanted[watch.case_id][row])
                if turns and not watch.own.is_it(conversation, starts[row], self.relative):
                    shown = watch.signal.shows_in(conversation.messages, turns, told.get(row, ()))
                    yield watch, row, conversation, shown

    def _told_of(
        self,
        watches: Sequence[Watch],
        wanted: Mapping[str, Mapping[int, Sequence[int]]],
        conversations: Mapping[int, Conversation],
    ) -> Mapping[int, Sequence[Evidence]]:
        """The evidence for the signals of those watches that look for signals, in the rows that they want."""
        by_signals = [watch for watch in watches if watch.signal.signals]
        rows = sorted({row for watch in by_signals for row in wanted[watch.case_id].keys() & conversations.keys()})
        if not rows:
            return {}
        names = {name for watch in by_signals for name in watch.signal.signals}
        with self.table.narrowed(rows) as narrow:
            return _told(narrow, self.known, sorted(names), conversations)


def _told_of_cases(cases: Sequence[Case], known: Mapping[str, Signal]) -> dict[str, Sequence[Evidence]]:
    """The evidence for every signal in the recorded conversations of the cases, by case."""
    from pytest_llmreplay.traces import TableFile, open_table, write_conversations

    if not cases:
        return {}
    recorded = [Conversation(case.case_id, case.messages, case.tools, steps=case.steps) for case in cases]
    with tempfile.TemporaryDirectory(prefix="pytest-llmreplay-") as folder:
        path = (Path(folder) / "cases.parquet").resolve()
        write_conversations(path, recorded)
        with open_table([TableFile(path)]) as table:
            told = _told(table, known, (), dict(enumerate(recorded)))
    return {cases[row].case_id: found for row, found in told.items()}


def _told(
    table: LogTable, known: Mapping[str, Signal], names: Sequence[str], conversations: Mapping[int, Conversation]
) -> dict[int, Sequence[Evidence]]:
    """The evidence for these signals (none named: all) in all rows of a table, by row."""
    from pytest_llmreplay.mine.signals import chosen, evidence, scan
    from pytest_llmreplay.traces import CANONICAL_COLUMNS, canonical_conversation

    met = scan(table.connection, chosen(known, names), canonical_conversation, CANONICAL_COLUMNS)
    return {shown.row: evidence(shown, conversations[shown.row], known) for shown in met}


def _answered(conversation: Conversation, numbers: Sequence[int]) -> set[int]:
    """Those of the turns in which the assistant said or did something."""
    return {
        turn.number
        for turn in turns_of(conversation.messages)
        if turn.number in numbers
        and any(message.role == "assistant" for message in conversation.messages[turn.start : turn.stop])
    }


def _time(written: object) -> dt.datetime | None:
    """A time of the log in UTC; one that does not say its zone is UTC, None when it is no time."""
    try:
        at = dt.datetime.fromisoformat(str(written))
        return at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
