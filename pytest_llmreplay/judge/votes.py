"""From the votes of a judge to its verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, get_args

from pytest_llmreplay.judge.evidence import Evidence
from pytest_llmreplay.judge.reply import PASS
from pytest_llmreplay.model.rubric import Criterion, Rubric
from pytest_llmreplay.model.verdict import (
    Confidence,
    Decision,
    JudgeUsage,
    Quote,
    Verdict,
    VerdictStatus,
    usage_of_all,
)

_CONFIDENCES = get_args(Confidence)


@dataclass(frozen=True, slots=True)
class Vote:
    """One reply: what it decided, by criterion; nothing when it was off the menu, and `problem` says why."""

    usage: JudgeUsage
    text: str
    passed: Mapping[str, bool] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    quotes: Mapping[str, tuple[Quote, ...]] = field(default_factory=dict)
    confidence: Confidence | None = None
    problem: str | None = None


def vote_of(
    reply: Mapping[str, Any],
    rubric: Rubric,
    evidence: Evidence,
    expected: Mapping[str, float],
    usage: JudgeUsage,
    text: str,
) -> Vote:
    """A vote from a reply on the menu.

    Args:
        reply: valid under the rubric's schema.
        rubric: the criteria.
        evidence: looks the quotes up.
        expected: expected scores by criterion, instead of the sampled ones.
        usage: what it took.
        text: the reply as it came.
    """
    decisions = reply["decisions"]
    scores = {
        criterion.id: expected.get(criterion.id, float(decisions[criterion.id]))
        for criterion in rubric.criteria
        if criterion.scale == "1-5"
    }
    quotes: dict[str, list[Quote]] = {}
    for piece in reply["evidence"]:
        quotes.setdefault(piece["criterion"], []).append(evidence.quote(piece["quote"]))
    return Vote(
        usage,
        text,
        passed={criterion.id: _passed(criterion, decisions, scores) for criterion in rubric.criteria},
        scores=scores,
        quotes={name: tuple(found) for name, found in quotes.items()},
        confidence=reply["confidence"],
    )


def verdict_of(
    votes: Sequence[Vote], rubric: Rubric, *, judge_digest: str, model: str, shown: tuple[str, ...]
) -> Verdict:
    """The verdict: of each criterion what more than half of all votes decided, and unmeasured without such a majority.

    Votes off the menu count among all and decide nothing.
    """
    statuses = tuple(_status(vote.passed, rubric) for vote in votes)
    decisions = [_majority(criterion, votes) for criterion in rubric.criteria]
    decided = tuple(decision for decision in decisions if decision is not None)
    known: dict[str, Any] = {
        "rubric_digest": rubric.digest,
        "judge_digest": judge_digest,
        "model": model,
        "votes": statuses,
        "shown": shown,
        "usage": usage_of_all([vote.usage for vote in votes]),
    }
    if len(decided) < len(rubric.criteria):
        off = next(vote for vote in votes if vote.problem is not None)
        lost = sum(vote.problem is not None for vote in votes)
        said = off.problem if len(votes) == 1 else f"{lost} of {len(votes)} votes decide nothing: {off.problem}"
        agreement = statuses.count("unmeasured") / len(statuses)
        return Verdict("unmeasured", problem=said, text=off.text, agreement=agreement, **known)
    status = _status({decision.criterion: decision.passed for decision in decided}, rubric)
    agreeing = [vote for vote, said in zip(votes, statuses, strict=True) if said == status]
    return Verdict(
        status,
        decisions=decided,
        share=_share({decision.criterion: decision.passed for decision in decided}, rubric),
        confidence=_lowest(agreeing),
        agreement=len(agreeing) / len(votes),
        **known,
    )


def _passed(criterion: Criterion, decisions: Mapping[str, Any], scores: Mapping[str, float]) -> bool:
    if criterion.scale == "pass_fail":
        return bool(decisions[criterion.id] == PASS)
    return criterion.pass_from is not None and scores[criterion.id] >= criterion.pass_from


def _status(passed: Mapping[str, bool], rubric: Rubric) -> VerdictStatus:
    if not passed:
        return "unmeasured"
    if any(criterion.must_pass and not passed[criterion.id] for criterion in rubric.criteria):
        return "failed"
    # A share that is reached but for the rounding of a sum of weights is reached.
    return "passed" if _share(passed, rubric) >= rubric.pass_at - 1e-9 else "failed"


def _share(passed: Mapping[str, bool], rubric: Rubric) -> float:
    total = sum(criterion.weight for criterion in rubric.criteria)
    return sum(criterion.weight for criterion in rubric.criteria if passed[criterion.id]) / total


def _majority(criterion: Criterion, votes: Sequence[Vote]) -> Decision | None:
    for passed in (True, False):
        agreeing = [vote for vote in votes if vote.passed.get(criterion.id) is passed]
        if len(agreeing) * 2 > len(votes):
            scores = [vote.scores[criterion.id] for vote in votes if criterion.id in vote.scores]
            quotes = dict.fromkeys(quote for vote in agreeing for quote in vote.quotes.get(criterion.id, ()))
            return Decision(
                criterion.id,
                passed,
                score=median(scores) if scores else None,
                agreement=len(agreeing) / len(votes),
                quotes=tuple(quotes),
            )
    return None


def _lowest(votes: Sequence[Vote]) -> Confidence | None:
    said = [vote.confidence for vote in votes if vote.confidence is not None]
    return min(said, key=_CONFIDENCES.index) if said else None
