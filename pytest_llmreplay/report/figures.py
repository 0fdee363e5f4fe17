"""The figures of a comparison as words: one spelling for the terminal, Markdown and HTML. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_llmreplay.compare import Comparison, Comparisons
from pytest_llmreplay.compare.bootstrap import Delta
from pytest_llmreplay.compare.estimate import Estimate
from pytest_llmreplay.compare.intervals import Interval
from pytest_llmreplay.compare.wording import p_value, percent

FIGURE_NAMES = {
    "score": "score",
    "cost_usd": "cost (USD)",
    "latency_s": "latency (s)",
    "tokens": "tokens",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
}
RATE_HEADERS = ("", "cases", "baseline", "candidate", "difference", "95 % interval", "p")


@dataclass(frozen=True, slots=True)
class RateRow:
    """One line of the table of pass rates.

    `verdict` is `better`, `worse` or `inconclusive`; `cells` are the figures as text, in the order of `RATE_HEADERS`.
    """

    name: str
    verdict: str
    difference: float
    interval: Interval
    cells: tuple[str, ...]
    remark: str = ""


def rate_rows(comparison: Comparison) -> Iterator[RateRow]:
    """All cases, the production estimate, then every slice: the worst first."""
    yield _row("all cases", comparison.overall, comparison.overall.verdict, comparison.p_value)
    production = comparison.production
    if production is not None and comparison.production_basis == "controls":
        yield _row("production (controls, weighted)", production, production.verdict, production.p_value)
    elif production is not None and production.effective_cases < production.cases:
        yield _row("production (all cases, weighted)", production, production.verdict, production.p_value)
    yield from slice_rows(comparison)


def slice_rows(comparison: Comparison) -> Iterator[RateRow]:
    """Every slice, the worst first; p-values are corrected for the number of slices."""
    for found in sorted(comparison.slices, key=lambda item: (item.difference, item.p_holm)):
        remark = "" if found.can_reject else "too few cases to be significant"
        name = f"{found.dimension} {found.value}"
        yield _row(name, found.estimate, found.verdict, found.p_holm, remark)


def delta_rows(comparison: Comparison, statistics: tuple[str, ...] = ("mean", "median", "p95")) -> Iterator[list[str]]:
    """What cost, tokens, latency and scores came to, a row a figure and statistic."""
    for delta in comparison.deltas:
        if delta.statistic in statistics:
            yield [
                f"{FIGURE_NAMES.get(delta.figure, delta.figure)}, {delta.statistic}",
                str(delta.cases),
                amount(delta.figure, delta.baseline),
                amount(delta.figure, delta.candidate),
                signed_amount(delta),
                amounts(delta),
            ]


def many_rows(found: Comparisons) -> Iterator[list[str]]:
    """Several candidates against one baseline, a row each."""
    for comparison in found.comparisons:
        estimate = comparison.overall
        yield [
            comparison.candidate,
            str(estimate.cases),
            percent(estimate.candidate.rate),
            signed_points(estimate.difference),
            interval_text(estimate.interval),
            p_value(found.p_holm[comparison.candidate]).removeprefix("p ").removeprefix("= "),
            str(comparison.counts.fixed),
            str(comparison.counts.regressed),
        ]


MANY_HEADERS = ("", "cases", "pass rate", "difference", "95 % interval", "p (Holm)", "fixed", "regressed")


def signed_points(difference: float) -> str:
    """A difference of pass rates in percentage points."""
    return f"{100 * difference:+.1f}"


def interval_text(bounds: Interval) -> str:
    """An interval of a difference in percentage points."""
    return f"{100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}"


def amount(figure: str, value: float) -> str:
    """A figure as people write it: dollars with four decimals, seconds with two, counts whole."""
    if figure == "cost_usd":
        return f"{value:.4f}"
    return f"{value:,.0f}" if "tokens" in figure else f"{value:.2f}"


def signed_amount(delta: Delta) -> str:
    """How a figure changed."""
    return f"{'+' if delta.difference >= 0 else '-'}{amount(delta.figure, abs(delta.difference))}"


def amounts(delta: Delta) -> str:
    """The interval of a figure's change, empty where there are too few cases."""
    if delta.interval is None:
        return ""
    low, high = (f"{'+' if v >= 0 else '-'}{amount(delta.figure, abs(v))}" for v in delta.interval)
    return f"{low} to {high}"


def _row(name: str, found: Estimate, verdict: str, p_of_row: float, remark: str = "") -> RateRow:
    if not found.cases:
        cells = (name, "0", "-", "-", "-", "-", "-")
        return RateRow(name, verdict, found.difference, found.interval, cells, "nothing was measured on both variants")
    cells = (
        name,
        str(found.cases),
        percent(found.baseline.rate),
        percent(found.candidate.rate),
        signed_points(found.difference),
        interval_text(found.interval),
        p_value(p_of_row).removeprefix("p ").removeprefix("= "),
    )
    return RateRow(name, verdict, found.difference, found.interval, cells, remark)
