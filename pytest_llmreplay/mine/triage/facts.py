"""What triage counts: for every conversation whether it failed, its day and user, and its value in each dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN = -1
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Dimension:
    """One way to group conversations, such as by model, tool or intent.

    A conversation can have one value, several (tools) or none: `conversation` and `value` are pairs, one element each
    time a conversation (its place) has a value (its place in `values`), each pair once. `names` are what people read.
    The pairs are most of what a triage of millions of conversations keeps, so they are as small as they can be.
    """

    name: str
    values: tuple[str, ...]
    names: tuple[str, ...]
    conversation: NDArray[np.int32]
    value: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Facts:
    """The conversations of a log, one element each in its order.

    `row` is the number in the log's table, `day` counts from 1970-01-01 (-1: not known), `user` is a number that every
    user has alone, from 0 (-1: not known).
    """

    row: NDArray[np.int64]
    failed: NDArray[np.bool_]
    day: NDArray[np.int32]
    user: NDArray[np.int64]
    dimensions: tuple[Dimension, ...]

    def __len__(self) -> int:
        return len(self.row)

    def dimension(self, name: str) -> Dimension | None:
        """The dimension of this name."""
        return next((one for one in self.dimensions if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Of some failing conversations, how many show each signal of a wrong call, and how many any of them."""

    looked_at: int
    wrong: int
    by_signal: Mapping[str, int]


def iso_day(day: int) -> str:
    """A day that counts from 1970-01-01 in ISO 8601."""
    return (_EPOCH + timedelta(days=int(day))).isoformat()
