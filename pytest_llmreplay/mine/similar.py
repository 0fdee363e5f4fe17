"""Which turns of a log are about the same as some texts: by their own nearness, whatever else the log holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.mine.turns import UserTurns
from pytest_llmreplay.mine.vectors import Progress, vectors_of
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.ports import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIMILAR_FROM = 0.3
"""The cosine from which a turn is similar, unless another one is asked for."""

_TURNS_AT_ONCE = 32_768


def similar_turns(
    turns: UserTurns,
    texts: Mapping[str, str],
    similar_from: Mapping[str, float],
    embedder: Embedder,
    caches: Caches,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.int64]]:
    """The places of the turns that are similar to each text, ascending.

    A turn is similar when the cosine of its vector and the text's is high enough. Unlike the scores of a search this
    depends on nothing else in the log, so that what counts today also counts in tomorrow's log.

    Args:
        turns: what users said.
        texts: what it must be like, by any name.
        similar_from: the cosine from which a turn is similar, by the same names.
        embedder: turns texts into vectors.
        caches: where the vectors of the log are kept.
        progress: told how many texts have their vector.

    Raises:
        UserError: a text has no words, or the cache cannot be written.
        InfrastructureError: the embedder gave no usable answer.
        NotRun: the embedder's budget is used up.
    """
    import numpy as np

    if not texts:
        return {}
    asked = embedder.embed(list(texts.values()))
    for name, vector in zip(texts, asked, strict=True):
        if not vector.any():
            raise UserError("there is nothing to search for in what its user said", file=name, value=texts[name])
    bars = np.array([similar_from[name] for name in texts], np.float32)
    vectors = vectors_of(turns, embedder, caches, progress)
    found: list[list[NDArray[np.int64]]] = [[] for _ in texts]
    for start in range(0, len(vectors), _TURNS_AT_ONCE):
        alike = vectors.unpacked(slice(start, start + _TURNS_AT_ONCE)) @ asked.T >= bars
        for places, column in zip(found, alike.T, strict=True):
            places.append(start + np.flatnonzero(column))
    return {name: np.concatenate([np.zeros(0, np.int64), *places]) for name, places in zip(texts, found, strict=True)}
