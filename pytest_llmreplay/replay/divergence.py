"""Where a replay departs from the recorded conversation."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import ToolCall, calls_of, turns_of
from pytest_llmreplay.model.trajectory import Divergence, TurnReplay


def first_divergence(case: Case, replays: Iterable[TurnReplay]) -> Divergence | None:
    """The first tool call of the replayed turns that is not as recorded, or None when all are."""
    recorded_turns = turns_of(case.messages)
    for replay in replays:
        turn = recorded_turns[replay.number - 1]
        recorded = calls_of(case.messages[turn.start : turn.stop])
        for step, (before, now) in enumerate(zip_longest(recorded, replay.calls), start=1):
            then, afterwards = _spelled(before), _spelled(now)
            if then != afterwards:
                return Divergence(replay.number, step, then, afterwards)
    return None


def _spelled(call: ToolCall | None) -> str | None:
    return None if call is None else f"{call.name}({canonical_arguments(call.arguments)})"
