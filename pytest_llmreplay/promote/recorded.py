"""What production did, as a trajectory on which an expectation can be checked."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmreplay.model.conversation import Message, ToolCall, calls_of, turns_of
from pytest_llmreplay.model.trajectory import Trajectory, TurnReplay


def recorded_trajectory(messages: Sequence[Message], turn: int) -> Trajectory:
    """The recorded conversation up to and with its failing turn, as if it had been replayed."""
    messages = tuple(messages)
    turns = tuple(
        TurnReplay(t.number, messages[: t.start + 1], messages[t.start + 1 : t.stop])
        for t in turns_of(messages)
        if t.number <= turn
    )
    return Trajectory(turns=turns, failing_turn=turn, recorded_calls=calls_of(turns[0].history) if turns else ())


def trajectory_of(calls: Sequence[ToolCall], answer: str | None) -> Trajectory:
    """A trajectory of one turn in which these calls were made, one after the other, and this was answered."""
    produced: list[Message] = []
    for call in calls:
        produced += [Message("assistant", tool_calls=(call,)), Message("tool", "{}", tool_call_id=call.id)]
    produced.append(Message("assistant", answer or ""))
    return Trajectory(turns=(TurnReplay(1, (Message("user", ""),), tuple(produced)),), failing_turn=1)
