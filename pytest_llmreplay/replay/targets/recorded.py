"""Recordings in front of a target of one's own, which says by its version when its answers may be used again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.conversation import Message, tools_json
from pytest_llmreplay.model.errors import RecordingMissing
from pytest_llmreplay.model.ports import Recordings
from pytest_llmreplay.model.trajectory import ToolAnswer, Usage
from pytest_llmreplay.providers.recorded import RecordMode, missing_sentence
from pytest_llmreplay.replay.turns import ALL_LIVE, PartlyRecorded, TurnContext, TurnResult, TurnTarget

_RECORDED = "an earlier turn was recorded"


class RecordedTurns:
    """Answers turns from recordings, has the target answer the rest and records it.

    Where turns share a session, they all come from recordings or are all live: a live turn in a new session would
    answer without what was said before.

    Args:
        target: what answers.
        recordings: where turns are kept.
        mode: as for requests to a model.
        identity: stands for the target in its present version.
        provider: what people call the target.
        one_session: whether the target remembers earlier turns of a trial.
    """

    def __init__(
        self,
        target: TurnTarget,
        recordings: Recordings,
        mode: RecordMode,
        identity: str,
        *,
        provider: str,
        one_session: bool,
    ) -> None:
        self._target = target
        self._recordings = recordings
        self._mode = mode
        self._identity = identity
        self._provider = provider
        self._one_session = one_session

    async def run_turn(self, context: TurnContext) -> TurnResult:
        """Answer the turn from the recording, else have the target answer it.

        Raises:
            RecordingMissing: the mode allows no request and nothing is recorded.
            InfrastructureError: the target gave no answer.
            PartlyRecorded: earlier turns of this session came from recordings.
        """
        request = self._request(context)
        key = digest(request)
        recorded = None if self._mode == "all" or ALL_LIVE in context.kept else self._recordings.find(key)
        if recorded is not None:
            context.kept[_RECORDED] = True
            return _result(recorded, context)
        if self._mode == "none" or (self._mode == "once" and self._recordings.had_any):
            raise RecordingMissing(missing_sentence(self._mode, f"turn {context.number}", request, self._recordings))
        if self._one_session:
            if _RECORDED in context.kept:
                raise PartlyRecorded
            context.kept[ALL_LIVE] = True
        before = len(context.tool_box.answers)
        result = await self._target.run_turn(context)
        response = _record(result, context.tool_box.answers[before:])
        self._recordings.add(key, request=request, response=response, provider=self._provider, trial=context.trial)
        return result

    async def close(self) -> None:
        """Close the target behind."""
        await self._target.close()

    def _request(self, context: TurnContext) -> dict[str, Any]:
        return {
            "model": self._identity,
            "messages": [message.to_openai() for message in context.messages],
            "tools": tools_json(context.tools),
            "params": {
                "turn": context.number,
                "max_steps": context.max_steps,
                "vars": dict(context.vars),
                "tool_box": context.tool_box.digest,
                "trial": context.trial,
            },
        }


def _record(result: TurnResult, answers: list[ToolAnswer]) -> dict[str, Any]:
    usage = result.usage
    return {
        "produced": [message.to_openai() for message in result.produced],
        "stop": result.stop,
        "usage": [usage.steps, usage.input_tokens, usage.output_tokens, usage.cost_usd, usage.latency_s],
        "tool_answers": [[answer.turn, answer.name, answer.arguments, answer.source] for answer in answers],
    }


def _result(record: Mapping[str, Any], context: TurnContext) -> TurnResult:
    steps, input_tokens, output_tokens, cost_usd, latency_s = record["usage"]
    context.tool_box.answers.extend(ToolAnswer(*answer) for answer in record["tool_answers"])
    usage = Usage(steps, 0, input_tokens, output_tokens, cost_usd, latency_s)
    produced = tuple(Message.from_openai(message) for message in record["produced"])
    return TurnResult(produced, record["stop"], usage)
