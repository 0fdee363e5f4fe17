"""Answers to the tool calls of a replay. A tool is never executed for real, so no side effect happens twice."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_llmreplay.model.canonical import canonical_arguments, digest
from pytest_llmreplay.model.case import ANY_ARGUMENTS, RecordedResult
from pytest_llmreplay.model.conversation import Tool, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.model.trajectory import ToolAnswer
from pytest_llmreplay.model.variant import Environment, Unrecorded

UNRECORDED_ERROR = json.dumps({"error": "this tool gave no result"})


class ToolBox:
    """Answers the tool calls of one trial, in this order: recorded result, stub or function, `unrecorded` policy.

    A recorded result answers a call with equal name and canonical arguments; each is used once and the last repeats.

    Args:
        results: what the tools returned in production.
        tools: the tools offered, for their effects.
        environment: stubs and allowed functions.
        functions: the environment's functions, imported.
        unrecorded: what a call that nothing can answer leads to.
    """

    def __init__(
        self,
        results: Sequence[RecordedResult],
        tools: Sequence[Tool],
        environment: Environment,
        functions: Mapping[str, Callable[..., Any]],
        unrecorded: Unrecorded,
    ) -> None:
        self._results = tuple(results)
        self._queues: dict[tuple[str, str], deque[RecordedResult]] = defaultdict(deque)
        for result in results:
            self._queues[result.name, result.arguments].append(result)
        self._readable = {tool.name for tool in tools if tool.effect == "read"}
        self._environment = environment
        self._functions = functions
        self._unrecorded = unrecorded
        self.answers: list[ToolAnswer] = []

    @property
    def digest(self) -> str:
        """Digest of all that decides what the next calls are answered with."""
        left = [[name, spelled, [r.result for r in queue]] for (name, spelled), queue in sorted(self._queues.items())]
        return digest([left, sorted(self._readable), self._unrecorded])

    def begin_turn(self, turn: int) -> None:
        """Set aside the results of earlier turns, where the same call was answered again later."""
        for queue in self._queues.values():
            while len(queue) > 1 and queue[0].turn < turn:
                queue.popleft()

    async def answer(self, call: ToolCall, turn: int) -> str | None:
        """The result of a call, or None when nothing can answer it and the policy is to stop.

        Raises:
            InfrastructureError: a function of the environment failed.
        """
        arguments = canonical_arguments(call.arguments)
        queue = self._queues.get((call.name, arguments)) or self._queues.get((call.name, ANY_ARGUMENTS))
        if queue:
            result = queue.popleft() if len(queue) > 1 else queue[0]
            self._note(call, turn, "recorded")
            return result.result
        if call.name in self._environment.stubs:
            self._note(call, turn, "stub")
            return _as_text(self._environment.stubs[call.name])
        if call.name in self._functions:
            self._note(call, turn, "function")
            return await self._call_function(call)
        return self._answer_unrecorded(call, arguments, turn)

    def _answer_unrecorded(self, call: ToolCall, arguments: str, turn: int) -> str | None:
        if self._unrecorded == "nearest" and call.name in self._readable:
            same_tool = [result for result in self._results if result.name == call.name]
            if same_tool:
                self._note(call, turn, "nearest")
                return max(same_tool, key=lambda result: _closeness(result.arguments, arguments)).result
        if self._unrecorded == "error":
            self._note(call, turn, "error")
            return UNRECORDED_ERROR
        self._note(call, turn, "unrecorded")
        return None

    async def _call_function(self, call: ToolCall) -> str:
        function = self._functions[call.name]
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            return json.dumps({"error": "the arguments are not JSON"})
        try:
            if inspect.iscoroutinefunction(function):
                result = await function(**arguments)
            else:
                result = await asyncio.to_thread(function, **arguments)
            return _as_text(result)
        except Exception as error:
            raise InfrastructureError(
                f"the environment's function for tool '{call.name}' raised {type(error).__name__}: {error}",
                code="environment_function",
            ) from error

    def _note(self, call: ToolCall, turn: int, source: Any) -> None:
        self.answers.append(ToolAnswer(turn, call.name, call.arguments, source))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _closeness(recorded: str, actual: str) -> tuple[int, float]:
    """Equal top-level arguments first, then the likeness of the texts."""
    try:
        left, right = json.loads(recorded), json.loads(actual)
        equal = sum(1 for key in left if key in right and left[key] == right[key])
    except (ValueError, TypeError, AttributeError):
        equal = 0
    return equal, difflib.SequenceMatcher(None, recorded, actual, autojunk=False).ratio()
