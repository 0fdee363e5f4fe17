"""The geometry of the report's plots: where a figure of a comparison lies on a line. Nothing is computed but places."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_llmreplay.compare import Comparison
from pytest_llmreplay.compare.wording import percent
from pytest_llmreplay.report.figures import FIGURE_NAMES, RateRow, amount, amounts, rate_rows, signed_amount

WIDTH = 240
_MARGIN = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A point with its interval on a line of `WIDTH` units; `zero` is where no difference lies."""

    point: float
    low: float
    high: float
    zero: float | None = None


@dataclass(frozen=True, slots=True)
class RatePlot:
    """The pass rate of one variant."""

    name: str
    role: str
    rate: str
    interval: str
    span: Span


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of the forest plot: the figures, and where they lie."""

    row: RateRow
    span: Span


@dataclass(frozen=True, slots=True)
class ChangePlot:
    """One figure of both variants, such as the mean cost; `baseline` and `candidate` are places on the line."""

    name: str
    cells: tuple[str, ...]
    baseline: float
    candidate: float


def rate_plots(comparison: Comparison) -> Iterator[RatePlot]:
    """The pass rate of both variants over the cases that both measured, from 0 to 100 %."""
    sides = (("baseline", comparison.baseline), ("candidate", comparison.candidate))
    for role, name in sides:
        rate = getattr(comparison.overall, role)
        low, high = rate.interval
        span = Span(place(rate.rate, 0, 1), place(low, 0, 1), place(high, 0, 1))
        yield RatePlot(name, role, percent(rate.rate), f"{percent(low)} to {percent(high)}", span)


def forest(comparison: Comparison) -> tuple[list[ForestRow], float]:
    """The forest plot, and the difference at its right end."""
    rows = [row for row in rate_rows(comparison) if row.cells[1] != "0"]
    widest = max((abs(bound) for row in rows for bound in row.interval), default=0.0)
    edge = min(max(math.ceil(widest * 20) / 20, 0.05), 1.0)
    return [ForestRow(row, _around_zero(row, edge)) for row in rows], edge


def change_plots(comparison: Comparison) -> Iterator[ChangePlot]:
    """Cost, latency, tokens and scores of both variants, each from zero to the larger one."""
    for delta in comparison.deltas:
        largest = max(abs(delta.baseline), abs(delta.candidate)) or 1.0
        name = f"{FIGURE_NAMES.get(delta.figure, delta.figure)}, {delta.statistic}"
        cells = (
            amount(delta.figure, delta.baseline),
            amount(delta.figure, delta.candidate),
            signed_amount(delta),
            amounts(delta),
        )
        places = (place(max(value, 0), 0, largest) for value in (delta.baseline, delta.candidate))
        yield ChangePlot(name, cells, *places)


def _around_zero(row: RateRow, edge: float) -> Span:
    low, high = row.interval
    places = (place(value, -edge, edge) for value in (row.difference, low, high, 0.0))
    return Span(*places)


def place(value: float, low: float, high: float) -> float:
    """Where a value lies on the line that goes from `low` to `high`; beyond them, at the end."""
    share = (min(max(value, low), high) - low) / (high - low)
    return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)
