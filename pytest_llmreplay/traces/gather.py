"""Spans of many files, in any order and of any number, brought together by conversation on disk."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_llmreplay.traces.spans import Score, Span, merged, time_of, told
from pytest_llmreplay.traces.stitch import Key, chain, key_of, split_system

_TABLES = """
CREATE TABLE spans
    (number INTEGER PRIMARY KEY, trace TEXT, span TEXT, started REAL, data BLOB, inherited BLOB, grp TEXT);
CREATE UNIQUE INDEX by_span ON spans (trace, span);
CREATE TABLE scores (trace TEXT, span TEXT, session TEXT, data BLOB);
CREATE INDEX by_scored_span ON scores (span);
CREATE INDEX by_scored_trace ON scores (trace);
"""
_ENDLESS = 1000
_TWIN_SECONDS = 600.0
_KEPT_TIPS = 50


@dataclass(frozen=True, slots=True)
class Group:
    """All spans of one conversation. `joined` says that it has an id of its own; `key` is that, a trace's, or empty."""

    key: str
    joined: bool
    spans: Iterable[Span]
    scores: tuple[tuple[Score, str | None], ...]


class Gathering:
    """Spans and scores on disk, in a file without a name; each span once, however often it was logged."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA cache_size = -131072;" + _TABLES)
        self._db.execute("BEGIN")
        self.empty = True

    def add(self, item: Span | Score) -> None:
        """Keep a span, or what a further record of the same span says beyond it, or a score."""
        self.empty = False
        if isinstance(item, Score):
            judged = (item.trace_id, item.span_id, item.session_id, _dump(item))
            self._db.execute("INSERT INTO scores VALUES (?, ?, ?, ?)", judged)
            return
        trace = item.trace_id or ""
        known = self._db.execute(
            "SELECT number, data FROM spans WHERE trace = ? AND span = ?", (trace, item.span_id)
        ).fetchone()
        number, whole = (None, item) if known is None else (known[0], merged(_load(known[1]), item))
        row = (number, trace, item.span_id, time_of(whole), _dump(whole), None if trace else _own_group(whole))
        self._db.execute(
            "INSERT OR REPLACE INTO spans (number, trace, span, started, data, grp) VALUES (?, ?, ?, ?, ?, ?)", row
        )

    def groups(self) -> Iterator[Group]:
        """The conversations: first those with an id, then the rest; each kind by the time of its first call."""
        self._resolve()
        self._join_by_prefix()
        self._db.execute("CREATE INDEX by_group ON spans (grp, started, number)")
        query = """SELECT grp, MIN(started) AS began, MIN(number) AS place FROM spans GROUP BY grp
            ORDER BY substr(grp, 1, 1), began IS NULL, began, place"""
        for key, _, _ in self._db.execute(query).fetchall():
            yield Group(
                "" if key.startswith("u:") else key[2:],
                key.startswith("c:"),
                self._spans(key),
                tuple(self._scores(key)),
            )

    def unattached_scores(self) -> int:
        """How many scores judge nothing that was read; known once the groups are."""
        query = """SELECT COUNT(*) FROM scores WHERE NOT EXISTS (SELECT 1 FROM spans WHERE scores.span = spans.span
            OR (scores.span IS NULL AND (scores.trace = spans.trace OR spans.grp = 'c:' || scores.session)))"""
        count: int = self._db.execute(query).fetchone()[0]
        return count

    def close(self) -> None:
        """Remove everything."""
        self._db.close()

    def _spans(self, key: str) -> Iterator[Span]:
        query = "SELECT number FROM spans WHERE grp = ? ORDER BY started IS NULL, started, number"
        for (number,) in self._db.execute(query, (key,)):
            yield self._span(number)

    def _scores(self, key: str) -> Iterator[tuple[Score, str | None]]:
        """The scores of a group, each once, with the trace that it judges."""
        seen: set[tuple[Any, ...]] = set()
        query = """SELECT DISTINCT scores.rowid, scores.data, spans.trace, spans.span
            FROM scores JOIN spans ON spans.grp = ?1
            AND (scores.span = spans.span OR (scores.span IS NULL AND scores.trace = spans.trace))
            UNION SELECT scores.rowid, scores.data, NULL, NULL FROM scores
            WHERE scores.span IS NULL AND scores.trace IS NULL AND 'c:' || scores.session = ?1 ORDER BY 1"""
        for _, data, trace, span in self._db.execute(query, (key,)):
            score: Score = _load(data)
            identity = (score.name, trace, score.span_id and span)
            if identity not in seen:
                seen.add(identity)
                yield score, trace

    def _resolve(self) -> None:
        """Give every span what it inherits from the spans above it in its trace, and its group."""
        for (trace,) in self._db.execute(
            "SELECT DISTINCT trace FROM spans WHERE trace != '' ORDER BY trace"
        ).fetchall():
            links = {span.span_id: (number, span) for number, span in self._light(trace)}
            whole = _of_trace(span for _, span in links.values())
            for number, span in links.values():
                inherited = _inherited(span, links, whole)
                conversation = inherited["conversation_id"] or inherited["session_id"]
                self._settle(number, inherited, f"c:{conversation}" if conversation else f"t:{trace}")
        self._db.execute("UPDATE spans SET grp = printf('u:%012d', number) WHERE grp IS NULL")

    def _span(self, number: int) -> Span:
        data, inherited = self._db.execute("SELECT data, inherited FROM spans WHERE number = ?", (number,)).fetchone()
        span: Span = _load(data)
        return replace(span, **_load(inherited)) if inherited else span

    def _light(self, trace: str) -> Iterator[tuple[int, Span]]:
        """The spans of a trace without their content, which may be large."""
        for number, data in self._db.execute(
            "SELECT number, data FROM spans WHERE trace = ? ORDER BY number", (trace,)
        ):
            yield (
                number,
                replace(_load(data), messages=None, output=None, tools=None, events=(), input=None, result=None),
            )

    def _settle(self, number: int, inherited: Mapping[str, Any] | None, group: str) -> None:
        data = None if inherited is None else _dump(inherited)
        self._db.execute("UPDATE spans SET inherited = ?, grp = ? WHERE number = ?", (data, group, number))

    def _join_by_prefix(self) -> None:
        """Give traces and calls without an id the group of the conversation that their messages begin with."""
        tips: dict[Key, list[_Tip]] = {}
        renamed: dict[str, str] = {}
        query = "SELECT number, grp FROM spans WHERE grp >= 't:' ORDER BY started IS NULL, started, number"
        for number, group in self._db.execute(query).fetchall():
            span = told(self._span(number))
            if span.kind != "llm" or not span.messages:
                continue
            _, body = split_system(span.messages)
            asked = chain(key_of(message) for message in body)
            if renamed.get(group, group) == group:
                renamed[group] = _earlier(asked, tips, span) or group
            spoken = chain(key_of(message) for message in (*body, *(span.output or ())))
            if spoken:
                known = tips.setdefault(spoken[-1], [])
                known.append(_Tip(renamed[group], span.started, bool(span.output), span.user_id))
                del known[:-_KEPT_TIPS]
        for group, target in renamed.items():
            if group != target:
                self._db.execute("UPDATE spans SET grp = ? WHERE grp = ?", (target, group))


@dataclass(frozen=True, slots=True)
class _Tip:
    """Where a conversation stood after one of its calls."""

    group: str
    started: float | None
    answered: bool
    user: str | None


def _own_group(span: Span) -> str | None:
    """The group of a span that stands in no trace, when it names one."""
    conversation = span.conversation_id or span.session_id
    return f"c:{conversation}" if conversation else None


def _earlier(asked: list[Key], tips: Mapping[Key, list[_Tip]], span: Span) -> str | None:
    """The group whose conversation these messages begin with, the latest of the same user; or that of a failed twin."""
    for length in range(len(asked), 0, -1):
        fitting = [tip for tip in tips.get(asked[length - 1], ()) if _fits(tip, span, whole=length == len(asked))]
        if fitting:
            same_user = [tip for tip in fitting if tip.user == span.user_id]
            return (same_user or fitting)[-1].group
    return None


def _fits(tip: _Tip, span: Span, *, whole: bool) -> bool:
    """Whether a call may go on from there, or be a failed call made again; that happens soon or not at all."""
    if tip.user is not None and span.user_id is not None and tip.user != span.user_id:
        return False
    near = tip.started is None or span.started is None or span.started - tip.started <= _TWIN_SECONDS
    return not whole if tip.answered else whole and near


def _of_trace(spans: Iterable[Span]) -> dict[str, str | None]:
    """The ids that all spans of a trace agree on."""
    found: dict[str, set[str]] = {"conversation_id": set(), "session_id": set(), "user_id": set()}
    for span in spans:
        for name, values in found.items():
            value = getattr(span, name)
            if value is not None:
                values.add(value)
    return {name: next(iter(values)) if len(values) == 1 else None for name, values in found.items()}


def _inherited(span: Span, links: Mapping[str, tuple[int, Span]], whole: Mapping[str, str | None]) -> dict[str, Any]:
    """What the span says itself, else the nearest span above it, else all of its trace."""
    found: dict[str, Any] = {name: getattr(span, name) for name in whole}
    metadata = dict(span.metadata)
    prompt_version = span.prompt_version
    seen = {span.span_id}
    parent = span.parent_id
    while parent is not None and parent in links and parent not in seen and len(seen) < _ENDLESS:
        seen.add(parent)
        above = links[parent][1]
        found = {name: value if value is not None else getattr(above, name) for name, value in found.items()}
        metadata = {**above.metadata, **metadata}
        prompt_version = prompt_version or above.prompt_version
        parent = above.parent_id
    settled = {name: value if value is not None else whole[name] for name, value in found.items()}
    return {**settled, "metadata": metadata, "prompt_version": prompt_version}


def _dump(value: Any) -> bytes:
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def _load(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - written by this process into a file without a name
