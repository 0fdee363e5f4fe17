"""A Python callable as target: one's own application, called in process."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError, LlmReplayError
from pytest_llmreplay.model.trajectory import StopReason, Usage
from pytest_llmreplay.model.variant import CallableTarget
from pytest_llmreplay.replay.targets.model import answer_calls
from pytest_llmreplay.replay.turns import TurnContext, TurnResult, total_usage


class ReplayStoppedError(LlmReplayError):
    """Nothing can answer a tool call, so the replay ends here; a callable lets it pass."""


class Replay:
    """What a callable gets as its third argument; its tools are answered as in any replay."""

    def __init__(self, context: TurnContext) -> None:
        self._context = context
        self.trial = context.trial
        self.turn = context.number
        self.produced: list[Message] = []
        self.stopped = False

    async def tool(self, name: str, args: Mapping[str, Any] | None = None) -> str:
        """The result of a tool call, as the model would see it.

        Raises:
            ReplayStoppedError: nothing can answer the call; let it pass.
        """
        call = ToolCall(f"replay_{len(self.produced)}", name, json.dumps(dict(args or {}), ensure_ascii=False))
        message = Message("assistant", tool_calls=(call,))
        self.produced.append(message)
        if not await answer_calls(self._context, message, self.produced):
            self.stopped = True
            raise ReplayStoppedError(f"no result is recorded for {name}")
        return self.produced[-1].content or ""


class CallableTurns:
    """Answers turns with `function(messages, tools, replay)`, sync or async.

    The function returns an assistant message (a mapping), text, or a list of messages; a message with tool calls is
    answered and the function is called again with all that happened so far.
    """

    def __init__(self, config: CallableTarget, function: Callable[..., Any]) -> None:
        self._config = config
        self._function = function
        self._places = asyncio.Semaphore(config.max_concurrency)

    async def run_turn(self, context: TurnContext) -> TurnResult:
        """Call the function until it answers, at most `max_steps` times.

        Raises:
            InfrastructureError: the function raised, took too long or returned something else.
        """
        produced: list[Message] = []
        usages: list[Usage] = []
        stop: StopReason = "max_steps"
        for _ in range(context.max_steps):
            replay = Replay(context)
            started = time.perf_counter()
            returned = await self._call(context, produced, replay)
            usages.append(Usage(steps=1, live_steps=1, latency_s=time.perf_counter() - started))
            produced.extend(replay.produced)
            if replay.stopped:
                stop = "unrecorded"
                break
            messages = _messages(returned, self._config.function)
            produced.extend(messages)
            if not messages[-1].tool_calls:
                stop = "answered"
                break
            if not await answer_calls(context, messages[-1], produced):
                stop = "unrecorded"
                break
        return TurnResult(tuple(produced), stop, total_usage(usages))

    async def close(self) -> None:
        """Nothing is held."""

    async def _call(self, context: TurnContext, produced: list[Message], replay: Replay) -> Any:
        messages = [message.to_openai() for message in (*context.messages, *produced)]
        tools = [tool.to_openai() for tool in context.tools]
        try:
            async with self._places, asyncio.timeout(self._config.timeout_s):
                if inspect.iscoroutinefunction(self._function):
                    return await self._function(messages, tools, replay)
                result = await asyncio.to_thread(self._function, messages, tools, replay)
                return await result if inspect.isawaitable(result) else result
        except ReplayStoppedError:
            return None
        except TimeoutError as error:
            raise InfrastructureError(
                f"{self._config.function} gave no answer within {self._config.timeout_s:g} s", code="timeout"
            ) from error
        except LlmReplayError:
            raise
        except Exception as error:
            if replay.stopped:
                return None
            raise InfrastructureError(
                f"{self._config.function} raised {type(error).__name__}: {error}", code="callable_raised"
            ) from error


def _messages(returned: Any, function: str) -> list[Message]:
    if isinstance(returned, str):
        return [Message("assistant", returned)]
    if isinstance(returned, Mapping):
        returned = [{"role": "assistant", **returned}]
    if not isinstance(returned, Sequence) or not returned:
        raise InfrastructureError(
            f"{function} returned {type(returned).__name__}; allowed: text, an assistant message, a list of messages",
            code="callable_returned",
        )
    try:
        messages = [m if isinstance(m, Message) else Message.from_openai(m) for m in returned]
    except (ValueError, AttributeError) as error:
        raise InfrastructureError(f"{function} returned a bad message: {error}", code="callable_returned") from error
    if messages[-1].role != "assistant":
        raise InfrastructureError(
            f"{function} returned messages that do not end with the assistant", code="callable_returned"
        )
    return messages
