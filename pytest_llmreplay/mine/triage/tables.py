"""Two by two tables: the tests, ratios and differences of triage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_llmreplay.compare.intervals import Interval, Z
from pytest_llmreplay.mine.triage.nouns import Share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CORRECTION = 0.5


def p_higher(inside: Share, outside: Share) -> float:
    """Fisher's exact one-sided p-value that the rate inside is higher."""
    from scipy.stats import hypergeom

    failed, total = inside.count + outside.count, inside.total + outside.total
    return float(hypergeom.sf(inside.count - 1, total, failed, inside.total))


def p_either(one: Share, other: Share) -> float:
    """Twice Fisher's exact p-value of the side that is likelier to differ: two-sided, and fast for many tables."""
    return min(1.0, 2 * min(p_higher(one, other), p_higher(other, one)))


def p_different(inside: Share, outside: Share) -> float:
    """Fisher's exact two-sided p-value."""
    from scipy.stats import fisher_exact

    return float(fisher_exact(_table(inside, outside)).pvalue)


def odds_ratio(inside: Share, outside: Share) -> tuple[float, float, float]:
    """The odds ratio and its 95 % interval.

    Half a conversation is added to each of the four counts (Haldane 1956, Anscombe 1956), and the interval is Woolf's
    (1955) on the corrected counts.
    """
    (a, b), (c, d) = ((x + _CORRECTION, y + _CORRECTION) for x, y in _table(inside, outside))
    middle, half = math.log(a * d / (b * c)), Z * math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return math.exp(middle), math.exp(middle - half), math.exp(middle + half)


def difference(before: Share, after: Share) -> tuple[float, Interval]:
    """After minus before, with the hybrid score interval of Newcombe (1998, method 10)."""
    gap = after.rate - before.rate
    low = gap - math.hypot(after.rate - after.low, before.high - before.rate)
    high = gap + math.hypot(after.high - after.rate, before.rate - before.low)
    return gap, (max(-1.0, low), min(1.0, high))


def adjusted(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, as Benjamini and Hochberg (1995) do."""
    from scipy.stats import false_discovery_control

    return [float(p) for p in false_discovery_control(p_values)] if p_values else []


def dispersion(count: NDArray[np.int64], total: NDArray[np.int64], split: int) -> float:
    """How much more the shares of days vary than chance explains, at least 1: Pearson's chi-square over its freedom.

    Days before the place `split` have one expected share and those from it on another, so that a change between the two
    does not count; counts divided by this are as sure as they are (Williams 1982).
    """
    import numpy as np

    squares, freedom = 0.0, 0
    for part in (slice(None, split), slice(split, None)):
        some = total[part] > 0
        n, k = total[part][some].astype(float), count[part][some].astype(float)
        rate = k.sum() / n.sum() if len(n) else 0.0
        if 0 < rate < 1:
            squares += float(np.sum((k - n * rate) ** 2 / (n * rate * (1 - rate))))
            freedom += len(n) - 1
    return max(1.0, squares / freedom) if freedom > 0 else 1.0


def thinned(share: Share, by: float) -> Share:
    """A share with the same rate on fewer conversations."""
    return share if by == 1 else Share.of(round(share.count / by), round(share.total / by))


def surplus(
    failed: NDArray[np.int64], total: NDArray[np.int64], all_failed: NDArray[np.int64], all_total: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How much more likely the counts are when a part has a rate of its own: signed log likelihood ratios.

    Positive where the part fails more often than the rest, and 0 where part or rest is empty. This is the scan
    statistic for Bernoulli counts (Kulldorff 1997).
    """
    import numpy as np

    rest_failed, rest_total = all_failed - failed, all_total - total
    gain = _likelihood(failed, total) + _likelihood(rest_failed, rest_total) - _likelihood(all_failed, all_total)
    sign = np.sign(failed * rest_total.astype(float) - rest_failed * total.astype(float))
    return np.where((total > 0) & (rest_total > 0), sign * np.maximum(gain, 0.0), 0.0)


def _likelihood(failed: NDArray[np.int64], total: NDArray[np.int64]) -> NDArray[np.float64]:
    from scipy.special import xlogy

    size = total.astype(float)
    result: NDArray[np.float64] = xlogy(failed, failed) + xlogy(size - failed, size - failed) - xlogy(size, size)
    return result


def _table(inside: Share, outside: Share) -> tuple[tuple[int, int], tuple[int, int]]:
    return (inside.count, inside.total - inside.count), (outside.count, outside.total - outside.count)
