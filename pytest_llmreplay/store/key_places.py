"""Where the recording of each key is, in little memory."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain


class KeyPlaces:
    """A place, a number below 2**64, for each of many keys: 16 bytes for each that was there from the start.

    Of a key only a digest is held, enough to tell a million apart: who looks one up compares the whole key with the one
    at its place.

    Args:
        found: keys and their places; of two of one key the later one counts.
    """

    def __init__(self, found: Iterable[tuple[str, int]]) -> None:
        places = {_digest(key): place for key, place in found}
        self._digests = array("Q", sorted(places))
        self._places = array("Q", map(places.__getitem__, self._digests))
        self._added: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._digests) + len(self._added)

    def get(self, key: str) -> int | None:
        """The place of a key; None when there is none."""
        digest = _digest(key)
        at = self._at(digest)
        return self._added.get(digest) if at is None else self._places[at]

    def __setitem__(self, key: str, place: int) -> None:
        digest = _digest(key)
        at = self._at(digest)
        if at is None:
            self._added[digest] = place
        else:
            self._places[at] = place

    def __iter__(self) -> Iterator[int]:
        """Every place, in no order that means anything."""
        return chain(self._places, self._added.values())

    def _at(self, digest: int) -> int | None:
        at = bisect_left(self._digests, digest)
        return at if at < len(self._digests) and self._digests[at] == digest else None


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
