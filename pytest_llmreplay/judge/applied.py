"""What a verdict does to an outcome: only a verdict that counts decides anything. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_llmreplay.model.errors import InfrastructureError, LlmReplayError, NotRun
from pytest_llmreplay.model.outcome import Outcome, OutcomeStatus, Reason, outcome_status
from pytest_llmreplay.model.rubric import Criterion, Rubric
from pytest_llmreplay.model.verdict import Decision, Verdict

CHECK = "rubric"


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """The judged part of a case.

    `alone` says that the case expects nothing else, `required` that the gate wants the verdict to count. `advisory`
    says why it does not count, and is None when it does.
    """

    rubric: Rubric
    reference: str | None
    alone: bool
    required: bool
    advisory: str | None


def applied(outcome: Outcome, part: JudgedPart, verdict: Verdict | None, trouble: LlmReplayError | None) -> Outcome:
    """The outcome with its verdict.

    A verdict that counts fails the outcome, or leaves it unmeasured when it is itself. Trouble on the way to the judge
    is that of the trial only where its verdict would have decided: a failed check stands without it, and so does every
    result of the checks beside a verdict that is advisory. An advisory verdict, or none, changes nothing but what it
    was needed for: a rubric that stands alone, or that the gate requires, is then unmeasured.

    Args:
        outcome: what the deterministic checks came to.
        part: the judged part of the case.
        verdict: what the judge said; None when it was not asked.
        trouble: why there is no verdict although it was asked for.
    """
    if verdict is not None:
        outcome = _with_verdict(outcome, replace(verdict, advisory=part.advisory))
    if part.advisory is not None:
        return _without_power(outcome, part)
    if verdict is None:
        return outcome
    if trouble is not None and outcome.status != "failed":
        return _with_reason(outcome, _status_of(trouble), trouble)
    if verdict.status == "unmeasured":
        return _and_unmeasured(outcome, "no_verdict", verdict.problem or "the judge came to no verdict")
    reasons = tuple(_reasons(part.rubric, verdict)) if verdict.status == "failed" else ()
    status = outcome_status(
        failures=outcome.status == "failed" or verdict.status == "failed", unmeasured=outcome.status == "unmeasured"
    )
    return replace(outcome, status=status, reasons=(*outcome.reasons, *reasons))


def _with_verdict(outcome: Outcome, verdict: Verdict) -> Outcome:
    usage = verdict.usage
    return replace(
        outcome,
        verdict=verdict,
        judge_calls=usage.calls,
        judge_live_calls=usage.live_calls,
        judge_input_tokens=usage.input_tokens,
        judge_output_tokens=usage.output_tokens,
        judge_cost_usd=usage.cost_usd,
    )


def _without_power(outcome: Outcome, part: JudgedPart) -> Outcome:
    if part.alone:
        said = f"the case has nothing but a rubric, and verdicts do not count: {part.advisory}"
        return _and_unmeasured(outcome, "advisory", said)
    if part.required:
        return _and_unmeasured(outcome, "advisory", f"the gate requires a judge that counts: {part.advisory}")
    return outcome


def _and_unmeasured(outcome: Outcome, code: str, message: str) -> Outcome:
    status = outcome_status(failures=outcome.status == "failed", unmeasured=True)
    return replace(outcome, status=status, reasons=(*outcome.reasons, Reason(CHECK, code, message)))


def _with_reason(outcome: Outcome, status: OutcomeStatus, trouble: LlmReplayError) -> Outcome:
    code = trouble.code if isinstance(trouble, InfrastructureError | NotRun) else "judge"
    reason = Reason(CHECK, code, f"the judge could not be asked: {trouble}")
    return replace(outcome, status=status, reasons=(*outcome.reasons, reason))


def _status_of(trouble: LlmReplayError) -> OutcomeStatus:
    return "not_run" if isinstance(trouble, NotRun) else "error"


def _reasons(rubric: Rubric, verdict: Verdict) -> Iterator[Reason]:
    criteria = {criterion.id: criterion for criterion in rubric.criteria}
    for decision in verdict.decisions:
        if not decision.passed:
            yield _reason(criteria[decision.criterion], decision)


def _reason(criterion: Criterion, decision: Decision) -> Reason:
    scored = decision.score is not None
    return Reason(
        CHECK,
        "must_pass" if criterion.must_pass else "criterion",
        f"{criterion.id}: the judge says no: {' '.join(criterion.question.split())}",
        path=f"criteria.{criterion.id}",
        expected=f"{criterion.pass_from} or more" if scored else "pass",
        actual=f"{decision.score:g}" if scored else "fail",
    )
