"""What happened in each turn: the calls with their results, and the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmreplay.mine.signals import words
from pytest_llmreplay.model import phrases
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall, turns_of

_ERROR = re.compile(phrases.ERROR)
_NOTHING = re.compile(words.NOTHING)
_SHORT = 400


@dataclass(frozen=True, slots=True)
class Answered:
    """A call, the index of the message that made it, and its result; None when there is none.

    `marked` says that the log marks the result as an error.
    """

    message: int
    call: ToolCall
    result: str | None
    marked: bool = False

    @property
    def failed(self) -> bool:
        """Whether the result says that the call failed, or that there is nothing."""
        text = self.result
        return self.is_error or (text is not None and len(text) <= _SHORT and bool(_NOTHING.search(text)))

    @property
    def is_error(self) -> bool:
        """Whether the result, or the log, says that the call failed."""
        return self.result is not None and (self.marked or _ERROR.search(self.result) is not None)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn: its calls in order, and the index of the answer that follows the last result, if there is one."""

    turn: int
    calls: Sequence[Answered]
    answer: int | None


def exchanges(conversation: Conversation) -> Iterator[Exchange]:
    """The turns of a conversation in which tools were called."""
    listed = conversation.metadata.get("failed_tool_calls")
    marked = listed if isinstance(listed, list) else ()
    for turn in turns_of(conversation.messages):
        messages = conversation.messages[turn.start : turn.stop]
        calls = list(_answered(messages, turn.start, marked))
        if calls:
            yield Exchange(turn.number, calls, _answer(messages, turn.start))


def _answered(messages: Sequence[Message], first: int, marked: Sequence[object]) -> Iterator[Answered]:
    """Each call with its result: by id among the results that follow it, else by its place."""
    for index, message in enumerate(messages):
        if message.role != "assistant" or not message.tool_calls:
            continue
        results: list[Message] = []
        for following in messages[index + 1 :]:
            if following.role not in ("tool", "function"):
                break
            results.append(following)
        for call in message.tool_calls:
            by_id = (n for n, result in enumerate(results) if call.id is not None and result.tool_call_id == call.id)
            place = next(by_id, 0 if results else None)
            answer = None if place is None else results.pop(place)
            failed = answer is not None and answer.tool_call_id is not None and answer.tool_call_id in marked
            yield Answered(first + index, call, None if answer is None else answer.content or "", failed)


def _answer(messages: Sequence[Message], first: int) -> int | None:
    """The index of the message that speaks to the user after the last result."""
    last = max(index for index, message in enumerate(messages) if message.tool_calls or message.role == "tool")
    for index in range(last + 1, len(messages)):
        message = messages[index]
        if message.role == "assistant" and (message.content or "").strip():
            return first + index
    return None
