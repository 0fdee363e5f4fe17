"""An expectation proposed where nobody has written one; a person approves it before it runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Conversation, ToolCall, calls_of, last_assistant_turn, turns_of
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.promote.pipeline import Step
from pytest_llmreplay.promote.recorded import recorded_trajectory

PROPOSED = "proposed"
"""The key of the case's metadata that says whence its expectation was proposed."""


def propose(like: Callable[[Case], Conversation | None]) -> Step:
    """The step that proposes an expectation to a case without one.

    `like` gives the conversation that went well with the same intent, redacted as the case is, or None.
    """

    def step(case: Case) -> Case:
        if case.expect:
            return case
        good = like(case)
        calls: dict[str, Any] = {} if good is None else _as_in(case, good)
        if case.tools and _breaks_schemas(case):
            calls["schema"] = True
        if not calls:
            return case
        source = "the schemas of the tools" if good is None else f"the calls of {good.conversation_id}"
        return replace(case, expect={"calls": calls}, metadata={**case.metadata, PROPOSED: source})

    return step


def _as_in(case: Case, good: Conversation) -> dict[str, Any]:
    wanted = _calls_of_turn(good)
    made = calls_of(recorded_trajectory(case.messages, case.turn).turns[-1].produced)
    right = {call.name for call in wanted}
    wrong = list(dict.fromkeys(call.name for call in made if call.name not in right))
    expected = [_literally(call) for call in wanted]
    calls: dict[str, Any] = {"expected": expected} if expected else {}
    if wrong:
        calls["forbidden"] = wrong
    return calls


def _calls_of_turn(conversation: Conversation) -> tuple[ToolCall, ...]:
    """The calls of the last turn in which any were made."""
    last = last_assistant_turn(conversation.messages)
    for turn in reversed(turns_of(conversation.messages)[:last]):
        made = calls_of(conversation.messages[turn.start : turn.stop])
        if made:
            return made
    return ()


def _literally(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        return {"name": call.name}
    return {"name": call.name, "args": {name: {"equals": value} for name, value in arguments.items()}}


def _breaks_schemas(case: Case) -> bool:
    expectation = parse_expectation({"calls": {"schema": True}})
    return bool(check_trajectory(expectation, recorded_trajectory(case.messages, case.turn), case.tools).failures)
