"""Intents: what users want, found by clustering what they say, and kept, so that a name means the same tomorrow."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.space import Space
from pytest_llmreplay.mine.turns import UserTurns
from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.providers.embeddings import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OTHER = "other"
"""The intent of a conversation that is near to none."""

_SAMPLED = 10_000
_HALVED = 2_000
_COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
_LEAST_MEMBERS = 8
_HALVINGS = 5
_MODERATE = 0.4
_FARTHEST = 1.0
_ROUNDING = 1e-4
_NAMED_BY = 200
_TERMS = 5
_TERM_IN = 3
_PRIOR = 0.5
_SPOKEN = 0.05
_SEVERAL = 10
_WORD = re.compile(r"(?<![\w@.-])[^\W\d_]{3,}(?![\w@-])")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_HAN_OR_KATAKANA = re.compile(r"([\u3400-\u9fff]{2,})|([\u30a1-\u30fc]{3,})")
_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Intent:
    """What some users want.

    `centre` is the direction of their conversations, `reach` the least cosine to it at which a conversation still
    belongs; `terms` are the words that tell them from the others, best first; `size` counts those that it was found in.
    """

    intent_id: str
    name: str
    terms: tuple[str, ...]
    size: int
    reach: float
    centre: NDArray[np.float32] = field(compare=False)

    @property
    def is_named_by_terms(self) -> bool:
        """Whether its name is still that of its terms, and neither a model nor a person has given it another one."""
        return self.name.startswith(_named_by(self.terms))


@dataclass(frozen=True, slots=True)
class Intents:
    """Intents with the middle from which their directions are seen; `embedder` is the identity of whose vectors."""

    embedder: str
    middle: NDArray[np.float32]
    found: tuple[Intent, ...]
    stability: float | None = None

    def of_conversations(self, space: Space) -> NDArray[np.int32]:
        """For every conversation the number of its nearest intent, or -1 when none reaches it.

        `space` must be seen from this middle.
        """
        import numpy as np

        if not self.found:
            return np.full(len(space.begins), -1, np.int32)
        centres = np.array([intent.centre for intent in self.found])
        reach = np.array([intent.reach for intent in self.found])
        nearest = np.empty(len(space.begins), np.int32)
        for start in range(0, len(nearest), _AT_ONCE):
            numbers = np.arange(start, min(start + _AT_ONCE, len(nearest)))
            cosines = space.conversations(numbers) @ centres.T
            best = cosines.argmax(axis=1)
            # What was said word for word lies at the reach itself, where two products of float32 differ by rounding.
            reached = cosines[np.arange(len(best)), best] >= reach[best] - _ROUNDING
            nearest[numbers] = np.where(reached, best, -1)
        return nearest


def find_intents(turns: UserTurns, space: Space, embedder: str, *, seed: int = 0) -> Intents:
    """Cluster the conversations of a space by what their users say.

    k-means on at most 10,000 conversations (drawn with `seed`), each the direction of its weighted turns. The number of
    clusters is the largest for which clusterings of two random halves of 2,000 conversations still agree moderately
    (an adjusted Rand index of 0.4; stability: Lange, Roth, Braun and Buhmann, 2004), else the one that agrees most:
    for triage an intent in two parts is better than two intents in one.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    count = len(space.begins)
    chosen = np.sort(rng.choice(count, min(count, _SAMPLED), replace=False))
    points = space.conversations(chosen)
    clusters, stability = _number_of_clusters(points, rng)
    centres = _centres(points, clusters, rng)
    labels = (points @ centres.T).argmax(axis=1)
    members = [chosen[labels == number] for number in range(clusters)]
    terms = _terms(turns, space, members)
    found = [
        _intent(terms[number], centres[number], points[labels == number])
        for number in range(clusters)
        if len(members[number])
    ]
    return Intents(embedder, space.middle, tuple(sorted(found, key=lambda i: (-i.size, i.intent_id))), stability)


def extended(intents: Intents, turns: UserTurns, space: Space, *, seed: int = 0) -> Intents:
    """The intents, and new ones for what they do not reach, when that is enough to be one; no id changes."""
    import numpy as np

    is_beyond = intents.of_conversations(space) < 0
    beyond = np.flatnonzero(is_beyond)
    if len(beyond) < 2 * _LEAST_MEMBERS:
        return intents
    chosen = np.repeat(is_beyond, np.diff(space.begins, append=len(turns)))
    more = find_intents(turns.only(chosen), space.part(beyond), intents.embedder, seed=seed)
    known = {intent.intent_id for intent in intents.found}
    return replace(intents, found=(*intents.found, *(each for each in more.found if each.intent_id not in known)))


def _number_of_clusters(points: NDArray[np.float32], rng: np.random.Generator) -> tuple[int, float]:
    counts = [count for count in _COUNTS if count * _LEAST_MEMBERS * 2 <= len(points)]
    if not counts:
        return 1, 1.0
    halved = points[rng.permutation(len(points))[:_HALVED]]
    stability = {count: _stability(halved, count, rng) for count in counts}
    moderate = [count for count in counts if stability[count] >= _MODERATE]
    chosen = max(moderate) if moderate else max(counts, key=lambda count: stability[count])
    return chosen, stability[chosen]


def _stability(points: NDArray[np.float32], count: int, rng: np.random.Generator) -> float:
    """How well the clusterings of two halves agree on all points: 1 wholly, 0 as by chance."""
    import numpy as np
    from sklearn.metrics import adjusted_rand_score

    agreements = []
    for _ in range(_HALVINGS):
        order = rng.permutation(len(points))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        labels = [(points @ _centres(points[half], count, rng).T).argmax(axis=1) for half in halves]
        agreements.append(adjusted_rand_score(*labels))
    return float(np.mean(agreements))


def _centres(points: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    import numpy as np
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    count = min(count, len(np.unique(points, axis=0)))
    with threadpool_limits(1):  # threads that wait for each other cost more than they give on points as few as these
        fitted = KMeans(count, n_init=2, random_state=int(rng.integers(2**31))).fit(points)
    return unit(fitted.cluster_centers_)


def _intent(terms: tuple[str, ...], centre: NDArray[np.float32], points: NDArray[np.float32]) -> Intent:
    import numpy as np

    slug = "-".join(terms[:2]) or "intent"
    reach = float(np.percentile(points @ centre, _FARTHEST))
    mark = digest(np.round(centre, 2).tolist())[:6]
    return Intent(f"{slug}-{mark}", _named_by(terms), terms, len(points), reach, centre)


def _named_by(terms: Sequence[str]) -> str:
    return ", ".join(terms[:3]) or "no words in common"


def _terms(turns: UserTurns, space: Space, members: Sequence[NDArray[np.int64]]) -> list[tuple[str, ...]]:
    """The words that tell each cluster from the others: log odds with a prior (Monroe, Colaresi and Quinn, 2008).

    A word counts when at least three conversations of the cluster have it in small letters: names and identifiers do
    not become terms, since intents are shown and committed. Scripts without capitals have the first rule alone.
    """
    words = _words(turns, space, [numbers[:_NAMED_BY] for numbers in members])
    total = Counter[str]()
    for counts in words:
        total.update(counts)
    terms = []
    for counts in words:
        own, rest = counts.total(), total.total() - counts.total()
        scored = [
            (_z(number, own, total[word] - number, rest), word) for word, number in counts.items() if number >= _TERM_IN
        ]
        terms.append(tuple(word for z, word in sorted(scored, key=lambda each: (-each[0], each[1])) if z > 0)[:_TERMS])
    return terms


def _z(inside: int, all_inside: int, outside: int, all_outside: int) -> float:
    """How far the odds of a word inside are from those outside, in standard errors."""
    odds = [
        math.log((number + _PRIOR) / (total - number + _PRIOR))
        for number, total in ((inside, all_inside), (outside, all_outside))
    ]
    return (odds[0] - odds[1]) / math.sqrt(1 / (inside + _PRIOR) + 1 / (outside + _PRIOR))


def _words(turns: UserTurns, space: Space, groups: Sequence[NDArray[np.int64]]) -> list[Counter[str]]:
    """In how many conversations of each group each word is said; words that a whole language shares are left out.

    The texts are read once for all groups.
    """
    import numpy as np
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    conversations = np.concatenate(groups)
    group = np.repeat(np.arange(len(groups)), [len(numbers) for numbers in groups])
    order = np.argsort(conversations)
    counts = [Counter[str]() for _ in groups]
    for number, texts in zip(group[order], _said(turns, space, conversations[order]), strict=True):
        counts[number].update({word for text in texts for word in _small_words(text)} - ENGLISH_STOP_WORDS)
    shared = _shared_words(sum(counts, Counter()))
    return [Counter({word: number for word, number in one.items() if word not in shared}) for one in counts]


def _shared_words(said: Counter[str]) -> set[str]:
    """The most frequent words of the languages that are spoken: several of them, and one in twenty of all words."""
    lines = (resources.files(__package__) / "stop_words.txt").read_text(encoding="utf-8").splitlines()
    languages = [line.split() for line in lines if not line.startswith("#")]
    shared: set[str] = set()
    for words in languages:
        counts = [said[word] for word in words if word in said]
        if len(counts) >= _SEVERAL and sum(counts) > _SPOKEN * said.total():
            shared.update(words)
    return shared


def _small_words(text: str) -> Iterator[str]:
    """The words without capitals; where words are not spaced, pairs of Han characters and words in Katakana."""
    yield from (word for word in _WORD.findall(text) if word == word.lower() and not _UNSPACED.search(word))
    for han, katakana in _HAN_OR_KATAKANA.findall(text):
        yield from (katakana,) if katakana else map("".join, itertools.pairwise(han))


def _said(turns: UserTurns, space: Space, conversations: NDArray[np.int64]) -> Iterator[list[str]]:
    """What the user of each conversation said; their numbers ascend."""
    import numpy as np

    spans = [space.turns(int(number)) for number in conversations]
    places = np.concatenate([np.arange(span.start, span.stop) for span in spans]) if spans else np.zeros(0, np.int64)
    texts = [text for _, batch in turns.texts(turns.position[places]) for text in batch]
    ends = np.cumsum([0, *(span.stop - span.start for span in spans)])
    return (texts[start:end] for start, end in itertools.pairwise(ends))
