"""Asking the judge: one prompt, a vote or several, at most one repair each, and a verdict of what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.judge.evidence import Evidence
from pytest_llmreplay.judge.expected import expected_score
from pytest_llmreplay.judge.material import Material
from pytest_llmreplay.judge.prompt import JudgePrompt, verdict_prompt
from pytest_llmreplay.judge.reply import OffMenuError, read_reply, response_format, verdict_schema
from pytest_llmreplay.judge.votes import Vote, verdict_of, vote_of
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.ports import ModelReply, ModelRequest, Provider
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.verdict import JudgeUsage, Verdict, usage_of_all

_LIKELIEST_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the way to the judge's model is known to offer: replies held to a JSON schema, and a seed."""

    structured: bool
    seed: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one question: the reply on the menu and its tokens, or else what was wrong and the last text."""

    reply: Mapping[str, Any] | None
    usage: JudgeUsage
    last: ModelReply
    problem: str | None = None

    @property
    def text(self) -> str:
        """The last reply, as it came."""
        return self.last.message.content or self.last.message.refusal or ""


class Judging:
    """Asks a judge.

    Args:
        judge: the model and how it is asked.
        provider: the way to the model, with recordings in front.
        abilities: what that way offers.
    """

    def __init__(self, judge: Judge, provider: Provider, abilities: Abilities) -> None:
        self.judge = judge
        self.digest = judge.digest
        self._provider = provider
        self._abilities = abilities

    @property
    def structured(self) -> bool:
        """Whether the model's replies are held to a JSON schema by whoever serves it."""
        return self._abilities.structured

    def votes(self, repeat: int) -> range:
        """The numbers of the votes of a verdict; one that is asked for again (from 1) has votes of its own."""
        return range((repeat - 1) * self.judge.votes + 1, repeat * self.judge.votes + 1)

    async def verdict(self, rubric: Rubric, material: Material, *, repeat: int = 1) -> Verdict:
        """The verdict on what a trial has to show; no reply off the menu is ever taken for a decision.

        Args:
            rubric: the criteria.
            material: what the judge may be shown.
            repeat: tells one asking for the same verdict from another.

        Raises:
            InfrastructureError: the judge could not be asked.
            NotRun: the budget is used up, or the run was stopped.
        """
        schema = verdict_schema(rubric)
        shown = material.shown(rubric)
        prompt = verdict_prompt(rubric, shown, None if self.structured else schema)
        evidence = Evidence(shown, prompt.data)
        scored = self.judge.scoring == "expected" and any(c.scale == "1-5" for c in rubric.criteria)

        async def vote(number: int) -> Vote:
            asked = await self.ask(prompt, schema, number, logprobs=scored)
            return _vote(asked, rubric, evidence, scored=scored)

        votes = await asyncio.gather(*map(vote, self.votes(repeat)), return_exceptions=True)
        for failed in votes:
            if isinstance(failed, BaseException):
                raise failed
        cast = [vote for vote in votes if isinstance(vote, Vote)]
        return verdict_of(cast, rubric, judge_digest=self.digest, model=self.judge.target.model, shown=tuple(shown))

    async def ask(
        self, prompt: JudgePrompt, schema: Mapping[str, Any], number: int, *, logprobs: bool = False
    ) -> Asked:
        """Ask one question, and once more when the reply is off the menu.

        Args:
            prompt: what the judge is told.
            schema: the menu.
            number: which vote it is, from 1; each has a seed and a recording of its own.
            logprobs: whether the log-probabilities of the tokens are wanted.

        Raises:
            InfrastructureError: the judge could not be asked.
            NotRun: the budget is used up, or the run was stopped.
        """
        params = self._params(schema, number, logprobs=logprobs)
        usages: list[JudgeUsage] = []
        problem: str | None = None
        while True:
            request = ModelRequest(self.judge.target.model, prompt.messages(problem), params=params)
            reply = await self._provider.complete(request, trial=number)
            usages.append(_usage(reply))
            try:
                return Asked(read_reply(reply.message.content, schema), usage_of_all(usages), reply)
            except OffMenuError as error:
                if problem is not None:
                    return Asked(None, usage_of_all(usages), reply, f"the judge's reply is no verdict: {error}")
                problem = str(error)

    async def close(self) -> None:
        """Close the way to the judge."""
        await self._provider.close()

    def _params(self, schema: Mapping[str, Any], number: int, *, logprobs: bool) -> dict[str, Any]:
        params: dict[str, Any] = {"temperature": 0}
        if self._abilities.seed:
            params["seed"] = number
        if self.structured:
            params["response_format"] = response_format(schema)
        if logprobs:
            params |= {"logprobs": True, "top_logprobs": _LIKELIEST_TOKENS}
        params |= self.judge.target.params
        return {name: value for name, value in params.items() if value is not None}


def _usage(reply: ModelReply) -> JudgeUsage:
    return JudgeUsage(1, int(reply.live), reply.input_tokens, reply.output_tokens, reply.cost_usd)


def _vote(asked: Asked, rubric: Rubric, evidence: Evidence, *, scored: bool) -> Vote:
    if asked.reply is None:
        return Vote(asked.usage, asked.text, problem=asked.problem)
    scores: dict[str, float] = {}
    for criterion in rubric.criteria if scored else ():
        if criterion.scale == "1-5":
            score = expected_score(asked.last.tokens or (), criterion.id)
            if score is None:
                problem = "the judge gave no log-probabilities of its scores, which `scoring: expected` needs"
                return Vote(asked.usage, asked.text, problem=problem)
            scores[criterion.id] = score
    return vote_of(asked.reply, rubric, evidence, scores, asked.usage, asked.text)
