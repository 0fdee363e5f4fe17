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
    if scope == "conversation":
        groups = [*_recorded_groups(trajectory), *(group for turn in trajectory.turns for group in _groups(turn))]
        return _scoped(groups, trajectory.turns, trajectory, offered, reached=bool(trajectory.turns))
    turn = trajectory.replayed
    if turn is None:
        return ScopedCalls((), (), reached=False)
    if scope == "turn":
        return _scoped(_groups(turn), (turn,), trajectory, offered, reached=True)
    spoken = [message.tool_calls for message in turn.produced if message.role == "assistant"]
    # The first message is whole, wherever the replay stopped later.
    return ScopedCalls(read_calls(spoken[:1], offered), (), reached=bool(spoken) or turn.stop == "answered")


def _scoped(
    groups: Sequence[Sequence[ToolCall]],
    turns: Sequence[TurnReplay],
    trajectory: Trajectory,
    offered: OfferedTools,
    *,
    reached: bool,
) -> ScopedCalls:
    stopping = {id(call) for turn in turns if turn.stop != "answered" for call in _stopping_calls(turn, trajectory)}
    flat = [call for group in groups for call in group]
    stopped_at = tuple(index for index, call in enumerate(flat) if id(call) in stopping)
    return ScopedCalls(read_calls(groups, offered), stopped_at, reached)


def _groups(turn: TurnReplay) -> list[tuple[ToolCall, ...]]:
    return [message.tool_calls for message in turn.produced if message.role == "assistant" and message.tool_calls]


def _stopping_calls(turn: TurnReplay, trajectory: Trajectory) -> Sequence[ToolCall]:
    """The calls of the last message that nothing could answer; all of them when it is not known which."""
    last = _groups(turn)[-1:]
    calls = last[0] if last else ()
    unanswered = {
        (answer.name, canonical_arguments(answer.arguments))
        for answer in trajectory.tool_answers
        if answer.turn == turn.number and answer.source == "unrecorded"
    }
    stopping = [call for call in calls if (call.name, canonical_arguments(call.arguments)) in unanswered]
    return stopping or calls


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
