"""What a set of pairs says of the difference between two variants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmreplay.compare.intervals import Interval, moments_of, paired_interval, rate_interval
from pytest_llmreplay.compare.pairs import CasePair, Tally
from pytest_llmreplay.compare.passk import pass_at_k, pass_hat_k
from pytest_llmreplay.compare.power import cases_for_margin, cases_to_detect, minimum_detectable
from pytest_llmreplay.compare.significance import ALPHA, sign_flip

Verdict = Literal["better", "worse", "inconclusive"]

LARGEST_K = 8


@dataclass(frozen=True, slots=True)
class Rate:
    """A mean pass rate over cases, from 0 to 1, with its 95 % interval."""

    rate: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """The paired difference of pass rates over the cases that both variants measured.

    `difference` is candidate minus baseline, with its 95 % interval; `p_value` tests that there is none.
    `effective_cases` is below `cases` when weights are unequal. `minimum_detectable` is the smallest difference that
    these cases would have shown with 80 % power, given `churn`: the mean squared difference of a case while nothing
    changes. Without any case the difference is 0, the interval (−1, 1) and the p-value 1.
    """

    cases: int
    effective_cases: float
    baseline: Rate
    candidate: Rate
    difference: float
    interval: Interval
    p_value: float
    churn: float
    minimum_detectable: float

    @property
    def verdict(self) -> Verdict:
        """Whether the candidate is better or worse at the 5 % level; not being shown is not being equal."""
        return verdict_of(self.difference, self.p_value)

    def cases_needed(self, difference: float) -> int:
        """How many cases like these would show this difference with 80 % power."""
        return cases_to_detect(difference, self.churn)

    def cases_needed_for_margin(self, margin: float) -> int:
        """How many cases like these would show with 80 % power that nothing beyond the margin is lost."""
        return cases_for_margin(margin, min(self.churn, 1.0))


@dataclass(frozen=True, slots=True)
class Attempts:
    """pass@k (`at_least_one`) or pass^k (`all`) of both variants, over the cases with at least k measured trials."""

    k: int
    of: Literal["at_least_one", "all"]
    cases: int
    baseline: float
    candidate: float
    difference: float
    interval: Interval


def verdict_of(difference: float, p_value: float) -> Verdict:
    """`better` or `worse` when the p-value is at most 0.05, else `inconclusive`."""
    if p_value > ALPHA or difference == 0:
        return "inconclusive"
    return "better" if difference > 0 else "worse"


def estimate(pairs: Iterable[CasePair], *, weighted: bool = False, seed: int = 0) -> Estimate:
    """The estimate over the pairs that were measured on both sides.

    Args:
        pairs: cases; those without a difference are left out.
        weighted: whether a case counts by its weight; unequal weights make the test a Monte Carlo one.
        seed: of that test.
    """
    measured = [pair for pair in pairs if pair.difference is not None]
    differences = [pair.difference or 0.0 for pair in measured]
    weights = [pair.weight for pair in measured] if weighted and len({p.weight for p in measured}) > 1 else None
    moments = moments_of(differences, weights)
    churn = churn_of(measured, weights)
    return Estimate(
        cases=len(measured),
        effective_cases=moments.effective,
        baseline=_rate([pair.baseline for pair in measured], weights),
        candidate=_rate([pair.candidate for pair in measured], weights),
        difference=moments.mean,
        interval=paired_interval(differences, weights),
        p_value=sign_flip(differences, weights, seed=seed),
        churn=churn,
        minimum_detectable=minimum_detectable(moments.effective, churn),
    )


def churn_of(pairs: Sequence[CasePair], weights: Sequence[float] | None = None) -> float:
    """The mean squared difference of a case if nothing had changed between the variants.

    Several trials of the baseline show it: it is the variance of its rate, once for each side. What the pairs
    themselves show beyond their net change is taken when it is more; with one trial a case it is all there is.
    """
    squared_weights = [1.0] * len(pairs) if weights is None else [w * w for w in weights]
    if not pairs:
        return 0.0
    total = math.fsum(squared_weights)
    shares = weights or [1.0] * len(pairs)
    net = math.fsum(w * (p.difference or 0.0) for w, p in zip(shares, pairs, strict=True)) / math.fsum(shares)
    square = math.fsum(w * (p.difference or 0.0) ** 2 for w, p in zip(squared_weights, pairs, strict=True)) / total
    repeated = [(w, p) for w, p in zip(squared_weights, pairs, strict=True) if p.baseline.measured > 1]
    own = math.fsum(w * _own_variance(p) for w, p in repeated) / (math.fsum(w for w, _ in repeated) or 1.0)
    return max(square - abs(net), own, 0.0)


def attempts(pairs: Iterable[CasePair], of: Literal["at_least_one", "all"]) -> tuple[Attempts, ...]:
    """pass@k or pass^k for every k up to 8 for which some case has the trials, differenced case by case."""
    chance: Callable[[int, int, int], float] = pass_at_k if of == "at_least_one" else pass_hat_k
    measured = [pair for pair in pairs if pair.difference is not None]
    most = max((min(p.baseline.measured, p.candidate.measured) for p in measured), default=0)
    found = []
    for k in range(1, min(most, LARGEST_K) + 1):
        enough = [p for p in measured if min(p.baseline.measured, p.candidate.measured) >= k]
        before = [chance(p.baseline.measured, p.baseline.passed, k) for p in enough]
        after = [chance(p.candidate.measured, p.candidate.passed, k) for p in enough]
        differences = [b - a for a, b in zip(before, after, strict=True)]
        means = [math.fsum(values) / len(enough) for values in (before, after, differences)]
        found.append(Attempts(k, of, len(enough), means[0], means[1], means[2], paired_interval(differences)))
    return tuple(found)


def _rate(tallies: Sequence[Tally], weights: Sequence[float] | None) -> Rate:
    if not tallies:
        return Rate(0.0, (0.0, 1.0))
    rates = [tally.rate or 0.0 for tally in tallies]
    trials = sum(tally.measured for tally in tallies) / len(tallies)
    return Rate(moments_of(rates, weights).mean, rate_interval(rates, weights, trials=trials))


def _own_variance(pair: CasePair) -> float:
    rate, trials = pair.baseline.rate or 0.0, pair.baseline.measured
    return trials / (trials - 1) * rate * (1 - rate) * (1 / trials + 1 / pair.candidate.measured)
