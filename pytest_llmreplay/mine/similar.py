"""Which turns of a log are about the same as some texts: by their own nearness, whatever else the log holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.mine.turns import UserTurns
from pytest_llmreplay.mine.vectors import Progress, vectors_of
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.ports import Embedder

SIMILAR_FROM = 0.3
"""The cosine from which a turn is similar, unless another one is asked for."""

_TURNS_AT_ONCE = 32_768


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation: its row (from 0) in the canonical file `log`."""

    log: Path
    row: int


def similar_turns(
    turns: UserTurns,
    texts: Mapping[str, str],
    similar_from: Mapping[str, float],
    embedder: Embedder,
    caches: Caches,
    progress: Progress | None = None,
) -> dict[str, dict[Place, tuple[int, ...]]]:
    """For each text the conversations with a similar user turn, and the numbers (from 1) of these turns.

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

    names = list(texts)
    asked = embedder.embed([texts[name] for name in names])
    for name, vector in zip(names, asked, strict=True):
        if not vector.any():
            raise UserError("there is nothing to search for in what its user said", file=name, value=texts[name])
    bars = np.array([similar_from[name] for name in names], np.float32)
    vectors = vectors_of(turns, embedder, caches, progress)
    found: list[tuple[int, int]] = []
    for start in range(0, len(vectors), _TURNS_AT_ONCE):
        alike = vectors.unpacked(slice(start, start + _TURNS_AT_ONCE)) @ asked.T >= bars
        found += [(start + int(turn), int(text)) for turn, text in zip(*np.nonzero(alike), strict=True)]
    return _by_text(turns, names, found)


def _by_text(
    turns: UserTurns, names: Sequence[str], found: Sequence[tuple[int, int]]
) -> dict[str, dict[Place, tuple[int, ...]]]:
    said = turns.places([turn for turn, _ in found])
    gathered: dict[str, dict[Place, list[int]]] = {name: defaultdict(list) for name in names}
    for (turn, text), (log, row) in zip(found, said, strict=True):
        gathered[names[text]][Place(log, row)].append(int(turns.turn[turn]))
    return {name: {place: tuple(numbers) for place, numbers in places.items()} for name, places in gathered.items()}
