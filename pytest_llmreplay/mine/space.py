"""Conversations as points: the directions of their user turns, seen from the middle of the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.turns import UserTurns
from pytest_llmreplay.mine.vectors import Vectors
from pytest_llmreplay.providers.embeddings import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TURNS_AT_ONCE = 32_768
_SAMPLED = 65_536
_PRIOR = 20
_HALF_AT = 4


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of a log's user turns, taken from `middle`; `begins` says at which turn each conversation begins.

    `weights` says how much each turn counts in its conversation: people say early what they want. What all
    conversations of a log share (its subject, its greetings) lies in the middle and would make all of them alike; what
    is left tells them apart.
    """

    vectors: Vectors
    begins: NDArray[np.int64]
    weights: NDArray[np.float32]
    middle: NDArray[np.float32]

    def directions(self, turns: slice) -> NDArray[np.float32]:
        """The directions of some turns, of length 1 (0 for a turn that lies in the middle)."""
        return self.direction(self.vectors.unpacked(turns))

    def direction(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """The directions of some vectors, one a row."""
        return unit(vectors - self.middle)

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Some conversations after the others, with the turns that they hold; each block some thousand turns."""
        import numpy as np

        ends = np.append(self.begins[1:], len(self.vectors))
        first = 0
        while first < len(self.begins):
            last = max(first + 1, int(np.searchsorted(ends, self.begins[first] + _TURNS_AT_ONCE, side="right")))
            yield slice(first, last), slice(int(self.begins[first]), int(ends[last - 1]))
            first = last

    def conversation(self, number: int) -> NDArray[np.float32]:
        """The direction of one whole conversation: that of the weighted sum of its turns' directions."""
        end = self.begins[number + 1] if number + 1 < len(self.begins) else len(self.vectors)
        turns = slice(int(self.begins[number]), int(end))
        return unit(self.weights[turns] @ self.directions(turns))


def space_of(turns: UserTurns, vectors: Vectors) -> Space:
    """The space of some turns.

    The middle is the mean over at most 65,536 turns at even distances; in a log of a few turns it is drawn to nothing,
    since a mean of few says little about what all share. A turn weighs 1 / (1 + (number - 1) / 4).
    """
    import numpy as np

    step = max(1, -(-len(vectors) // _SAMPLED))
    sampled = vectors.unpacked(slice(None, None, step))
    middle = sampled.sum(axis=0) / (len(sampled) + _PRIOR)
    begins = np.flatnonzero(np.diff(turns.conversation, prepend=-1))
    weights = (1 / (1 + (turns.turn - 1) / _HALF_AT)).astype(np.float32)
    return Space(vectors, begins, weights, middle.astype(np.float32))
