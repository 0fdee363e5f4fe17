"""Search by meaning: which conversations are about the same, however they put it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.mine.space import Space, space_of
from pytest_llmreplay.mine.turns import UserTurn, UserTurns
from pytest_llmreplay.mine.vectors import Progress, vectors_of
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.ports import Embedder
from pytest_llmreplay.providers.embeddings import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_FEEDBACK = 10
_CONVERSATIONS_A_FEEDBACK = 10
_WORD = re.compile(r"[^\W\d_]{3,}")
_WORDS_SHOWN = 3
_ALIKE = 0.3


@dataclass(frozen=True, slots=True)
class Match:
    """A conversation that is about the same, from 1 (the same) to -1.

    `whole` is how near all is that its user said, `nearest` how near the turn `turn` (from 1) is. The `score` of a
    question is the mean of both, that of a trace `whole`. `row` is the conversation's row (from 0) in the canonical
    file `log`; `why` says in words what matched.
    """

    conversation_id: str
    score: float
    turn: int
    text: str
    whole: float
    nearest: float
    why: str
    log: Path
    row: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """How near every conversation is, and every turn (`similarity`)."""

    score: NDArray[np.float32]
    whole: NDArray[np.float32]
    nearest: NDArray[np.float32]
    similarity: NDArray[np.float32]

    def best(self, count: int) -> NDArray[np.int64]:
        """The numbers of the best conversations, best first; of equals the earlier one."""
        import numpy as np

        count = min(count, len(self.score))
        bar = np.partition(self.score, -count)[-count]
        candidates = np.flatnonzero(self.score >= bar)
        return candidates[np.argsort(-self.score[candidates], kind="stable")][:count]


def search_like(
    turns: UserTurns,
    text: str,
    embedder: Embedder,
    caches: Caches,
    *,
    limit: int,
    words: Embedder | None = None,
    progress: Progress | None = None,
) -> list[Match]:
    """The conversations whose users said something like `text`, best first.

    Args:
        turns: what users said.
        text: a complaint, a question, a description: its words need not stand in the log.
        embedder: turns texts into vectors; those of the log are kept in `caches`.
        caches: where vectors are kept.
        limit: most matches.
        words: tells which words of a match are nearest to `text`; None: those that both share.
        progress: told how many texts have their vector.

    Raises:
        UserError: `text` has no words, or the cache cannot be written.
        InfrastructureError: the embedder gave no usable answer.
        NotRun: the embedder's budget is used up.
    """
    [vector] = embedder.embed([text])
    if not text.strip() or not vector.any():
        raise UserError("there is nothing to search for in it", key="--like", value=text)
    if not len(turns):
        return []
    space = space_of(turns, vectors_of(turns, embedder, caches, progress))
    ranking = rank_question(space, space.direction(vector))
    return _matches(turns, space, ranking, ranking.best(limit), text, words)


def search_like_trace(
    turns: UserTurns,
    trace: str,
    embedder: Embedder,
    caches: Caches,
    *,
    limit: int,
    words: Embedder | None = None,
    progress: Progress | None = None,
) -> list[Match]:
    """As `search_like`, for conversations like the first one with the id `trace`, which is not among them.

    Raises:
        UserError: no conversation with a user turn has this id.
        InfrastructureError: the embedder gave no usable answer.
        NotRun: the embedder's budget is used up.
    """
    import numpy as np

    own = turns.of_first(trace)
    if not len(own):
        raise UserError("no conversation with this id in which a user says something", key="--like-trace", value=trace)
    space = space_of(turns, vectors_of(turns, embedder, caches, progress))
    itself = int(turns.conversation[np.searchsorted(turns.position, own.position[0])])
    ranking = rank_conversation(space, itself)
    best = [number for number in ranking.best(limit + 1) if number != itself][:limit]
    said = " ".join(turn.text for turn in own.read(range(len(own))))
    return _matches(turns, space, ranking, best, said, words)


def rank_question(space: Space, direction: NDArray[np.float32]) -> Ranking:
    """How near every conversation is to a question, and to what is nearest to it.

    A question is short and put otherwise than the log, so the best conversations of a first ranking speak for it in the
    second: their directions, each weighted by its rank as in DCG, are added to the question's (Rocchio, 1971, with as
    much weight for the feedback as for the question). At most ten of them, and one for every ten conversations of a
    small log.
    """
    import numpy as np

    first = _ranking(space, direction)
    count = min(_MOST_FEEDBACK, len(space.begins) // _CONVERSATIONS_A_FEEDBACK)
    if not count:
        return first
    weights = (1 / np.log2(2 + np.arange(count))).astype(np.float32)
    found = np.array([space.conversation(int(number)) for number in first.best(count)])
    return _ranking(space, unit(direction + unit(weights @ found)))


def rank_conversation(space: Space, number: int) -> Ranking:
    """How near every conversation is to one of them: all that was said counts, and needs no feedback."""
    ranking = _ranking(space, space.conversation(number))
    return replace(ranking, score=ranking.whole)


def _ranking(space: Space, direction: NDArray[np.float32]) -> Ranking:
    import numpy as np

    similarity = space.similarity(direction)
    whole, nearest = space.whole(similarity), np.maximum.reduceat(similarity, space.begins)
    return Ranking(np.add(whole, nearest) * np.float32(0.5), whole, nearest, similarity)


def _matches(
    turns: UserTurns,
    space: Space,
    ranking: Ranking,
    best: Sequence[int] | NDArray[np.int64],
    question: str,
    words: Embedder | None,
) -> list[Match]:
    spans = [space.turns(int(number)) for number in best]
    found = turns.read([span.start + int(ranking.similarity[span].argmax()) for span in spans])
    return [
        Match(
            conversation_id=said.conversation_id,
            score=round(float(ranking.score[number]), 4),
            turn=said.turn,
            text=said.text,
            whole=round(float(ranking.whole[number]), 4),
            nearest=round(float(ranking.nearest[number]), 4),
            why=_why(said, question, words),
            log=said.log,
            row=said.row,
        )
        for number, said in zip(best, found, strict=True)
    ]


def _why(said: UserTurn, question: str, words: Embedder | None) -> str:
    """The turn, and the words in it that are nearest to the question."""
    own = list(dict.fromkeys(word.lower() for word in _WORD.findall(said.text)))
    near = _shared(own, question) if words is None else _near(own, question, words)
    return f"turn {said.turn}" + (f": {', '.join(near)}" if near else "")


def _shared(own: Collection[str], question: str) -> list[str]:
    asked = {word.lower() for word in _WORD.findall(question)}
    return sorted((word for word in own if word in asked), key=len, reverse=True)[:_WORDS_SHOWN]


def _near(own: Sequence[str], question: str, words: Embedder) -> list[str]:
    if not own:
        return []
    vectors = words.embed([question, *own])
    similarity = vectors[1:] @ vectors[0]
    order = sorted(range(len(own)), key=lambda index: -similarity[index])
    return [own[index] for index in order[:_WORDS_SHOWN] if similarity[index] >= _ALIKE]
