"""Cohen's kappa: agreement of two raters beyond what their habits alone would give, with a 95 % interval.

Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20, 37-46. The
standard error is the large-sample one of Fleiss, Cohen and Everitt (1969), Large sample standard errors of kappa and
weighted kappa, Psychological Bulletin 72, 323-327, written as the mean square of each rating's influence on kappa; that
form also gives the error when an item was rated several times and its ratings are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_llmreplay.compare.intervals import Z, wilson

Table = Sequence[Sequence[int]]
"""Counts: one row a class of the first rater, one column a class of the second, classes in the same order."""
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa, its standard error and its 95 % interval, which stays within [-1, 1]."""

    value: float
    error: float
    low: float
    high: float


def cohen_kappa(table: Table) -> Kappa | None:
    """Kappa of a square table of counts, each count an independent item.

    Where the raters agree on all items the large-sample error is 0, as if the items not seen were certain; there the
    interval comes from Wilson's interval of the share of agreement, the marginals being held.

    Returns:
        None where kappa is not defined: no items, or both raters always give one and the same class.
    """
    influences = _influences(table)
    if influences is None:
        return None
    count = sum(map(sum, table))
    squares = math.fsum(
        table[i][j] * influence**2 for i, row in enumerate(influences) for j, influence in enumerate(row)
    )
    return _with_interval(table, math.sqrt(squares) / count, count)


def cohen_kappa_by_item(items: Iterable[Iterable[Cell]]) -> Kappa | None:
    """Kappa of two classes with the items as the units: the ratings of one item may depend on each other.

    The estimate is that of `cohen_kappa` on all ratings; the error sums the influence of an item's ratings before it is
    squared (the sandwich estimator for clusters: Liang and Zeger 1986, Biometrika 73, 13-22).

    Args:
        items: for each item its ratings, each as the class (0 or 1) of the first and of the second rater.
    """
    table = [[0, 0], [0, 0]]
    rated = [list(cells) for cells in items]
    for cells in rated:
        for first, second in cells:
            table[first][second] += 1
    influences = _influences(table)
    if influences is None:
        return None
    sums = (math.fsum(influences[first][second] for first, second in cells) for cells in rated)
    error = math.sqrt(math.fsum(total**2 for total in sums)) / sum(map(sum, table))
    return _with_interval(table, error, sum(bool(cells) for cells in rated))


def agreement(table: Table) -> tuple[float, float]:
    """The share of agreement observed, and that which the marginals alone would give; the table is not empty."""
    count = sum(map(sum, table))
    first = [sum(row) / count for row in table]
    second = [sum(column) / count for column in zip(*table, strict=True)]
    observed = sum(table[i][i] for i in range(len(table))) / count
    return observed, math.fsum(a * b for a, b in zip(first, second, strict=True))


def _influences(table: Table) -> list[list[float]] | None:
    """How much a rating in each cell moves kappa (its influence function), or None where kappa is not defined."""
    count = sum(map(sum, table))
    first = [sum(row) for row in table]
    second = [sum(column) for column in zip(*table, strict=True)]
    if not count or any(a == b == count for a, b in zip(first, second, strict=True)):
        return None
    observed, chance = agreement(table)
    beyond = 1 - chance
    return [
        [
            ((i == j) - observed) / beyond - (1 - observed) * ((second[i] + first[j]) / count - 2 * chance) / beyond**2
            for j in range(len(table))
        ]
        for i in range(len(table))
    ]


def _with_interval(table: Table, error: float, units: int) -> Kappa:
    observed, chance = agreement(table)
    value = (observed - chance) / (1 - chance)
    if observed == 1:
        low, high = ((share - chance) / (1 - chance) for share in wilson(observed, units))
    else:
        low, high = value - Z * error, value + Z * error
    return Kappa(value, error, max(low, -1.0), min(high, 1.0))
