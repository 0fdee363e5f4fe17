"""Counts by value and day, from which all else follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.triage.facts import Dimension, Facts, iso_day
from pytest_llmreplay.mine.triage.nouns import DayCount, Share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days that a log has conversations of, ascending; `place` is each conversation's day among them, from 1.

    Place 0 is for conversations whose day is not known.
    """

    days: NDArray[np.int32]
    place: NDArray[np.int32]

    def iso(self, place: int) -> str:
        """The day at a place from 1."""
        return iso_day(int(self.days[place - 1]))


@dataclass(frozen=True, slots=True)
class Grid:
    """Conversations, and how many of them failed, by value (rows) and the day's place in the calendar (columns)."""

    total: NDArray[np.int64]
    failed: NDArray[np.int64]

    def since(self) -> Grid:
        """The same, each column summed with those after it: column 0 is always, the others are from that day on."""
        return Grid(self.total[:, ::-1].cumsum(axis=1)[:, ::-1], self.failed[:, ::-1].cumsum(axis=1)[:, ::-1])

    def row(self, value: int) -> Share:
        """How many conversations with one value failed."""
        return Share.of(int(self.failed[value].sum()), int(self.total[value].sum()))


def calendar_of(facts: Facts) -> Calendar:
    """The days of a log."""
    import numpy as np

    days = np.unique(facts.day[facts.day >= 0])
    return Calendar(days, np.searchsorted(days, facts.day, side="right").astype(np.int32))


def everything(facts: Facts) -> Dimension:
    """The dimension in which all conversations have the same value."""
    import numpy as np

    return Dimension(
        "", ("",), ("all conversations",), np.arange(len(facts), dtype=np.int32), np.zeros(len(facts), np.int16)
    )


def grid_of(facts: Facts, calendar: Calendar, dimension: Dimension, among: NDArray[np.bool_] | None = None) -> Grid:
    """Count a dimension's values by day; `among` says which conversations count, all without it."""
    import numpy as np

    shape = (len(dimension.values), len(calendar.days) + 1)
    total, failing = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for start in range(0, len(dimension.value), _AT_ONCE):
        conversation = dimension.conversation[start : start + _AT_ONCE]
        value = dimension.value[start : start + _AT_ONCE]
        if among is not None:
            chosen = among[conversation]
            conversation, value = conversation[chosen], value[chosen]
        cell = calendar.place[conversation] + value.astype(np.int64) * shape[1]
        total += np.bincount(cell, minlength=total.size).reshape(shape)
        failing += np.bincount(cell[facts.failed[conversation]], minlength=total.size).reshape(shape)
    return Grid(total, failing)


def trend_of(grid: Grid, value: int, calendar: Calendar) -> tuple[DayCount, ...]:
    """One value's days."""
    return tuple(
        DayCount(calendar.iso(place), int(grid.total[value, place]), int(grid.failed[value, place]))
        for place in range(1, len(calendar.days) + 1)
        if grid.total[value, place]
    )


def share_among(facts: Facts, chosen: NDArray[np.bool_]) -> Share:
    """How many of the chosen conversations failed."""
    import numpy as np

    return Share.of(int(np.count_nonzero(facts.failed & chosen)), int(np.count_nonzero(chosen)))
