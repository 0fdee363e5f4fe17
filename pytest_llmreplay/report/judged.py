"""Verdicts as people read them: each with its evidence, and a line for the judge of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.model.verdict import Decision, Verdict
from pytest_llmreplay.report.text import one_line

_MOST_QUOTES = 3
_LONGEST_QUOTE = 160
_LONGEST_TEXT = 200


def judge_text(outcomes: Sequence[Outcome]) -> str:
    """What the judges of a run said, took and counted for; empty when nobody judged."""
    by_model: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.verdict is not None:
            by_model.setdefault(outcome.verdict.model, []).append(outcome)
    return "\n".join(line for model, judged in by_model.items() for line in _judge_lines(model, judged))


def _judge_lines(model: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    verdicts = [outcome.verdict for outcome in outcomes if outcome.verdict is not None]
    counts = Counter(verdict.status for verdict in verdicts)
    said = ", ".join(f"{counts[status]} {status}" for status in ("passed", "failed", "unmeasured"))
    calls = sum(outcome.judge_calls for outcome in outcomes)
    live = sum(outcome.judge_live_calls for outcome in outcomes)
    costs = [outcome.judge_cost_usd for outcome in outcomes if outcome.judge_cost_usd is not None]
    cost = f"{sum(costs):.4f} USD" if costs else "cost not known"
    yield (
        f"judge {one_line(model)}: {_counted(len(verdicts), 'verdict')} ({said}), "
        f"{_counted(calls, 'call')} ({live} live), {cost}"
    )
    for why, count in Counter(verdict.advisory for verdict in verdicts if verdict.advisory).most_common():
        yield f"  {count} advisory, so never red: {one_line(why, _LONGEST_TEXT)}"
    unfounded = sum(not quote.found for verdict in verdicts for d in verdict.decisions for quote in d.quotes)
    if unfounded:
        yield f"  {_counted(unfounded, 'quote')} occurred in nothing that the judge was shown"


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """A verdict with its evidence, a line each."""
    share = "" if verdict.share is None else f", {verdict.share:.0%} of the weight"
    agreement = f", {verdict.agreement:.0%} of {len(verdict.votes)} votes" if len(verdict.votes) > 1 else ""
    confidence = f", confidence {verdict.confidence}" if verdict.confidence else ""
    reference = ", with the reference answer" if verdict.with_reference else ""
    yield f"{verdict.status} by {one_line(verdict.model)}{share}{agreement}{confidence}{reference}"
    if verdict.advisory:
        yield f"advisory: {one_line(verdict.advisory, _LONGEST_TEXT)}"
    if verdict.problem:
        yield one_line(verdict.problem, _LONGEST_TEXT)
    if verdict.text:
        yield f"it said: {one_line(verdict.text, _LONGEST_TEXT)}"
    for decision in verdict.decisions:
        yield from _decision_lines(decision)


def verdict_summary(verdict: Mapping[str, Any]) -> str:
    """A verdict of a row in a few words: `failed (advisory), 50 %`."""
    advisory = " (advisory)" if verdict.get("advisory") else ""
    share = verdict.get("share")
    return f"{verdict.get('status')}{advisory}" + ("" if share is None else f", {share:.0%}")


def _decision_lines(decision: Decision) -> Iterator[str]:
    score = "" if decision.score is None else f" ({decision.score:.2g} of 5)"
    agreement = "" if decision.agreement == 1 else f", {decision.agreement:.0%} of the votes"
    yield f"{decision.criterion}: {'pass' if decision.passed else 'fail'}{score}{agreement}"
    for quote in decision.quotes[:_MOST_QUOTES]:
        flag = "" if quote.found else " (not in what the judge was shown)"
        yield f"  “{one_line(quote.text, _LONGEST_QUOTE)}”{flag}"
    if len(decision.quotes) > _MOST_QUOTES:
        yield f"  (+{len(decision.quotes) - _MOST_QUOTES} more quotes)"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
