"""Verdicts as people read them, each with its evidence, and what the judge of a run came to.

A verdict is taken as plain data, as it is in the rows of a comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_llmreplay.model.outcome import Outcome, outcome_row
from pytest_llmreplay.report.paint import plural
from pytest_llmreplay.report.text import one_line

Row = Mapping[str, Any]

_MOST_QUOTES = 3
_LONGEST_QUOTE = 160
_LONGEST_TEXT = 200
_NOT_FOUND = " (not in what the judge was shown)"


def judge_lines(rows: Iterable[Row]) -> Iterator[str]:
    """What the judges of a run said, took and counted for, a few lines a judge; none when nobody judged."""
    tally = JudgeTally()
    for row in rows:
        tally.add(row)
    yield from tally.lines()


class JudgeTally:
    """Counts what judges said; outcomes are added one after the other and not kept."""

    def __init__(self) -> None:
        self._judges: dict[str, _OfJudge] = {}

    def add_outcome(self, outcome: Outcome) -> None:
        """Count an outcome."""
        if outcome.verdict is not None:
            self.add(outcome_row(outcome))

    def add(self, row: Row) -> None:
        """Count a row; one without a verdict counts nothing."""
        verdict = verdict_of(row)
        if verdict is not None:
            self._judges.setdefault(str(verdict.get("model")), _OfJudge()).add(row, verdict)

    def lines(self) -> Iterator[str]:
        """A few lines a judge."""
        for model, judge in self._judges.items():
            yield from judge.lines(model)


@dataclass(slots=True)
class _OfJudge:
    statuses: Counter[str] = field(default_factory=Counter)
    advisory: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    live_calls: int = 0
    with_cost: int = 0
    cost_usd: float = 0.0
    unfounded: int = 0

    def add(self, row: Row, verdict: Row) -> None:
        self.statuses[str(verdict["status"])] += 1
        if verdict.get("advisory"):
            self.advisory[str(verdict["advisory"])] += 1
        self.calls += row.get("judge_calls") or 0
        self.live_calls += row.get("judge_live_calls") or 0
        if row.get("judge_cost_usd") is not None:
            self.with_cost += 1
            self.cost_usd += row["judge_cost_usd"]
        self.unfounded += sum(not quote["found"] for d in verdict["decisions"] for quote in d.get("quotes") or ())

    def lines(self, model: str) -> Iterator[str]:
        said = ", ".join(f"{self.statuses[status]} {status}" for status in ("passed", "failed", "unmeasured"))
        cost = f"{self.cost_usd:.4f} USD" if self.with_cost else "cost not known"
        yield (
            f"judge {one_line(model)}: {plural(self.statuses.total(), 'verdict')} ({said}), "
            f"{plural(self.calls, 'call')} ({self.live_calls} live), {cost}"
        )
        for why, count in self.advisory.most_common():
            yield f"  {count} advisory, so never red: {one_line(why, _LONGEST_TEXT)}"
        if self.unfounded:
            yield f"  {plural(self.unfounded, 'quote')} in nothing that the judge was shown"


def verdict_of(row: Row) -> Row | None:
    """The verdict in a row; None when there is none, or something else in its place."""
    verdict = row.get("verdict")
    return verdict if isinstance(verdict, Mapping) and "decisions" in verdict and "status" in verdict else None


def verdict_facts(verdict: Row) -> Iterator[tuple[str, str]]:
    """A verdict as labels and texts; of each criterion its decision and the quotes for it."""
    share = verdict.get("share")
    yield "result", str(verdict["status"]) + ("" if share is None else f", {share:.0%} of the weight")
    if verdict.get("advisory"):
        yield "advisory", f"it does not count: {verdict['advisory']}"
    yield "judge", str(verdict.get("model"))
    votes: Sequence[str] = verdict.get("votes") or ()
    if len(votes) > 1:
        yield "votes", f"{', '.join(votes)} ({verdict.get('agreement') or 0:.0%} agree)"
    if verdict.get("confidence"):
        yield "confidence", str(verdict["confidence"])
    if "reference" in (verdict.get("shown") or ()):
        yield "reference", "a reference answer was shown"
    if verdict.get("problem"):
        yield "problem", str(verdict["problem"])
    if verdict.get("text"):
        yield "it said", str(verdict["text"])
    for decision in verdict["decisions"]:
        yield str(decision["criterion"]), " ".join([_decided(decision), *_quotes(decision)])


def verdict_lines(verdict: Row) -> Iterator[str]:
    """The same, a line each, cut to what a terminal takes."""
    for label, text in verdict_facts(verdict):
        yield one_line(f"{label}: {text}", _LONGEST_TEXT if label == "it said" else 2 * _LONGEST_TEXT)


def verdict_properties(verdict: Row) -> Iterator[tuple[str, str]]:
    """A verdict as names and values, for machines."""
    yield "verdict", str(verdict["status"])
    for name in ("advisory", "share", "confidence", "agreement", "problem"):
        if verdict.get(name) not in (None, ""):
            yield f"verdict_{name}", str(verdict[name])
    for decision in verdict["decisions"]:
        yield "criterion", f"{decision['criterion']}: {_decided(decision)}"


def _decided(decision: Row) -> str:
    score = "" if decision.get("score") is None else f" ({decision['score']:.2g} of 5)"
    agreement = decision.get("agreement")
    votes = "" if agreement in (None, 1) else f" by {agreement:.0%} of the votes"
    return f"{'pass' if decision['passed'] else 'fail'}{score}{votes}"


def _quotes(decision: Row) -> Iterator[str]:
    quotes: Sequence[Row] = decision.get("quotes") or ()
    for quote in quotes[:_MOST_QUOTES]:
        yield f"“{one_line(str(quote['text']), _LONGEST_QUOTE)}”{'' if quote['found'] else _NOT_FOUND}"
    if len(quotes) > _MOST_QUOTES:
        yield f"(+{len(quotes) - _MOST_QUOTES} more quotes)"
