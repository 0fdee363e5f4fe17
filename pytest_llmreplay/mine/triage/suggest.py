"""What to promote of many failures: few conversations that stand for all, and as many that went well."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_llmreplay.model.case import Kind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CANDIDATES = 10_000
_AT_ONCE = 8192

Directions = Callable[["NDArray[np.int64]"], "NDArray[np.float32]"]
"""The directions of some conversations by their numbers, of length 1, one a row: `Space.conversations`."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Conversations of one intent that failed in one way, or that went well.

    `intent` and `failure` number both from 0; -1 is no intent, and no known way or none at all. `members` are the
    conversations' numbers in the space, ascending; no conversation is in two patterns.
    """

    intent: int
    failure: int
    members: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pick:
    """A conversation that stands for others.

    `number` is that of the conversation in the space, `weight` how many conversations of its pattern it stands for,
    itself included. The first of a pattern is its `representative`, the others are there because they are `diverse`.
    """

    number: int
    kind: Kind
    role: Literal["representative", "diverse"]
    intent: int
    failure: int
    weight: int


def suggest(
    failing: Sequence[Pattern], passing: Sequence[Pattern], directions: Directions, count: int, *, seed: int = 0
) -> list[Pick]:
    """Propose `count` incidents that stand for the failing patterns, and as many controls of the same intents.

    The places go to the patterns by size (Webster's method), one to each of the largest first. In a pattern the first
    is the medoid, the others are chosen by maximal marginal relevance (Carbonell and Goldstein, 1998), and every
    conversation counts for the chosen one that it is nearest to. Of a pattern of more than 10,000 those of a sample
    drawn with `seed` can be chosen, and all are counted. Fewer come back where there are no more.

    Args:
        failing: what failed, one pattern an intent and way of failing.
        passing: what went well, one pattern an intent.
        directions: where the conversations lie.
        count: the most incidents.
        seed: of the sample.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    ordered = sorted((pattern for pattern in failing if len(pattern.members)), key=_largest_first)
    places = apportioned([len(pattern.members) for pattern in ordered], count)
    found = [
        one
        for pattern, number in zip(ordered, places, strict=True)
        for one in _of_pattern(pattern, number, directions, rng, "incident")
    ]
    wanted = Counter(one.intent for one in found)
    well = sorted(
        (pattern for pattern in passing if len(pattern.members) and wanted[pattern.intent]), key=_largest_first
    )
    return found + [
        one for pattern in well for one in _of_pattern(pattern, wanted[pattern.intent], directions, rng, "control")
    ]


def patterns_of(
    intent: NDArray[np.integer], failure: NDArray[np.integer], failed: NDArray[np.bool_]
) -> tuple[list[Pattern], list[Pattern]]:
    """The conversations of a space as failing and as passing patterns.

    Args:
        intent: the number of each conversation's intent, -1 for none.
        failure: how each failed, -1 where nobody knows; of a conversation that went well it does not count.
        failed: which failed.
    """
    import numpy as np

    if not len(failed):
        return [], []
    shape = (2, int(intent.max()) + 2, int(failure.max()) + 2)  # from -1 on
    number = (failed * np.int32(shape[1]) + intent + 1) * np.int32(shape[2]) + np.where(failed, failure, -1) + 1
    keys, counts = np.unique(number, return_counts=True)
    members = np.split(np.argsort(number, kind="stable"), np.cumsum(counts)[:-1])
    of_key = zip(*(place.tolist() for place in np.unravel_index(keys, shape)), members, strict=True)
    found = [(failing, Pattern(intent - 1, way - 1, own)) for failing, intent, way, own in of_key]
    return [one for failing, one in found if failing], [one for failing, one in found if not failing]


def apportioned(sizes: Sequence[int], count: int) -> list[int]:
    """How many of `count` places each pattern gets: one to each in order, then by size, never more than it has members.

    `sizes` descend. Places beyond the first go to the largest quotient of size and 2 places + 1 (Webster's method).
    """
    places = [1 if rank < count else 0 for rank in range(len(sizes))]
    quotients = [(-size / 3, rank) for rank, size in enumerate(sizes) if places[rank] and size > 1]
    heapq.heapify(quotients)
    for _ in range(count - sum(places)):
        if not quotients:
            break
        _, rank = heapq.heappop(quotients)
        places[rank] += 1
        if places[rank] < sizes[rank]:
            heapq.heappush(quotients, (-sizes[rank] / (2 * places[rank] + 1), rank))
    return places


def _of_pattern(
    pattern: Pattern, places: int, directions: Directions, rng: np.random.Generator, kind: Kind
) -> list[Pick]:
    import numpy as np

    if not places:
        return []
    candidates = pattern.members
    if len(candidates) > _CANDIDATES:
        candidates = np.sort(rng.choice(candidates, max(_CANDIDATES, places), replace=False))
    points = directions(candidates)
    chosen = _chosen(points, min(places, len(candidates)))
    weights = _weights(pattern.members, candidates[chosen], points[chosen], directions)
    return [
        Pick(
            number=int(candidates[place]),
            kind=kind,
            role="diverse" if rank else "representative",
            intent=pattern.intent,
            failure=pattern.failure,
            weight=weight,
        )
        for rank, (place, weight) in enumerate(zip(chosen, weights, strict=True))
    ]


def _chosen(points: NDArray[np.float32], count: int) -> list[int]:
    """The medoid, then each time what is most like the rest of the pattern and least like those chosen before.

    The sum of a point's cosines with all others is its product with the sum of all points, so the medoid by cosine is
    exact. Likeness to the pattern and to the chosen count the same.
    """
    import numpy as np

    mean = points.mean(axis=0)
    typical = points @ mean / (float(np.linalg.norm(mean)) or 1.0)
    chosen = [int(typical.argmax())]
    nearest = points @ points[chosen[0]]
    while len(chosen) < count:
        gain = typical - nearest
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        nearest = np.maximum(nearest, points @ points[chosen[-1]])
    return chosen


def _weights(
    members: NDArray[np.int64], chosen: NDArray[np.int64], centres: NDArray[np.float32], directions: Directions
) -> list[int]:
    """How many members are nearest to each of the chosen; each of those counts for itself."""
    import numpy as np

    others = np.setdiff1d(members, chosen, assume_unique=True)
    counts = np.ones(len(chosen), np.int64)
    for start in range(0, len(others), _AT_ONCE):
        nearest = (directions(others[start : start + _AT_ONCE]) @ centres.T).argmax(axis=1)
        counts += np.bincount(nearest, minlength=len(chosen))
    return [int(weight) for weight in counts]


def _largest_first(pattern: Pattern) -> tuple[int, int, int]:
    return -len(pattern.members), pattern.intent, pattern.failure
