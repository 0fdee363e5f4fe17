"""A triage as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tabulate import tabulate

from pytest_llmreplay.mine.triage import DayCount, Group, ToolAssociation, Triage
from pytest_llmreplay.mine.triage.changes import LEVEL
from pytest_llmreplay.mine.triage.nouns import Change
from pytest_llmreplay.mine.triage.wording import in_figures, percent
from pytest_llmreplay.report.text import one_line, printable

_ROWS = 12
_BARS = "▁▂▃▄▅▆▇█"
_BUCKETS = 15
_NAME = 40


def triage_text(triage: Triage, by: Sequence[str]) -> Iterator[str]:
    """The lines: the finding with the strongest evidence first; tables of the dimensions in `by`."""
    yield printable(triage.top)
    for finding in triage.findings[1:]:
        yield printable(f"Beside that: {finding.sentence}")
    yield ""
    yield printable(f"failed means: {triage.failed_means}")
    reasons = sorted(triage.reasons.items(), key=lambda one: (-one[1], one[0]))
    said = ", ".join(f"{name} {count:,}" for name, count in reasons)
    yield printable(f"failed: {in_figures(triage.failing)}" + (f"; seen in the whole log: {said}" if said else ""))
    yield printable(triage.verdict.sentence)
    yield f"  rule: {triage.verdict.rule}"
    if triage.routing is not None:
        yield printable(triage.routing.sentence)
        yield f"  rule: {triage.routing.rule}"
    yield from triage.notes
    for name in by:
        if triage.groups.get(name):
            yield from ("", *_groups(name, triage.groups[name]))
    if triage.tools and triage.failing.count:
        yield from ("", *_tools(triage.tools))
    if triage.changes:
        yield from ("", *_changes(triage.changes))


def trend_bars(trend: Sequence[DayCount]) -> str:
    """Failure rates over time, as bars of at most fifteen spans with as many days each."""
    span = -(-len(trend) // _BUCKETS)
    parts = [trend[start : start + span] for start in range(0, len(trend), span)] if span else []
    rates = [sum(day.failures for day in part) / sum(day.conversations for day in part) for part in parts]
    highest = max(rates, default=0.0)
    return "".join(_BARS[round(rate / highest * (len(_BARS) - 1))] if highest else _BARS[0] for rate in rates)


def _groups(dimension: str, groups: Sequence[Group]) -> Iterator[str]:
    headers = (dimension.replace("_", " "), "failed", "of", "rate", "95 %", "of all failures", "trend")
    rows = [
        (
            one_line(one.name, _NAME),
            f"{one.failing.count:,}",
            f"{one.failing.total:,}",
            percent(one.failing.rate),
            _interval(100 * one.failing.low, 100 * one.failing.high, 1),
            percent(one.share_of_failures),
            trend_bars(one.trend),
        )
        for one in groups[:_ROWS]
    ]
    yield from _table(headers, rows, len(groups))


def _tools(tools: Sequence[ToolAssociation]) -> Iterator[str]:
    headers = ("conversations that call", "fail", "others", "odds ratio", "95 %", "p (BH)", "")
    rows = [
        (
            one_line(one.tool, _NAME),
            percent(one.calling.rate),
            percent(one.others.rate),
            f"{one.odds_ratio:.2f}",
            _interval(one.low, one.high, 2),
            _p(one.p_adjusted),
            "*" if one.p_adjusted <= LEVEL else "",
        )
        for one in tools[:_ROWS]
    ]
    yield from _table(headers, rows, len(tools))


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    kinds = {"rate": "fails", "deploy": "comes up, fails", "share": "is called"}
    headers = ("what changed", "", "from day", "before", "after", "difference, 95 %", "p (BH)")
    rows = [
        (
            one_line(f"{one.dimension.replace('_', ' ')} {one.name}".strip(), _NAME),
            kinds[one.kind],
            one.day,
            percent(one.before.rate),
            percent(one.after.rate),
            f"{100 * one.difference:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})",
            _p(one.p_adjusted),
        )
        for one in changes[:_ROWS]
    ]
    yield from _table(headers, rows, len(changes))


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], count: int) -> Iterator[str]:
    yield from tabulate(rows, headers=headers, disable_numparse=True).splitlines()
    if count > len(rows):
        yield f"… and {count - len(rows):,} more (--json has all)"


def _interval(low: float, high: float, digits: int) -> str:
    return f"{low:.{digits}f}–{high:.{digits}f}"


def _p(p: float) -> str:
    return "<1e-300" if p == 0 else f"{p:.2g}"
