"""Asking a judge about labelled items, repeatedly, so that its verdicts can be put beside the labels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmreplay.judge.calibration import Mode
from pytest_llmreplay.judge.judging import Judging
from pytest_llmreplay.judge.labelled import PAIR, SINGLE, material_of_item
from pytest_llmreplay.judge.labels import Given, Labelled, Labels
from pytest_llmreplay.judge.material import Material
from pytest_llmreplay.judge.pairwise import preference
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.verdict import JudgeUsage, Preference, Quote, Side, Verdict, usage_of_all

ORDERS = ("1 first", "2 first")
_WORDS = {"passed": "pass", "failed": "fail"}
_SIDES: Mapping[Side, str] = {"baseline": "1", "candidate": "2", "tie": "tie"}
_NO_VERDICT = "(no verdict)"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a judge said of labelled items: verdicts as they are compared, and by item what it pointed at."""

    given: tuple[Given, ...]
    evidence: Mapping[str, tuple[Quote, ...]]
    usage: JudgeUsage


async def ask_about(
    judging: Judging,
    rubric: Rubric,
    labels: Labels,
    mode: Mode,
    repeats: int,
    on_answer: Callable[[], None] = lambda: None,
) -> Answers:
    """Ask about every item, `repeats` times; pairs in both orders. The labels never reach the judge.

    Args:
        judging: the judge.
        rubric: the criteria.
        labels: the items.
        mode: what the items are.
        repeats: how often each question is asked, at least once.
        on_answer: called whenever an item was judged once.

    Raises:
        UserError: an item holds something that cannot be shown.
        InfrastructureError: the judge could not be asked.
        NotRun: the budget is used up.
    """
    one, columns = (_pair, PAIR) if mode == "pairwise" else (_single, SINGLE)
    # All items are read before the first is paid for.
    shown = [(item, [material_of_item(item, labels.file, name) for name in columns]) for item in labels.items.values()]

    async def ask(item: Labelled, materials: Sequence[Material], repeat: int) -> _Answer:
        answer = await one(judging, rubric, item, materials, repeat)
        on_answer()
        return answer

    asked = [ask(item, materials, repeat) for repeat in range(1, repeats + 1) for item, materials in shown]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for failed in answers:
        if isinstance(failed, BaseException):
            raise failed
    told = [answer for answer in answers if isinstance(answer, _Answer)]
    evidence: dict[str, tuple[Quote, ...]] = {}
    for answer in told:
        evidence.setdefault(answer.given[0].item_id, answer.quotes)
    return Answers(
        tuple(given for answer in told for given in answer.given), evidence, usage_of_all([a.usage for a in told])
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    given: tuple[Given, ...]
    quotes: tuple[Quote, ...]
    usage: JudgeUsage


async def _single(
    judging: Judging, rubric: Rubric, item: Labelled, materials: Sequence[Material], repeat: int
) -> _Answer:
    verdict = await judging.verdict(rubric, materials[0], repeat=repeat)
    given = Given(item.item_id, _word(verdict), item.group, repeat=repeat, score=_score(verdict, rubric))
    return _Answer((given,), tuple(q for decision in verdict.decisions for q in decision.quotes), verdict.usage)


async def _pair(
    judging: Judging, rubric: Rubric, item: Labelled, materials: Sequence[Material], repeat: int
) -> _Answer:
    preferred = await preference(judging, rubric, materials[0], materials[1], repeat=repeat)
    given = tuple(
        Given(item.item_id, _side(preferred, side), item.group, order, repeat)
        for order, side in zip(ORDERS, preferred.orders, strict=True)
    )
    return _Answer(given, preferred.quotes, preferred.usage)


def _word(verdict: Verdict) -> str:
    return _WORDS.get(verdict.status) or verdict.text or _NO_VERDICT


def _side(preferred: Preference, side: Side | None) -> str:
    return _SIDES[side] if side is not None else preferred.text or _NO_VERDICT


def _score(verdict: Verdict, rubric: Rubric) -> float | None:
    """The share that `pass_at` is held against; a criterion that must pass and does not leaves none of it."""
    if verdict.share is None:
        return None
    return 0.0 if _breaks(verdict, rubric) else verdict.share


def _breaks(verdict: Verdict, rubric: Rubric) -> bool:
    must: Sequence[str] = [criterion.id for criterion in rubric.criteria if criterion.must_pass]
    return any(decision.criterion in must and not decision.passed for decision in verdict.decisions)
