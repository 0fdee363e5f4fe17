"""Tests of "both variants pass equally often", and corrections for asking several times."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ALPHA = 0.05
RESAMPLES = 9999
_LARGEST_DENOMINATOR = 1_000
_LONGEST_TRANSFORM = 1_000_000


def mcnemar_mid_p(gains: int, losses: int) -> float:
    """The two-sided mid-p McNemar test for one trial a case; 1 when gains equal losses."""
    if gains == losses:
        return 1.0
    discordant, fewer = gains + losses, min(gains, losses)
    ways = 2 * sum(math.comb(discordant, k) for k in range(fewer + 1)) - math.comb(discordant, fewer)
    return ways / (1 << discordant)


def sign_flip(differences: Sequence[float], weights: Sequence[float] | None = None, *, seed: int = 0) -> float:
    """The two-sided mid-p sign-flip test of Σ wᵢdᵢ: were the two variants alike, every sign would be as likely.

    Exact for unweighted cases. With weights, and where rates have too many different denominators, exact for up to
    13 cases that differ and otherwise by Monte Carlo (9,999 draws, Phipson and Smyth's estimate).

    Args:
        differences: candidate minus baseline, one a case.
        weights: how much each case counts; None, or all equal, for all alike.
        seed: of the draws.

    Returns:
        The p-value; 1 when nothing differs or the differences cancel out.
    """
    if weights is not None and len(set(weights)) > 1:
        return _flips_by_draws([w * d for w, d in zip(weights, differences, strict=True) if d], seed)
    steps = [d for d in differences if d]
    fractions = {d: Fraction(d).limit_denominator(_LARGEST_DENOMINATOR) for d in set(steps)}
    unit = math.lcm(*(f.denominator for f in fractions.values()))
    if unit > _LARGEST_DENOMINATOR or unit * len(steps) > _LONGEST_TRANSFORM:
        return _flips_by_draws(steps, seed)
    return _flips_exactly([int(fractions[d] * unit) for d in steps])


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: each is to be compared with the level of the whole family."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def smallest_split(alpha: float = ALPHA) -> int:
    """How many cases, all changed in one direction, the test needs before it can reject at this level."""
    return math.ceil(math.log2(1 / alpha))


def _flips_exactly(steps: list[int]) -> float:
    """Mid-p of |Σ ± steps| by the product of cosines: the characteristic function of a sum of random signs."""
    import numpy as np

    observed = abs(sum(steps))
    if not observed:
        return 1.0
    divisor = math.gcd(*steps)
    sizes = Counter(abs(step) // divisor for step in steps)
    if set(sizes) == {1}:
        gains = sum(step > 0 for step in steps)
        return mcnemar_mid_p(gains, len(steps) - gains)
    observed //= divisor
    reach = sum(size * times for size, times in sizes.items())
    length = 1 << (2 * reach + 1).bit_length()
    angles = 2 * np.pi * np.arange(length // 2 + 1) / length
    transform = np.prod([np.cos(size * angles) ** times for size, times in sizes.items()], axis=0)
    chances = np.clip(np.fft.irfft(transform, n=length)[: reach + 1], 0.0, None)
    beyond = 2 * float(chances[observed + 1 :].sum()) + float(chances[observed])
    return min(1.0, max(beyond, 0.5 ** len(steps)))


def _flips_by_draws(steps: list[float], seed: int) -> float:
    import numpy as np

    observed = abs(math.fsum(steps))
    values = np.asarray(steps, dtype=float)
    tolerance = 1e-9 * float(np.abs(values).sum())
    if observed <= tolerance:
        return 1.0
    every_pattern = 2 ** len(steps) <= RESAMPLES
    beyond = 0.0
    for signs in _all_signs(len(steps)) if every_pattern else _random_signs(len(steps), seed):
        sums = np.abs(signs @ values)
        beyond += float(np.sum(sums > observed + tolerance)) + 0.5 * float(np.sum(np.abs(sums - observed) <= tolerance))
    return beyond / 2 ** len(steps) if every_pattern else (1 + beyond) / (RESAMPLES + 1)


def _all_signs(count: int) -> Iterator[NDArray[np.float64]]:
    import numpy as np

    patterns = np.arange(2**count)[:, None] >> np.arange(count) & 1
    yield (2 * patterns - 1).astype(np.float64)


def _random_signs(count: int, seed: int) -> Iterator[NDArray[np.float64]]:
    import numpy as np

    generator = np.random.default_rng(seed)
    rows = max(1, 2_000_000 // count)
    for start in range(0, RESAMPLES, rows):
        flips = generator.integers(0, 2, size=(min(rows, RESAMPLES - start), count), dtype=np.int8)
        yield (2 * flips - 1).astype(np.float64)
