"""A model as target: asked again after each tool call until it answers."""

from __future__ import annotations

from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.ports import ModelReply, ModelRequest, Provider
from pytest_llmreplay.model.trajectory import StopReason, Usage
from pytest_llmreplay.model.variant import ModelTarget
from pytest_llmreplay.replay.turns import TurnContext, TurnResult, total_usage


class ModelTurns:
    """Answers turns with a model.

    Args:
        config: the variant's target.
        provider: the way to the model.
    """

    def __init__(self, config: ModelTarget, provider: Provider) -> None:
        self._config = config
        self._provider = provider

    async def run_turn(self, context: TurnContext) -> TurnResult:
        """Ask the model, answer its tool calls and ask again, at most `max_steps` times.

        Raises:
            InfrastructureError: the model gave no usable answer.
        """
        produced: list[Message] = []
        usages: list[Usage] = []
        stop: StopReason = "max_steps"
        for _ in range(context.max_steps):
            reply = await self._ask(context, produced)
            usages.append(_usage(reply))
            produced.append(reply.message)
            if not reply.message.tool_calls:
                stop = "answered"
                break
            if not await answer_calls(context, reply.message, produced):
                stop = "unrecorded"
                break
        return TurnResult(tuple(produced), stop, total_usage(usages))

    async def close(self) -> None:
        """Close the way to the model."""
        await self._provider.close()

    async def _ask(self, context: TurnContext, produced: list[Message]) -> ModelReply:
        request = ModelRequest(
            model=self._config.model,
            messages=(*context.messages, *produced),
            tools=context.tools,
            params=self._config.params,
        )
        return await self._provider.complete(request, trial=context.trial)


async def answer_calls(context: TurnContext, message: Message, produced: list[Message]) -> bool:
    """Append a tool message for each call of the message; False when one of them cannot be answered."""
    for index, call in enumerate(message.tool_calls):
        result = await context.tool_box.answer(call, context.number)
        if result is None:
            return False
        produced.append(Message("tool", result, tool_call_id=call.id or f"call_{index}"))
    return True


def _usage(reply: ModelReply) -> Usage:
    return Usage(
        steps=1,
        live_steps=int(reply.live),
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cost_usd=reply.cost_usd,
        latency_s=reply.latency_s,
    )
