"""What is different from a day on: failure rates, values that were first met, and how often a tool is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.triage.counting import Calendar, Grid, calendar_of, everything, grid_of
from pytest_llmreplay.mine.triage.facts import Dimension, Facts
from pytest_llmreplay.mine.triage.nouns import Change, ChangeKind, Share
from pytest_llmreplay.mine.triage.tables import adjusted, difference, dispersion, p_either, surplus, thinned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.01
"""A change counts from this adjusted p-value on: a part of the 5 % that triage as a whole may err."""

_FEWEST = 20
_TOOL = "tool"


def find_changes(facts: Facts) -> tuple[Change, ...]:
    """The changes that chance does not explain, the clearest first.

    Every value of every dimension (and all conversations) has the day that splits its conversations best by Fisher's
    exact test (twice its one-sided p-value), corrected for the days that were tried (Bonferroni), and so has the share
    of conversations that call a tool; where days vary more than chance explains, the counts are thinned by as much. A
    value that comes up later than the log begins has its first day. All of them are one family for Benjamini and
    Hochberg.
    """
    calendar = calendar_of(facts)
    found = [*_rates(facts, calendar), *_deploys(facts, calendar), *_shares(facts, calendar)]
    corrected = adjusted([one.p for one in found])
    changes = [replace(one, p_adjusted=p) for one, p in zip(found, corrected, strict=True) if p <= LEVEL]
    return tuple(sorted(changes, key=lambda one: (one.p_adjusted, -abs(one.difference), one.dimension, one.name)))


def _rates(facts: Facts, calendar: Calendar) -> Iterator[Change]:
    for dimension in (everything(facts), *facts.dimensions):
        counts = grid_of(facts, calendar, dimension)
        for value in range(len(dimension.values)):
            split = _split(counts.total[value, 1:], counts.failed[value, 1:])
            if split is not None:
                yield _change("rate", dimension, value, calendar, split)


def _shares(facts: Facts, calendar: Calendar) -> Iterator[Change]:
    tools = facts.dimension(_TOOL)
    if tools is None:
        return
    whole = grid_of(facts, calendar, everything(facts)).total[0, 1:]
    calls = grid_of(facts, calendar, tools).total[:, 1:]
    for value in range(len(tools.values)):
        split = _split(whole, calls[value])
        if split is not None:
            yield _change("share", tools, value, calendar, split)


def _deploys(facts: Facts, calendar: Calendar) -> Iterator[Change]:
    whole = grid_of(facts, calendar, everything(facts))
    for dimension in facts.dimensions:
        counts = grid_of(facts, calendar, dimension)
        for value in range(len(dimension.values)):
            first = first_day(counts, value)
            if first is not None:
                before = Share.of(int(whole.failed[0, 1:first].sum()), int(whole.total[0, 1:first].sum()))
                after = counts.row(value)
                yield _change("deploy", dimension, value, calendar, (first, before, after, p_either(after, before)))


def first_day(counts: Grid, value: int) -> int | None:
    """The place of the day on which a value was first met, when by its frequency it could have been met before.

    It could when at least five of its conversations were to be expected on the days before.
    """
    import numpy as np

    days = np.flatnonzero(counts.total[value, 1:]) + 1
    if not len(days) or days[0] == 1:
        return None
    first, last = int(days[0]), int(days[-1])
    expected = counts.total[value, 1:].sum() / (last - first + 1) * (first - 1)
    return first if expected >= 5 and counts.total[value].sum() >= _FEWEST else None


_Split = tuple[int, Share, Share, float]


def _split(total: NDArray[np.int64], count: NDArray[np.int64]) -> _Split | None:
    """The place of the day that splits a row of days best, with the shares before and after and the p-value."""
    import numpy as np

    before, before_count = total.cumsum(), count.cumsum()
    if not len(total) or before[-1] < _FEWEST:
        return None
    enough = (before >= 5) & (before[-1] - before >= 5)
    if not enough.any():
        return None
    scores = np.abs(surplus(before_count, before, before_count[-1], before[-1]))
    at = int(np.where(enough, scores, -1.0).argmax())
    shares = (
        Share.of(int(before_count[at]), int(before[at])),
        Share.of(int(before_count[-1] - before_count[at]), int(before[-1] - before[at])),
    )
    varied = dispersion(count, total, at + 1)
    p = p_either(*(thinned(share, varied) for share in shares)) * int(np.count_nonzero(enough))
    return at + 2, *shares, min(1.0, p)


def _change(kind: ChangeKind, dimension: Dimension, value: int, calendar: Calendar, split: _Split) -> Change:
    place, before, after, p = split
    gap, (low, high) = difference(before, after)
    named = dimension.values[value] if dimension.name else None
    day, name = calendar.iso(place), dimension.names[value]
    return Change(kind, dimension.name, named, name, day, before, after, gap, low, high, p, p)
