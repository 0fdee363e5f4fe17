"""How much a number of cases can show: the smallest detectable difference, and the cases that a difference needs."""

from __future__ import annotations

import math

from pytest_llmreplay.compare.intervals import Z

Z_POWER = 0.8416212335729143
"""The normal quantile of 80 % power."""


def minimum_detectable(cases: float, churn: float = 0.0, height: float = 1.0) -> float:
    """The smallest difference of pass rates that the test would detect with 80 % power.

    Args:
        cases: the effective number of cases.
        churn: the mean squared difference of a case when nothing has changed (V1 against itself).
        height: 1 for cases that break wholly, 1/K for drift spread over K trials.

    Returns:
        A difference in (0, 1]; 1 also when not even a change of every case would be detected.
    """
    from scipy.optimize import brentq

    def shortfall(delta: float) -> float:
        return math.sqrt(cases) * delta - _quantiles(delta, churn, height)

    if cases <= 0 or shortfall(1.0) <= 0:
        return 1.0
    return float(brentq(shortfall, 1e-9, 1.0, xtol=1e-9)) if shortfall(1e-9) < 0 else 1e-9


def cases_to_detect(difference: float, churn: float = 0.0, height: float = 1.0) -> int:
    """How many cases detect a true difference of pass rates with 80 % power; see `minimum_detectable`.

    Raises:
        ValueError: the difference is zero or beyond ±1.
    """
    size = abs(difference)
    if not 0 < size <= 1:
        raise ValueError(f"a difference to detect is in (0, 1], not {difference}")
    return math.ceil((_quantiles(size, churn, height) / size) ** 2)


def cases_for_margin(margin: float, churn: float = 0.0) -> int:
    """How many cases show with 80 % power that nothing is lost beyond the margin, when nothing is lost at all.

    Args:
        margin: the loss of pass rate that is tolerated, in (0, 1).
        churn: the share of cases that change either way all the same.

    Raises:
        ValueError: the margin is not between 0 and 1.
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin is between 0 and 1, not {margin}")
    root = math.sqrt((churn + 2 * margin) ** 2 - 4 * churn * margin * (1 + margin))
    discordance = 2 * ((churn + 2 * margin + root) / 4) - margin * (1 + margin)
    return math.ceil((Z * math.sqrt(discordance) + Z_POWER * math.sqrt(churn)) ** 2 / margin**2)


def _quantiles(delta: float, churn: float, height: float) -> float:
    discordance = churn + height * delta
    return Z * math.sqrt(discordance) + Z_POWER * math.sqrt(max(discordance - delta * delta, 0.0))
