"""Paired differences of scores, cost, tokens and latency, with bootstrap intervals over cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_llmreplay.compare.rows import CaseRows, Row, measured, number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer]

Statistic = Literal["mean", "median", "p95"]

RESAMPLES = 1000
FEWEST_RESAMPLES = 500
FEWEST_CASES = 5
FIGURES: dict[str, tuple[Statistic, ...]] = {
    "score": ("mean",),
    "cost_usd": ("mean", "median", "p95"),
    "latency_s": ("mean", "median", "p95"),
    "tokens": ("mean", "median", "p95"),
    "input_tokens": ("mean",),
    "output_tokens": ("mean",),
}
_PERCENT = {"median": 50, "p95": 95}


@dataclass(frozen=True, slots=True)
class Delta:
    """One figure of both variants and how it changed, over the cases where both have it.

    The mean is taken over cases (each the mean of its trials), median and 95th percentile over all their trials.
    `interval` is the 95 % percentile interval of the bootstrap over cases (1,000 resamples; for more than 4,000 trials
    fewer, but at least 500); None below five cases. Cost is in US
    dollars, latency in seconds, tokens are counts.
    """

    figure: str
    statistic: Statistic
    cases: int
    baseline: float
    candidate: float
    difference: float
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the candidate alone, over all its measured trials; `known` of `trials` trials have it."""

    figure: str
    known: int
    trials: int
    mean: float
    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class _Side:
    """One variant's values: the mean of each case, and all trials in ascending order with the case of each."""

    means: Floats
    ordered: Floats
    owner: Integers


def deltas(cases: Sequence[CaseRows], *, seed: int = 0) -> tuple[Delta, ...]:
    """The differences of every figure that at least one case has for both variants; measured trials only.

    Raises:
        UserError: a figure is not a number.
    """
    found: list[Delta] = []
    drawn: dict[tuple[int, int], list[Integers]] = {}
    for figure, statistics in FIGURES.items():
        values = list(_values(cases, figure))
        size = len(values), sum(len(side) for value in values for side in value)
        if values:
            draws = drawn.setdefault(size, drawn.get(size) or _resamples(*size, seed))
            found.extend(_deltas_of(figure, statistics, values, draws))
    return tuple(found)


def figures(cases: Sequence[CaseRows]) -> tuple[Figure, ...]:
    """The candidate's figures, whether the baseline has them or not; what no trial has is left out.

    Raises:
        UserError: a figure is not a number.
    """
    import numpy as np

    rows = [row for case in cases for row in measured(case.candidate)]
    found = []
    for figure in FIGURES:
        values = [value for row in rows if (value := figure_of(row, figure)) is not None]
        if values:
            side = _side([[value] for value in values])
            once = np.ones((1, len(values)), dtype=np.int32)
            mean, median, p95 = (float(value) for value in _statistics(side, once, ("mean", "median", "p95"))[:, 0])
            found.append(Figure(figure, len(values), len(rows), mean, median, p95))
    return tuple(found)


def figure_of(row: Row, figure: str) -> float | None:
    """A figure of one trial; `tokens` is the sum of input and output tokens where it is not given."""
    value = number(row, figure)
    if value is None and figure == "tokens":
        parts = [number(row, "input_tokens"), number(row, "output_tokens")]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None
    return value


def _values(cases: Sequence[CaseRows], figure: str) -> Iterator[tuple[list[float], list[float]]]:
    for case in cases:
        sides = [
            [value for row in measured(rows) if (value := figure_of(row, figure)) is not None]
            for rows in (case.baseline, case.candidate)
        ]
        if all(sides):
            yield sides[0], sides[1]


def _deltas_of(
    figure: str,
    statistics: Sequence[Statistic],
    values: list[tuple[list[float], list[float]]],
    draws: Sequence[Integers],
) -> Iterator[Delta]:
    import numpy as np

    sides = [_side([value[index] for value in values]) for index in (0, 1)]
    once = np.ones((1, len(values)), dtype=np.int32)
    baseline, candidate = (_statistics(side, once, statistics)[:, 0] for side in sides)
    intervals: list[tuple[float, float] | None] = [None] * len(statistics)
    if draws:
        changes = [_statistics(sides[1], d, statistics) - _statistics(sides[0], d, statistics) for d in draws]
        low, high = np.quantile(np.concatenate(changes, axis=1), [0.025, 0.975], axis=1)
        intervals = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    for index, statistic in enumerate(statistics):
        before, after = float(baseline[index]), float(candidate[index])
        yield Delta(figure, statistic, len(values), before, after, after - before, intervals[index])


def _side(values: Sequence[list[float]]) -> _Side:
    import numpy as np

    trials = np.asarray([value for case in values for value in case])
    owner = np.repeat(np.arange(len(values)), [len(case) for case in values])
    order = np.argsort(trials, kind="stable")
    return _Side(np.asarray([sum(case) / len(case) for case in values]), trials[order], owner[order])


def _resamples(cases: int, trials: int, seed: int) -> list[Integers]:
    """How often each case is drawn, a row a resample, in blocks that bound the memory."""
    import numpy as np

    if cases < FEWEST_CASES:
        return []
    generator = np.random.default_rng(seed)
    wanted = min(RESAMPLES, max(FEWEST_RESAMPLES, RESAMPLES * 4_000 // trials))
    rows = max(1, 2_000_000 // trials)
    blocks: list[Integers] = []
    for start in range(0, wanted, rows):
        size = min(rows, wanted - start)
        drawn = generator.integers(0, cases, size=(size, cases)) + cases * np.arange(size)[:, None]
        blocks.append(np.bincount(drawn.ravel(), minlength=size * cases).reshape(size, cases).astype(np.int32))
    return blocks


def _statistics(side: _Side, times: Integers, statistics: Sequence[Statistic]) -> Floats:
    """A row a statistic, a column a resample; quantiles average the two middle values, as the usual median does."""
    import numpy as np

    found = np.empty((len(statistics), len(times)))
    reached = np.cumsum(times[:, side.owner], axis=1, dtype=np.int32) if len(statistics) > 1 else None
    for index, statistic in enumerate(statistics):
        if statistic == "mean" or reached is None:
            found[index] = times @ side.means / times.shape[1]
            continue
        # Of n values the quantile is where the count reaches q·n: the mean of two values when it is met exactly.
        wanted = _PERCENT[statistic] * reached[:, -1:].astype(np.int64)
        lower = np.argmax(reached >= -(-wanted // 100), axis=1)
        upper = np.argmax(reached > wanted // 100, axis=1)
        found[index] = (side.ordered[lower] + side.ordered[upper]) / 2
    return found
