"""Conversations as points: the directions of their user turns, seen from the middle of the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.turns import UserTurns
from pytest_llmreplay.mine.vectors import Vectors
from pytest_llmreplay.providers.embeddings import unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TURNS_AT_ONCE = 4096
_CONVERSATIONS_AT_ONCE = 512
_SAMPLED = 65_536
_PRIOR = 20
_HALF_AT = 4


@dataclass(frozen=True)
class Space:
    """The vectors of a log's user turns, taken from `middle`; `begins` says at which turn each conversation begins.

    What all conversations of a log share (its subject, its greetings) lies in the middle and would make all of them
    alike; what is left tells them apart. `weights` says how much each turn counts in its conversation: people say early
    what they want.
    """

    vectors: Vectors
    begins: NDArray[np.int32]
    weights: NDArray[np.float32]
    middle: NDArray[np.float32]

    @cached_property
    def sizes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The distances of the turns from the middle, and the lengths of the conversations' sums of directions.

        Only who compares with all turns needs them; they take a reading of all vectors.
        """
        return _sizes(self.vectors, self.begins, self.weights, self.middle)

    def direction(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The direction of a vector, of length 1 (0 in the middle)."""
        return unit(vector - self.middle)

    def turns(self, conversation: int) -> slice:
        """The places of one conversation's turns."""
        end = self.begins[conversation + 1] if conversation + 1 < len(self.begins) else len(self.vectors)
        return slice(int(self.begins[conversation]), int(end))

    def conversation(self, number: int) -> NDArray[np.float32]:
        """The direction of one whole conversation: that of the weighted sum of its turns' directions."""
        import numpy as np

        direction: NDArray[np.float32] = self.conversations(np.array([number]))[0]
        return direction

    def conversations(self, numbers: NDArray[np.integer]) -> NDArray[np.float32]:
        """The directions of some whole conversations, one a row."""
        import numpy as np
        from scipy.sparse import csr_array

        rows = np.zeros((len(numbers), self.vectors.dimensions), np.float32)
        for block in _blocks(len(numbers), _CONVERSATIONS_AT_ONCE):
            places, edges = self._places(numbers[block])
            directions = unit(self.vectors.unpacked(places) - self.middle)
            shape = (len(edges) - 1, len(places))
            rows[block] = csr_array((self.weights[places], np.arange(len(places)), edges), shape=shape) @ directions
        return unit(rows)

    def part(self, conversations: NDArray[np.integer]) -> Space:
        """The space of some conversations, by ascending numbers, seen from the same middle."""
        import numpy as np

        places, edges = self._places(conversations)
        return Space(
            vectors=replace(self.vectors, rows=self.vectors.rows[places]),
            begins=edges[:-1].astype(np.int32),
            weights=self.weights[places],
            middle=self.middle,
        )

    def _places(self, conversations: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places of the conversations' turns one after the other, and where each conversation's begin and end."""
        import numpy as np

        begins, following = self.begins[conversations], conversations + 1
        is_last = following == len(self.begins)
        ends = np.where(is_last, len(self.vectors), self.begins[np.where(is_last, 0, following)])
        edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - begins)])
        return np.arange(edges[-1]) + np.repeat(begins - edges[:-1], ends - begins), edges

    def similarity(self, direction: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine between a direction and that of every turn."""
        import numpy as np

        products = np.empty(len(self.vectors), np.float32)
        for block in _blocks(len(self.vectors)):
            products[block] = np.einsum("ij,j->i", self.vectors.unpacked(block), direction)
        return np.divide(products - self.middle @ direction, self.sizes[0], dtype=np.float32)

    def whole(self, similarity: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine between a direction and that of every conversation, from its cosines with the turns."""
        import numpy as np

        return np.divide(np.add.reduceat(similarity * self.weights, self.begins), self.sizes[1], dtype=np.float32)


def space_of(turns: UserTurns, vectors: Vectors, middle: NDArray[np.float32] | None = None) -> Space:
    """The space of some turns, seen from `middle`, or from their own.

    The middle is the mean over at most 65,536 turns at even distances; in a log of a few turns it is drawn to nothing,
    since a mean of few says little about what all share. A turn weighs 1 / (1 + (number - 1) / 4).
    """
    return Space(
        vectors=vectors,
        begins=_begins(turns.conversation),
        weights=_weights(turns.turn),
        middle=_middle(vectors) if middle is None else middle,
    )


def _begins(conversation: NDArray[np.int32]) -> NDArray[np.int32]:
    import numpy as np

    is_first = np.ones(len(conversation), np.bool_)
    is_first[1:] = conversation[1:] != conversation[:-1]
    return np.flatnonzero(is_first).astype(np.int32)


def _weights(turn: NDArray[np.int32]) -> NDArray[np.float32]:
    import numpy as np

    by_number = (1 / (1 + np.arange(turn.max(initial=0)) / _HALF_AT)).astype(np.float32)
    weights: NDArray[np.float32] = by_number[turn - 1]
    return weights


def _middle(vectors: Vectors) -> NDArray[np.float32]:
    import numpy as np

    sampled = np.arange(0, len(vectors), max(1, -(-len(vectors) // _SAMPLED)))
    total = np.zeros(vectors.dimensions, np.float32)
    for block in _blocks(len(sampled)):
        total += vectors.unpacked(sampled[block]).sum(axis=0)
    return total / np.float32(len(sampled) + _PRIOR)


def _sizes(
    vectors: Vectors, begins: NDArray[np.integer], weights: NDArray[np.float32], middle: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The turns' distances from the middle, and the lengths of the conversations' weighted sums of directions.

    One reading of the vectors: a conversation's sum is put together from the blocks that it lies in.
    """
    import numpy as np
    from scipy.sparse import csr_array

    distances = np.empty(len(vectors), np.float32)
    lengths = np.empty(len(begins), np.float32)
    open_sum = np.zeros(vectors.dimensions, np.float32)
    for block in _blocks(len(vectors)):
        taken = vectors.unpacked(block) - middle
        distance = np.sqrt(np.einsum("ij,ij->i", taken, taken))
        distances[block] = np.where(distance > 0, distance, 1)
        first, last = np.searchsorted(begins, [block.start, block.stop])
        edges = np.unique(np.concatenate([[block.start], begins[first:last], [block.stop]])) - block.start
        shares = weights[block] / distances[block]
        sums = csr_array((shares, np.arange(len(shares)), edges), shape=(len(edges) - 1, len(shares))) @ taken
        sums[0] += open_sum * (first == last or begins[first] != block.start)
        owner = int(np.searchsorted(begins, block.start, side="right")) - 1
        lengths[owner : owner + len(sums)] = np.linalg.norm(sums, axis=1)
        open_sum = sums[-1]
    return distances, np.where(lengths > 0, lengths, 1)


def _blocks(count: int, size: int | None = None) -> Iterator[slice]:
    size = size or _TURNS_AT_ONCE
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
