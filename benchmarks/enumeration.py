"""Coverage, false alarms and non-inferiority errors with one trial a case: every table that has a chance is counted."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pytest_llmreplay.compare.intervals import tango
from pytest_llmreplay.compare.significance import ALPHA, mcnemar_mid_p

MARGINS = (0.02, 0.05, 0.1)
NEGLIGIBLE = 1e-11


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure, where it was found, and the range in which it has to be."""

    figure: str
    where: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.low <= self.value <= self.high


def tables(cases: int, gain: float, loss: float) -> Iterator[tuple[int, int, float]]:
    """Every (gains, losses) that has a chance worth counting, with its chance."""
    either = gain + loss
    counts = np.arange(cases + 1)
    for discordant, chance in zip(counts, stats.binom.pmf(counts, cases, either), strict=True):
        if chance < NEGLIGIBLE:
            continue
        gains = np.arange(discordant + 1)
        for won, share in zip(gains, stats.binom.pmf(gains, discordant, gain / either if either else 0.0), strict=True):
            if chance * share >= NEGLIGIBLE:
                yield int(won), int(discordant - won), float(chance * share)


@functools.cache
def interval_of(gains: int, losses: int, cases: int) -> tuple[float, float]:
    return tango(gains, losses, cases)


@functools.cache
def p_value_of(gains: int, losses: int) -> float:
    return mcnemar_mid_p(gains, losses)


def coverage(cases: int, gain: float, loss: float) -> float:
    truth = gain - loss
    found = [(interval_of(b, c, cases), chance) for b, c, chance in tables(cases, gain, loss)]
    return math.fsum(chance for (low, high), chance in found if low <= truth <= high)


def size_of_test(cases: int, discordant: float) -> float:
    half = discordant / 2
    return math.fsum(chance for b, c, chance in tables(cases, half, half) if p_value_of(b, c) <= ALPHA)


def non_inferiority_error(cases: int, gain: float, loss: float) -> float:
    """The chance to call a loss of exactly the margin tolerable."""
    margin = loss - gain
    return math.fsum(
        chance for b, c, chance in tables(cases, gain, loss) if interval_of(b, c, cases)[0] > -margin + 1e-12
    )


def cells(pass_rate: float, difference: float, correlation: float) -> tuple[float, float] | None:
    """The chances of a gain and of a loss, given both marginal rates and their correlation; None where impossible."""
    other = pass_rate + difference
    if not 0 <= other <= 1:
        return None
    both = pass_rate * other + correlation * math.sqrt(pass_rate * (1 - pass_rate) * other * (1 - other))
    gain, loss = other - both, pass_rate - both
    return (gain, loss) if min(gain, loss) >= -1e-12 and both <= min(pass_rate, other) + 1e-12 else None


def enumerated(sizes: tuple[int, ...], pass_rates: tuple[float, ...]) -> Iterator[Finding]:
    for cases, rate, correlation in itertools.product(sizes, pass_rates, (0.0, 0.3, 0.6, 0.9)):
        where = f"n={cases} pass={rate} corr={correlation}"
        for difference in (0.0, 0.05, -0.05, -0.1):
            found = cells(rate, difference, correlation)
            if found is not None:
                gain, loss = (max(chance, 0.0) for chance in found)
                high = 0.97 if cases * (gain + loss) >= 10 else 1.0
                value = coverage(cases, gain, loss)
                yield Finding("coverage, one trial", f"{where} d={difference:+g}", value, 0.93, high)
        null = cells(rate, 0.0, correlation)
        if null is not None:
            yield Finding("size of mid-p McNemar", where, size_of_test(cases, sum(null)), 0.0, 0.05)
        for margin in MARGINS:
            found = cells(rate, -margin, correlation)
            if found is not None:
                gain, loss = (max(chance, 0.0) for chance in found)
                value = non_inferiority_error(cases, gain, loss)
                yield Finding("non-inferiority error, one trial", f"{where} margin={margin}", value, 0.0, 0.035)
    for cases, loss in itertools.product(sizes, (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)):
        yield Finding("coverage, rare breaks", f"n={cases} loss={loss}", coverage(cases, 0.0, loss), 0.93, 1.0)
