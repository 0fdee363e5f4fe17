"""The rules of a gate, one by one: each gives its own verdict and sentence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmreplay.compare import wording
from pytest_llmreplay.compare.comparison import Comparison
from pytest_llmreplay.compare.estimate import Estimate, estimate
from pytest_llmreplay.compare.pairs import CasePair
from pytest_llmreplay.compare.policy import Budget, GatePolicy, JudgeRule, SliceRule
from pytest_llmreplay.compare.red import RedItem
from pytest_llmreplay.compare.significance import ALPHA, holm
from pytest_llmreplay.compare.wording import named, plural
from pytest_llmreplay.model.errors import did_you_mean

Verdict = Literal["pass", "regression", "unmeasurable"]

_FIGURES = {"cost_usd": ("cost_usd", "mean"), "latency_p95_s": ("latency_s", "p95"), "tokens": ("tokens", "mean")}


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule of the policy says; `value` is what was found and `limit` what the policy allows."""

    rule: str
    verdict: Verdict
    sentence: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class JudgeEvidence:
    """What is known of the judge's calibration.

    `problem` says why it is not valid for this run, such as another rubric; None when it is.
    """

    kappa: float | None
    age_days: int
    problem: str | None = None


def apply(
    policy: GatePolicy, comparison: Comparison, red: Sequence[RedItem], judge: JudgeEvidence | None
) -> Iterator[RuleResult]:
    """Every rule that the policy states, in the order in which they decide."""
    yield from _ratchet(policy, comparison, red)
    yield from _must_fix(policy, comparison, red)
    overdue = [item.case_id for item in red if item.rule == "overdue"]
    if overdue:
        yield RuleResult("overdue", "regression", f"Past their due date and still failing: {named(overdue)}.")
    yield from _shares(policy, comparison)
    yield from _estimate(policy, comparison)
    yield from _slices(policy, comparison, red)
    for name in type(policy.budgets).model_fields:
        budget = getattr(policy.budgets, name)
        if budget is not None:
            yield _budget(name, budget, comparison)
    if policy.judge.required:
        yield _judge(policy.judge, judge)


def _ratchet(policy: GatePolicy, comparison: Comparison, red: Sequence[RedItem]) -> Iterator[RuleResult]:
    if policy.mode == "statistical" and policy.max_regressions is None:
        return
    items = [item for item in red if item.rule == "max_regressions"]
    allowed = policy.max_regressions or 0
    if isinstance(allowed, int):
        too_many = items if len(items) > allowed else []
        limit = allowed
    else:
        limits = {str(severity): count for severity, count in allowed.items()}
        counts = Counter(item.severity or "unrated" for item in items)
        over = {severity for severity, count in counts.items() if count > limits.get(severity, 0)}
        too_many = [item for item in items if (item.severity or "unrated") in over]
        limit = sum(allowed.values())
    if too_many:
        said = (
            f"{_cases_that(len(too_many), 'must pass and fails', 'must pass and fail')} "
            f"on {comparison.candidate}: {named([item.case_id for item in too_many])}."
        )
        yield RuleResult("max_regressions", "regression", said, len(items), limit)
        return
    said = "Every case that must pass does." if not items else f"{plural(len(items), 'red case')}, as many as allowed."
    yield RuleResult("max_regressions", "pass", said, len(items), limit)


def _must_fix(policy: GatePolicy, comparison: Comparison, red: Sequence[RedItem]) -> Iterator[RuleResult]:
    if not policy.must_fix:
        return
    # Whatever made them red: what the ratchet tolerates has to be fixed all the same.
    failing = [item.case_id for item in red if item.case_id in policy.must_fix]
    if failing:
        yield RuleResult(
            "must_fix", "regression", f"Must be fixed and still failing: {named(failing)}.", len(failing), 0
        )
        return
    pairs = {pair.case_id: pair for pair in comparison.cases}
    unknown = [case_id for case_id in policy.must_fix if case_id not in pairs]
    if unknown:
        nearest = did_you_mean(unknown[0], list(pairs))
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        said = f"Must be fixed and was not run: {named(unknown)}.{hint}"
        yield RuleResult("must_fix", "unmeasurable", said, len(unknown), 0)
        return
    unmeasured = [case_id for case_id in policy.must_fix if not pairs[case_id].candidate.measured]
    if unmeasured:
        said = f"Must be fixed and could not be measured: {named(unmeasured)}."
        yield RuleResult("must_fix", "unmeasurable", said, len(unmeasured), 0)
        return
    yield RuleResult("must_fix", "pass", f"All {len(policy.must_fix)} cases of must_fix pass or are waived.", 0, 0)


def _shares(policy: GatePolicy, comparison: Comparison) -> Iterator[RuleResult]:
    sides = (comparison.baseline_trials, comparison.candidate_trials)
    errors = max((side.error / side.trials for side in sides if side.trials), default=0.0)
    yield _at_most("max_error_share", errors, policy.max_error_share, "of the trials ended in an error")
    never = sum(pair.candidate.trials == 0 for pair in comparison.cases)
    candidate = comparison.candidate_trials
    lost = candidate.unmeasured + candidate.not_run + never
    share = lost / (candidate.trials + never) if candidate.trials + never else 1.0
    yield _at_most("max_unmeasured_share", share, policy.max_unmeasured_share, "of the trials could not be measured")
    if policy.max_flaky_share is not None:
        measured = comparison.overall.cases
        flaky = comparison.counts.flaky / measured if measured else 1.0
        yield _at_most("max_flaky_share", flaky, policy.max_flaky_share, "of the cases are flaky")
    if policy.min_live is not None:
        yield _live(policy.min_live, comparison.live_share)


def _at_most(rule: str, share: float, limit: float, what: str) -> RuleResult:
    said = f"{wording.percent(share)} {what}; {wording.percent(limit)} is tolerated."
    return RuleResult(rule, "unmeasurable" if _exceeds(share, limit) else "pass", said, share, limit)


def _live(limit: float, share: float | None) -> RuleResult:
    if share is None:
        return RuleResult("min_live", "unmeasurable", "How many requests were really sent is not known.", None, limit)
    said = f"{wording.percent(share)} of the requests were really sent; {wording.percent(limit)} is the least."
    return RuleResult("min_live", "unmeasurable" if _exceeds(limit, share) else "pass", said, share, limit)


def _estimate(policy: GatePolicy, comparison: Comparison) -> Iterator[RuleResult]:
    found = comparison.production
    cases = comparison.overall.cases if found is None else found.cases
    noun = "case" if found is None or comparison.production_basis == "all cases" else "control"
    what = f"{noun}s"
    enough = cases >= policy.min_cases
    said = f"{plural(cases, noun)} measured on both variants; {policy.min_cases} is the least."
    yield RuleResult("min_cases", "pass" if enough else "unmeasurable", said, cases, policy.min_cases)
    margin = policy.non_inferiority_margin
    if found is not None and found.cases:
        rule = "estimate" if margin is None else "non_inferiority_margin"
        yield margin_result(rule, found, margin, found.p_value, what)
    elif margin is not None:
        said = "No control was measured on both variants, so nothing is known of harm; promote some with --control."
        yield RuleResult("non_inferiority_margin", "unmeasurable", said, None, margin)


def margin_result(rule: str, found: Estimate, margin: float | None, p_value: float, what: str) -> RuleResult:
    """What an estimate says of harm: significant loss is a regression, unless it is shown to be within the margin.

    Without a margin only a significant loss counts. With one, the lower bound of the 95 % interval must be above it;
    where neither is shown, nobody knows.
    """
    figures = (
        f"{wording.points(found.difference)} ({wording.interval(found.interval)}, {wording.p_value(p_value)}) "
        f"on {found.cases} {what}"
    )
    worse = p_value <= ALPHA and found.difference < 0
    if margin is None:
        verdict: Verdict = "regression" if worse else "pass"
        said = f"Significantly worse: {figures}." if worse else f"Not significantly worse: {figures}."
        return RuleResult(rule, verdict, said, found.difference, None)
    tolerated = f"a loss of {100 * margin:g} points"
    if found.interval[0] > -margin:
        return RuleResult(rule, "pass", f"At worst within {tolerated}: {figures}.", found.interval[0], -margin)
    if worse:
        said = f"Significantly worse, and not within {tolerated}: {figures}."
        return RuleResult(rule, "regression", said, found.interval[0], -margin)
    needed = f"about {found.cases_needed_for_margin(margin)} {what} would show it if nothing is lost"
    said = f"It cannot be told whether {tolerated} is kept: {figures}; {needed}."
    return RuleResult(rule, "unmeasurable", said, found.interval[0], -margin)


def _slices(policy: GatePolicy, comparison: Comparison, red: Sequence[RedItem]) -> Iterator[RuleResult]:
    members = [[p for p in comparison.cases if _inside(p, rule)] for rule in policy.slices]
    bases = [[p for p in inside if _for_estimate(p, comparison)] for inside in members]
    estimates = [estimate(basis, weighted=True) for basis in bases]
    adjusted = holm([found.p_value for found in estimates])
    for rule, inside, found, p_value in zip(policy.slices, members, estimates, adjusted, strict=True):
        yield from _slice(rule, inside, found, p_value, red)


def _slice(
    rule: SliceRule, inside: Sequence[CasePair], found: Estimate, p_value: float, red: Sequence[RedItem]
) -> Iterator[RuleResult]:
    name = f"slices[{', '.join(f'{key}={value}' for key, value in rule.where.items())}]"
    if rule.max_regressions is not None:
        ids = {pair.case_id for pair in inside}
        items = sorted({item.case_id for item in red if item.case_id in ids})
        over = len(items) > rule.max_regressions
        said = f"{plural(len(items), 'red case')}, {rule.max_regressions} tolerated" + (
            f": {named(items)}." if items else "."
        )
        if not inside:
            said = "No case belongs to the slice, so nothing is known of it."
        verdict: Verdict = "regression" if over else "pass" if inside else "unmeasurable"
        yield RuleResult(f"{name}.max_regressions", verdict, said, len(items), rule.max_regressions)
    if rule.min_cases is not None:
        enough = found.cases >= rule.min_cases
        said = f"{plural(found.cases, 'case')} measured on both variants; {rule.min_cases} is the least."
        yield RuleResult(f"{name}.min_cases", "pass" if enough else "unmeasurable", said, found.cases, rule.min_cases)
    if rule.min_pass_rate is not None:
        yield _pass_rate(f"{name}.min_pass_rate", inside, rule.min_pass_rate)
    if rule.non_inferiority_margin is not None:
        yield margin_result(f"{name}.non_inferiority_margin", found, rule.non_inferiority_margin, p_value, "cases")


def _pass_rate(name: str, inside: Sequence[CasePair], limit: float) -> RuleResult:
    rates = [pair.candidate.rate for pair in inside if pair.candidate.rate is not None]
    if not rates:
        return RuleResult(name, "unmeasurable", "No case of the slice was measured.", None, limit)
    rate = sum(rates) / len(rates)
    said = f"The pass rate is {wording.percent(rate)}; {wording.percent(limit)} is the least."
    return RuleResult(name, "regression" if _exceeds(limit, rate) else "pass", said, rate, limit)


def _budget(name: str, budget: Budget, comparison: Comparison) -> RuleResult:
    figure, statistic = _FIGURES[name]
    rule = f"budgets.{name}"
    mine = next((f for f in comparison.figures if f.figure == figure), None)
    if mine is None or mine.known < mine.trials:
        known = f"{mine.known} of {mine.trials} trials" if mine else "no trial"
        return RuleResult(rule, "unmeasurable", f"{figure} is known for {known}.", None, budget.max)
    value = mine.mean if statistic == "mean" else mine.p95
    if budget.max is not None and _exceeds(value, budget.max):
        said = f"The {statistic} of {figure} is {value:.4g}; {budget.max:.4g} is the most."
        return RuleResult(rule, "regression", said, value, budget.max)
    if budget.max_increase is None:
        return RuleResult(rule, "pass", f"The {statistic} of {figure} is {value:.4g}.", value, budget.max)
    delta = next((d for d in comparison.deltas if (d.figure, d.statistic) == (figure, statistic)), None)
    if delta is None:
        return RuleResult(rule, "unmeasurable", f"{figure} of the baseline is not known.", None, budget.max_increase)
    limit = delta.baseline * (1 + budget.max_increase)
    said = (
        f"The {statistic} of {figure} went from {delta.baseline:.4g} to {delta.candidate:.4g}; {limit:.4g} is the most."
    )
    return RuleResult(rule, "regression" if _exceeds(delta.candidate, limit) else "pass", said, delta.candidate, limit)


def _judge(rule: JudgeRule, evidence: JudgeEvidence | None) -> RuleResult:
    if evidence is None:
        problem: str | None = "it was never calibrated"
    elif evidence.problem is not None:
        problem = evidence.problem
    elif evidence.age_days > rule.max_age_days:
        problem = f"its calibration is {evidence.age_days} days old and {rule.max_age_days} is the most"
    elif evidence.kappa is None:
        problem = "its kappa is not known"
    elif evidence.kappa < rule.min_kappa:
        problem = f"its kappa is {evidence.kappa:.2f} and {rule.min_kappa:.2f} is the least"
    else:
        problem = None
    said = f"The judge's verdicts do not count: {problem}." if problem else "The judge's calibration is valid."
    kappa = evidence.kappa if evidence else None
    return RuleResult("judge", "unmeasurable" if problem else "pass", said, kappa, rule.min_kappa)


def _inside(pair: CasePair, rule: SliceRule) -> bool:
    return all(item in pair.slices for item in rule.where.items())


def _for_estimate(pair: CasePair, comparison: Comparison) -> bool:
    return comparison.production_basis == "all cases" or pair.kind == "control"


def _cases_that(count: int, one: str, many: str) -> str:
    return f"1 case that {one}" if count == 1 else f"{count} cases that {many}"


def _exceeds(value: float, limit: float) -> bool:
    """Whether a value is beyond a limit by more than the rounding of a mean."""
    return value > limit and not math.isclose(value, limit, rel_tol=1e-9)
