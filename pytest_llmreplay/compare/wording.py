"""The sentences that explain a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmreplay.compare.estimate import Estimate
from pytest_llmreplay.compare.pairs import CasePair, Counts
from pytest_llmreplay.compare.significance import ALPHA, smallest_split

FEW_CASES = 15
_WORTH_SEEING = 0.05


def sentence(baseline: str, candidate: str, counts: Counts, estimate: Estimate) -> str:
    """The comparison in one or two sentences: what happened, whether it is conclusive, what could have been seen."""
    if not estimate.cases:
        return f"No case was measured on both {baseline} and {candidate}: there is nothing to compare."
    flips = f"fixes {counts.fixed} and breaks {counts.regressed} of {plural(estimate.cases, 'case')}"
    flaky = f", {counts.flaky} flaky" if counts.flaky else ""
    rates = f"pass rate {percent(estimate.baseline.rate)} → {percent(estimate.candidate.rate)}"
    figures = f"{points(estimate.difference)} ({interval(estimate.interval)}, {p_value(estimate.p_value)})"
    verdict = estimate.verdict
    if verdict != "inconclusive":
        return f"{candidate} is {verdict} than {baseline}: it {flips}{flaky}; {rates}, {figures}."
    churn = ""
    if counts.fixed and counts.fixed == counts.regressed:
        churn = " The totals are equal and the cases are not: this is churn."
    return f"{candidate} {flips}{flaky}; {rates}, {figures}: not conclusive.{churn} {_what_could_be_seen(estimate)}"


def notes(pairs: Sequence[CasePair], estimate: Estimate) -> list[str]:
    """What a reader has to know before trusting the figures."""
    found = []
    if 0 < estimate.cases < FEW_CASES:
        few = f"{plural(estimate.cases, 'case')} measured on both sides: below {FEW_CASES} the figures are rough"
        unable = estimate.cases < smallest_split(ALPHA)
        found.append(few + (", and no outcome could have been significant." if unable else "."))
    incidents = sum(pair.kind == "incident" for pair in pairs)
    if incidents:
        found.append(
            f"The suite holds {plural(incidents, 'incident')}, chosen because production failed; "
            "only controls can say what happens in production."
        )
    unmeasured = sum(pair.label == "unmeasured" for pair in pairs)
    if unmeasured:
        found.append(f"{plural(unmeasured, 'case')} could not be compared: not measured on both sides.")
    partly = sum(p.label != "unmeasured" and _incomplete(p) for p in pairs)
    if partly:
        found.append(f"{plural(partly, 'case')} could not be measured in every trial; the measured ones count.")
    return found


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage with one decimal."""
    return f"{100 * share:.1f}%"


def points(difference: float) -> str:
    """A difference of shares in percentage points, always signed."""
    return f"{100 * difference:+.1f} points"


def interval(bounds: tuple[float, float]) -> str:
    """A 95 % interval of a difference of shares, in percentage points."""
    return f"95% interval {100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}"


def p_value(value: float) -> str:
    """A p-value as papers print it."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def plural(count: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def changed_since_accepted(case_ids: Sequence[str]) -> str:
    """That the accepted outcomes of these cases say nothing any more."""
    one = len(case_ids) == 1
    return (
        f"{plural(len(case_ids), 'case')} (or {'its' if one else 'their'} rubric or judge) changed since "
        f"{'it was' if one else 'they were'} accepted and {'has' if one else 'have'} nothing to be compared with: "
        f"{named(case_ids)}."
    )


def named(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _what_could_be_seen(estimate: Estimate) -> str:
    if estimate.minimum_detectable >= 1:
        return f"{plural(estimate.cases, 'case')} can detect nothing."
    seen = f"This many cases would detect a difference of {100 * estimate.minimum_detectable:.1f} points"
    if estimate.minimum_detectable <= _WORTH_SEEING:
        return f"{seen}."
    needed = estimate.cases_needed(_WORTH_SEEING)
    return f"{seen}; {100 * _WORTH_SEEING:.0f} points need about {needed} cases."


def _incomplete(pair: CasePair) -> bool:
    return pair.baseline.measured < pair.baseline.trials or pair.candidate.measured < pair.candidate.trials
