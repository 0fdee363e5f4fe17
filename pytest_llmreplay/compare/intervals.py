"""Intervals for pass rates and for their paired difference, all two-sided 95 %.

The sources of every procedure, and what was measured of them, are in `docs/statistics.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Interval = tuple[float, float]

Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of weighted per-case differences.

    `effective` is the number of equally weighted cases that weigh as much (Kish: W²/Σw²), `mean` the weighted mean of
    d, `absolute` and `square` are m·Σw|d|/W and m·Σw²d²/Σw².
    """

    effective: float
    mean: float
    absolute: float
    square: float


def moments_of(differences: Sequence[float], weights: Sequence[float] | None = None) -> Moments:
    """The moments of per-case differences; without weights every case counts once."""
    if weights is None:
        count = len(differences)
        return Moments(
            float(count),
            math.fsum(differences) / count if count else 0.0,
            math.fsum(map(abs, differences)),
            math.fsum(d * d for d in differences),
        )
    total = math.fsum(weights)
    squares = math.fsum(w * w for w in weights)
    if not squares:
        return Moments(0.0, 0.0, 0.0, 0.0)
    effective = total * total / squares
    pairs = list(zip(weights, differences, strict=True))
    return Moments(
        effective,
        math.fsum(w * d for w, d in pairs) / total,
        effective * math.fsum(w * abs(d) for w, d in pairs) / total,
        effective * math.fsum(w * w * d * d for w, d in pairs) / squares,
    )


def tango(gains: float, losses: float, cases: float, *, unbiased: bool = True) -> Interval:
    """Tango's score interval for a paired difference of proportions (gains minus losses, over cases).

    With `unbiased` the variance carries the factor N/(N−1); without, it is Tango's interval of 1998 as published. With
    a single case (or fewer effective ones) nothing is known: (−1, 1).
    """
    if cases <= 1:
        return -1.0, 1.0
    factor = cases / (cases - 1) if unbiased else 1.0
    estimate = (gains - losses) / cases

    def score(delta: float, sign: float) -> float:
        linear = -gains - losses + (2 * cases - gains + losses) * delta
        constant = -losses * delta * (1 - delta)
        root = math.sqrt(max(linear * linear - 8 * cases * constant, 0.0))
        discordance = (root - linear) / (4 * cases)
        variance = factor * cases * max(2 * discordance + delta * (1 - delta), 0.0)
        return gains - losses - cases * delta - sign * Z * math.sqrt(variance)

    lower = _limit(lambda delta: score(delta, 1.0), -1.0, estimate)
    upper = _limit(lambda delta: score(delta, -1.0), 1.0, estimate)
    return lower, upper


def paired_interval(differences: Sequence[float], weights: Sequence[float] | None = None) -> Interval:
    """The interval of the mean of per-case differences of pass rates: Tango's score interval on matched moments.

    With one trial a case and no weights this is Tango's interval with N−1 itself. Otherwise the differences are
    described by the gains, losses and step height h of a one-trial comparison with the same moments. That construction
    is this project's own, validated by simulation only.

    Args:
        differences: candidate minus baseline, one a case, each in [−1, 1].
        weights: how much each case counts; None for all alike.
    """
    moments = moments_of(differences, weights)
    if moments.effective <= 1:
        return -1.0, 1.0
    height = step_height(moments, weighted=weights is not None)
    net = moments.effective * moments.mean
    low, high = tango(
        max((moments.absolute + net) / (2 * height), 0.0),
        max((moments.absolute - net) / (2 * height), 0.0),
        moments.effective,
    )
    return max(-1.0, height * low), min(1.0, height * high)


def step_height(moments: Moments, *, weighted: bool) -> float:
    """How far one discordant case moves, in units of whole cases: 1 for one trial, less for several."""
    height = max((moments.square + 0.25) / (moments.absolute + 0.25), moments.absolute / moments.effective)
    return height if weighted else min(height, 1.0)


def rate_interval(rates: Sequence[float], weights: Sequence[float] | None = None, *, trials: float = 1.0) -> Interval:
    """The interval of a mean pass rate: Wilson's score interval on the effective number of cases.

    With one trial a case and no weights it is Wilson's interval itself. Several trials of one case are one cluster:
    the number of cases is divided by the design effect that the spread of the cases' rates shows, which is smoothed
    and never makes a case count more than its trials could. Own construction, validated by simulation only.

    Args:
        rates: the share of passed trials, one a case, each in [0, 1].
        weights: how much each case counts; None for all alike.
        trials: how many trials a case has on average, at least 1.
    """
    shares = [1.0] * len(rates) if weights is None else list(weights)
    total, squares = math.fsum(shares), math.fsum(w * w for w in shares)
    if not squares:
        return 0.0, 1.0
    effective = total * total / squares
    mean = min(max(math.fsum(w * r for w, r in zip(shares, rates, strict=True)) / total, 0.0), 1.0)
    spread = math.fsum(w * w * (r - mean) ** 2 for w, r in zip(shares, rates, strict=True)) / squares
    smoothing = 0.25 / effective
    design_effect = (spread + smoothing) / (mean * (1 - mean) + smoothing)
    return wilson(mean, effective / max(design_effect, 1 / trials))


def wilson(rate: float, trials: float) -> Interval:
    """Wilson's score interval for a proportion `rate` of `trials` independent trials."""
    if trials <= 0:
        return 0.0, 1.0
    share = Z * Z / trials
    centre = (rate + share / 2) / (1 + share)
    half = Z * math.sqrt(rate * (1 - rate) / trials + share / (4 * trials)) / (1 + share)
    return (0.0 if rate == 0 else max(0.0, centre - half)), (1.0 if rate == 1 else min(1.0, centre + half))


def _limit(score: Callable[[float], float], far: float, estimate: float) -> float:
    """The root of the score between `far` and the estimate; at the estimate itself the score may vanish too."""
    from scipy.optimize import brentq

    near = estimate + math.copysign(1e-9, far - estimate)
    if abs(far - estimate) <= 1e-9 or score(far) * score(near) >= 0:
        return far
    return float(brentq(score, far, near, xtol=1e-12))
