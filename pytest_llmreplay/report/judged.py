"""Verdicts as people read them, each with its evidence, and what the judge of a run came to.

A verdict is taken as plain data, as it is in the rows of a comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.report.paint import plural
from pytest_llmreplay.report.text import one_line

Row = Mapping[str, Any]

_MOST_QUOTES = 3
_LONGEST_QUOTE = 160
_LONGEST_TEXT = 200
_NOT_FOUND = " (not in what the judge was shown)"


def judge_lines(rows: Iterable[Row]) -> Iterator[str]:
    """What the judges of a run said, took and counted for, a few lines a judge; none when nobody judged."""
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        if verdict_of(row) is not None:
            by_model.setdefault(str(row["verdict"]["model"]), []).append(row)
    for model, judged in by_model.items():
        yield from _of_judge(model, judged)


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


def _of_judge(model: str, rows: Sequence[Row]) -> Iterator[str]:
    verdicts = [row["verdict"] for row in rows]
    counts = Counter(verdict["status"] for verdict in verdicts)
    said = ", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "unmeasured"))
    calls, live = (sum(row.get(name) or 0 for row in rows) for name in ("judge_calls", "judge_live_calls"))
    costs = [row["judge_cost_usd"] for row in rows if row.get("judge_cost_usd") is not None]
    cost = f"{sum(costs):.4f} USD" if costs else "cost not known"
    yield (
        f"judge {one_line(model)}: {plural(len(verdicts), 'verdict')} ({said}), "
        f"{plural(calls, 'call')} ({live} live), {cost}"
    )
    for why, count in Counter(verdict["advisory"] for verdict in verdicts if verdict.get("advisory")).most_common():
        yield f"  {count} advisory, so never red: {one_line(why, _LONGEST_TEXT)}"
    unfounded = sum(not quote["found"] for verdict in verdicts for d in verdict["decisions"] for quote in d["quotes"])
    if unfounded:
        yield f"  {plural(unfounded, 'quote')} in nothing that the judge was shown"


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
