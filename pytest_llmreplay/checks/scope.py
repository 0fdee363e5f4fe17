"""Which calls of a trajectory an expectation looks at, and where the replay of them stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmreplay.checks.called import Call, read_calls
from pytest_llmreplay.checks.tool_schema import OfferedTools
from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.expectation import Scope
from pytest_llmreplay.model.trajectory import Trajectory, TurnReplay


@dataclass(frozen=True, slots=True)
class ScopedCalls:
    """The calls in scope; `stopped_at` are indexes of those at which the replay stopped, empty when it did not.

    `reached` is whether there was anything to look at: false when the replay stopped before the scope began.
    """

    calls: tuple[Call, ...]
    stopped_at: tuple[int, ...]
    reached: bool


def calls_in_scope(trajectory: Trajectory, scope: Scope, offered: OfferedTools) -> ScopedCalls:
    """The calls that an expectation with this scope looks at."""
    turn = trajectory.replayed
    if scope == "conversation":
        return _scoped(_recorded_groups(trajectory), trajectory.turns, trajectory, offered)
    if turn is None:
        return ScopedCalls((), (), reached=False)
    if scope == "turn":
        return _scoped([], (turn,), trajectory, offered)
    spoken = [message.tool_calls for message in turn.produced if message.role == "assistant"]
    # The first message is whole, wherever the replay stopped later.
    return ScopedCalls(read_calls(spoken[:1], offered), (), reached=bool(spoken) or turn.stop == "answered")


def _scoped(
    before: list[tuple[ToolCall, ...]], turns: Sequence[TurnReplay], trajectory: Trajectory, offered: OfferedTools
) -> ScopedCalls:
    groups = list(before)
    stopped_at: list[int] = []
    for turn in turns:
        made = _groups(turn)
        groups += made
        if turn.stop != "answered" and made:
            start = sum(map(len, groups)) - len(made[-1])
            stopped_at += (start + index for index in _stopping(made[-1], turn.number, trajectory))
    return ScopedCalls(read_calls(groups, offered), tuple(stopped_at), reached=bool(turns))


def _groups(turn: TurnReplay) -> list[tuple[ToolCall, ...]]:
    return [message.tool_calls for message in turn.produced if message.role == "assistant" and message.tool_calls]


def _stopping(calls: Sequence[ToolCall], turn: int, trajectory: Trajectory) -> Sequence[int]:
    """Which calls of a turn's last message nothing could answer; all of them when that is not known."""
    unanswered = {
        (answer.name, canonical_arguments(answer.arguments))
        for answer in trajectory.tool_answers
        if answer.turn == turn and answer.source == "unrecorded"
    }
    stopping = [i for i, call in enumerate(calls) if (call.name, canonical_arguments(call.arguments)) in unanswered]
    return stopping or range(len(calls))


def _recorded_groups(trajectory: Trajectory) -> list[tuple[ToolCall, ...]]:
    """The recorded calls by message, as far as the history still has them; worked examples before it do not count."""
    recorded = trajectory.recorded_calls
    history = trajectory.turns[0].history if trajectory.turns else ()
    groups = list(_last_groups(history, len(recorded)))
    if tuple(call for group in groups for call in group) == recorded:
        return groups
    return [(call,) for call in recorded]


def _last_groups(history: Sequence[Message], count: int) -> Iterator[tuple[ToolCall, ...]]:
    groups = [message.tool_calls for message in history if message.role == "assistant" and message.tool_calls]
    start, left = len(groups), count
    while start and left > 0:
        start -= 1
        left -= len(groups[start])
    yield from groups[start:]
