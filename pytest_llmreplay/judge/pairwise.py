"""Two trajectories of one case side by side, in both orders; a disagreement of the orders is a tie.

Judges favour a position (Zheng et al. 2023, arXiv 2306.05685, section 3.3; Wang et al. 2023, arXiv 2305.17926), so a
preference counts only when it stays with the trajectory and not with its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_llmreplay.judge.evidence import Evidence
from pytest_llmreplay.judge.judging import Asked, Judging
from pytest_llmreplay.judge.material import Material
from pytest_llmreplay.judge.prompt import JudgePrompt, pair_prompt
from pytest_llmreplay.judge.reply import pair_schema
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.verdict import Preference, Quote, Side, usage_of_all

_OF_THE_TARGET = ("tool_results", "answer")
_PLACES: Sequence[Mapping[str, Side]] = (
    {"first": "baseline", "second": "candidate", "tie": "tie"},
    {"first": "candidate", "second": "baseline", "tie": "tie"},
)


async def preference(
    judging: Judging, rubric: Rubric, baseline: Material, candidate: Material, *, repeat: int = 1
) -> Preference:
    """Which of two trajectories meets the rubric better; the judge is told nothing of either but what it did.

    Each order is asked as often as the judge has votes; `repeat` tells one asking for it from another.

    Raises:
        InfrastructureError: the judge could not be asked.
        NotRun: the budget is used up, or the run was stopped.
    """
    orders = (_shown(rubric, baseline, candidate), _shown(rubric, candidate, baseline))
    schema = pair_schema()
    prompts = [pair_prompt(rubric, shown, None if judging.structured else schema) for shown in orders]
    votes = judging.votes(repeat)
    replies = await asyncio.gather(
        *(judging.ask(prompt, schema, number) for prompt in prompts for number in votes), return_exceptions=True
    )
    for failed in replies:
        if isinstance(failed, BaseException):
            raise failed
    asked = [reply for reply in replies if isinstance(reply, Asked)]
    split = (asked[: len(votes)], asked[len(votes) :])
    choices = (_choice(split[0], _PLACES[0]), _choice(split[1], _PLACES[1]))
    quotes = [
        quote
        for half, shown, prompt in zip(split, orders, prompts, strict=True)
        for quote in _quotes(half, shown, prompt)
    ]
    off = next((reply for reply in asked if reply.problem is not None), None)
    lost = off is not None and None in choices
    return Preference(
        preferred=_agreed(choices),
        orders=choices,
        rubric_digest=rubric.digest,
        judge_digest=judging.digest,
        model=judging.judge.target.model,
        quotes=tuple(dict.fromkeys(quotes)),
        problem=off.problem if off and lost else None,
        text=off.text if off and lost else None,
        usage=usage_of_all([reply.usage for reply in asked]),
    )


def _shown(rubric: Rubric, first: Material, second: Material) -> dict[str, Any]:
    sides = [material.shown(rubric) for material in (first, second)]
    common = {name: part for name, part in sides[0].items() if name not in _OF_THE_TARGET}
    own = [{name: side[name] for name in _OF_THE_TARGET if name in side} for side in sides]
    return {**common, "first": own[0], "second": own[1]}


def _choice(asked: Sequence[Asked], places: Mapping[str, Side]) -> Side | None:
    """What more than half of the votes chose; no majority is a tie, unless replies off the menu are why."""
    chosen = [None if one.reply is None else places[one.reply["preferred"]] for one in asked]
    for side in places.values():
        if chosen.count(side) * 2 > len(chosen):
            return side
    return None if None in chosen else "tie"


def _agreed(choices: tuple[Side | None, Side | None]) -> Side | None:
    if None in choices:
        return None
    return choices[0] if choices[0] == choices[1] else "tie"


def _quotes(asked: Sequence[Asked], shown: Mapping[str, Any], prompt: JudgePrompt) -> Iterator[Quote]:
    evidence = Evidence(shown, prompt.data)
    for one in asked:
        for piece in one.reply["evidence"] if one.reply is not None else ():
            yield evidence.quote(piece["quote"])
