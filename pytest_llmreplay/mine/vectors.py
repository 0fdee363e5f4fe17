"""The vectors of texts, kept by the texts' content: files that are only ever added, and read where they lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.mine.turns import UserTurns
from pytest_llmreplay.model.canonical import digest, text_digest
from pytest_llmreplay.model.ports import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[int, int], None]
"""Told how many texts of how many have their vector."""

_LAYOUT = 1
_HEADER = 2
_A_FILE = 65_536
_AT_ONCE = 2048
_LEVELS = 127


@dataclass(frozen=True, slots=True)
class _Segment:
    """One file: `keys`, and a vector each as `steps` of a 127th of its largest component, `scales`."""

    keys: NDArray[np.uint64]
    scales: NDArray[np.float32]
    steps: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of some texts: the n-th is that of the n-th text, each of length 1, or 0 for a text without words.

    They stay in their files, one byte a dimension; what is asked for is unpacked.
    """

    segments: tuple[_Segment, ...]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    dimensions: int

    def __len__(self) -> int:
        return len(self.rows)

    def unpacked(self, wanted: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Some of the vectors, one a row; a few thousand at once stay in the processor's cache."""
        import numpy as np

        rows = self.rows[wanted]
        vectors = np.empty((len(rows), self.dimensions), np.float32)
        owners = np.searchsorted(self.starts, rows, side="right") - 1
        for owner in np.unique(owners):
            here = owners == owner
            segment, local = self.segments[owner], rows[here] - self.starts[owner]
            vectors[here] = segment.steps[local] * segment.scales[local, None]
        return vectors


def vectors_of(turns: UserTurns, embedder: Embedder, caches: Caches, progress: Progress | None = None) -> Vectors:
    """The vectors of the turns' texts, those that are not kept yet embedded and kept first.

    What was embedded is kept, whatever ends the work: it may have been paid for.

    Raises:
        UserError: the cache cannot be written.
        InfrastructureError: the embedder gave no usable answer.
        NotRun: the embedder's budget is used up.
    """
    import numpy as np

    kind = f"vectors{_LAYOUT}-{text_digest(embedder.identity)[:16]}"
    segments, keys = _kept(kind, caches), turns.key
    places = _places(keys, segments)
    missing = places < 0
    if missing.any():
        missing[missing] = _firsts(keys[missing])
        segments += _embed(turns.only(missing), keys[missing], embedder, kind, caches, progress)
        places = _places(keys, segments)
    starts = np.cumsum([0, *(len(segment.keys) for segment in segments)])[:-1]
    dimensions = segments[0].steps.shape[1] if segments else 1
    return Vectors(tuple(segments), starts, places, dimensions)


def _places(keys: NDArray[np.uint64], segments: Sequence[_Segment]) -> NDArray[np.int32]:
    """Where the keys stand in the segments one after the other; -1 for those that do not."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    known = np.concatenate([np.zeros(0, np.uint64), *(segment.keys for segment in segments)])
    found = pc.index_in(pa.array(keys), pa.array(known)).fill_null(-1)
    places: NDArray[np.int32] = found.to_numpy()
    return places


def _kept(kind: str, caches: Caches) -> list[_Segment]:
    found = [caches.find(entry.kind, entry.key) for entry in caches.entries() if entry.kind == kind]
    return [_opened(path) for path in found if path is not None]


def _embed(
    missing: UserTurns,
    keys: NDArray[np.uint64],
    embedder: Embedder,
    kind: str,
    caches: Caches,
    progress: Progress | None,
) -> list[_Segment]:
    import numpy as np

    segments: list[_Segment] = []
    waiting: list[tuple[NDArray[np.uint64], NDArray[np.float32]]] = []
    done = 0

    def keep() -> None:
        if waiting:
            own, vectors = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
            segments.append(_written(own, vectors, kind, caches))
            waiting.clear()

    try:
        for places, texts in missing.texts(missing.position):
            for start in range(0, len(texts), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                waiting.append((keys[places[part]], embedder.embed(texts[part])))
                done += len(texts[part])
                if progress is not None:
                    progress(done, len(missing))
                if len(waiting) * _AT_ONCE >= _A_FILE:
                    keep()
    finally:
        keep()
    return segments


def _written(keys: NDArray[np.uint64], vectors: NDArray[np.float32], kind: str, caches: Caches) -> _Segment:
    import numpy as np

    largest = np.abs(vectors).max(axis=1, initial=0)
    scales = (largest / _LEVELS).astype(np.float32)
    steps = np.rint(vectors / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    header = np.array(vectors.shape, np.int64)
    parts = [np.ascontiguousarray(part).tobytes() for part in (header, keys, scales, steps)]
    return _opened(
        caches.write(kind, digest(keys.tobytes().hex())[:32], lambda path: path.write_bytes(b"".join(parts)))
    )


def _opened(path: Path) -> _Segment:
    import numpy as np

    count, dimensions = (int(number) for number in np.fromfile(path, np.int64, _HEADER))
    whole = np.memmap(path, np.uint8, mode="r")
    at = _HEADER * 8
    keys = whole[at : at + 8 * count].view(np.uint64)
    at += 8 * count
    scales = whole[at : at + 4 * count].view(np.float32)
    at += 4 * count
    steps = whole[at : at + math.prod((count, dimensions))].view(np.int8).reshape(count, dimensions)
    return _Segment(np.asarray(keys), np.asarray(scales), np.asarray(steps))


def _firsts(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of the keys stand for the first time."""
    import numpy as np
    import pyarrow as pa

    # Keys are numbered as they are met, so that a new one has a higher number than all before.
    numbers = pa.array(keys).dictionary_encode().indices.to_numpy()
    first = np.ones(len(keys), np.bool_)
    first[1:] = numbers[1:] > np.maximum.accumulate(numbers)[:-1]
    return first
