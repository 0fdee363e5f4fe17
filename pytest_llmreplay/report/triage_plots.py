"""The geometry of the triage page's plots, and the figures beside them. Nothing is computed but places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pytest_llmreplay.mine.triage import Change, DayCount, Group, Share, ToolAssociation
from pytest_llmreplay.mine.triage.changes import LEVEL
from pytest_llmreplay.mine.triage.wording import percent
from pytest_llmreplay.report.plots import Span, place

TIMELINE_WIDTH, TIMELINE_HEIGHT = 960, 120
_WIDEST_RATIO = 1000.0


@dataclass(frozen=True, slots=True)
class RateLine:
    """A share as figures and as a place on the line from 0 to `RateLines.edge`; `volume` is a part of the largest."""

    group: Group
    rate: str
    interval: str
    volume: float
    span: Span


@dataclass(frozen=True, slots=True)
class ToolLine:
    """A tool's odds ratio; `verdict` is `worse` or `better` where it is no chance."""

    tool: ToolAssociation
    ratio: str
    interval: str
    p: str
    verdict: str
    span: Span


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change: before, after and the difference in points."""

    change: Change
    points: str
    interval: str
    p: str
    verdict: str
    span: Span


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of the timeline: the column of all conversations, and the part of it that failed."""

    day: DayCount
    x: float
    width: float
    height: float
    failing: float


def rate_span(share: Share, edge: float = 1.0) -> Span:
    """The share on the line from 0 to `edge`."""
    return Span(*(place(value, 0, edge) for value in (share.rate, share.low, share.high)))


def interval_text(share: Share) -> str:
    """The interval as people read it."""
    return f"{percent(share.low)} to {percent(share.high)}"


def rate_lines(groups: Sequence[Group]) -> tuple[list[RateLine], float]:
    """The groups of a dimension, and the rate at the right end of their line."""
    edge = min(1.0, max(math.ceil(max((group.failing.high for group in groups), default=1.0) * 20) / 20, 0.05))
    largest = max((group.failing.total for group in groups), default=0) or 1
    return [
        RateLine(
            group,
            percent(group.failing.rate),
            interval_text(group.failing),
            place(group.failing.total, 0, largest),
            rate_span(group.failing, edge),
        )
        for group in groups
    ], edge


def tool_lines(tools: Sequence[ToolAssociation]) -> tuple[list[ToolLine], float]:
    """The forest plot of odds ratios on a logarithmic line, and the ratio at its right end."""
    bounds = [abs(math.log(x)) for tool in tools for x in (tool.low, tool.high) if 0 < x < math.inf]
    edge = min(max(bounds, default=0.0), math.log(_WIDEST_RATIO)) or math.log(2.0)
    return [
        ToolLine(
            tool,
            ratio_text(tool.odds_ratio),
            f"{ratio_text(tool.low)} to {ratio_text(tool.high)}",
            p_text(tool.p_adjusted),
            _verdict(tool.p_adjusted, tool.odds_ratio - 1),
            Span(*(place(_log(x), -edge, edge) for x in (tool.odds_ratio, tool.low, tool.high, 1.0))),
        )
        for tool in tools
    ], math.exp(edge)


def change_lines(changes: Sequence[Change]) -> tuple[list[ChangeLine], float]:
    """The differences before and after, and the difference at the right end of their line."""
    widest = max((abs(bound) for change in changes for bound in (change.low, change.high)), default=0.0)
    edge = min(max(math.ceil(widest * 20) / 20, 0.05), 1.0)
    return [
        ChangeLine(
            change,
            f"{change.difference * 100:+.1f}",
            f"{change.low * 100:+.1f} to {change.high * 100:+.1f}",
            p_text(change.p_adjusted),
            # More calls of a tool are neither better nor worse.
            "" if change.kind == "share" else _verdict(change.p_adjusted, change.difference),
            Span(*(place(x, -edge, edge) for x in (change.difference, change.low, change.high, 0.0))),
        )
        for change in changes
    ], edge


def day_bars(trend: Sequence[DayCount]) -> list[DayBar]:
    """The timeline; days without a conversation stay empty."""
    if not trend:
        return []
    days = [date.fromisoformat(one.day).toordinal() for one in trend]
    width = TIMELINE_WIDTH / (days[-1] - days[0] + 1)
    largest = max(one.conversations for one in trend) or 1
    return [
        DayBar(
            one,
            round((day - days[0]) * width, 2),
            round(max(width * 0.85, 0.5), 2),
            round(one.conversations / largest * TIMELINE_HEIGHT, 2),
            round(one.failures / largest * TIMELINE_HEIGHT, 2),
        )
        for one, day in zip(trend, days, strict=True)
    ]


def ratio_text(ratio: float) -> str:
    """An odds ratio in three figures."""
    return f"{ratio:.3g}" if 0.01 <= ratio < 1000 else f"{ratio:.0e}"


def p_text(p: float) -> str:
    """A p-value in three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _verdict(p_adjusted: float, direction: float) -> str:
    if p_adjusted > LEVEL or direction == 0:
        return ""
    return "worse" if direction > 0 else "better"


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf
