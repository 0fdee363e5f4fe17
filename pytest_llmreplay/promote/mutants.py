"""Mutants of a good trajectory, each wrong in one way, which an expectation that bites must fail."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_llmreplay.model.conversation import Tool, ToolCall
from pytest_llmreplay.model.trajectory import Trajectory
from pytest_llmreplay.promote.recorded import trajectory_of

_ANOTHER_TOOL = "another_tool"


def mutants(
    good: Trajectory, tools: Sequence[Tool] | None, forbidden: Sequence[str] = ()
) -> Iterator[tuple[str, Trajectory]]:
    """Every mutant with what was done to it: a call dropped, swapped, changed or added, the answer emptied."""
    calls, answer = list(good.tool_calls), good.answer
    names = [tool.name for tool in tools or ()]
    for index, call in enumerate(calls):
        others = calls[:index], calls[index + 1 :]
        yield f"{call.name} dropped", trajectory_of([*others[0], *others[1]], answer)
        other = next((name for name in names if name != call.name), _ANOTHER_TOOL)
        swapped = ToolCall(call.id, other, call.arguments)
        yield f"{call.name} swapped for {other}", trajectory_of([*others[0], swapped, *others[1]], answer)
        for name, changed in _changed_arguments(call):
            yield f"{call.name}: {name} changed", trajectory_of([*others[0], changed, *others[1]], answer)
    made = {call.name for call in calls}
    added = next((name for name in names if name not in made), _ANOTHER_TOOL)
    for name in dict.fromkeys((added, *forbidden)):
        yield f"{name} added", trajectory_of([*calls, ToolCall("added", name, "{}")], answer)
    yield "empty answer", trajectory_of(calls, "")


def _changed_arguments(call: ToolCall) -> Iterator[tuple[str, ToolCall]]:
    arguments: dict[str, Any] = json.loads(call.arguments)
    for name, value in arguments.items():
        yield name, ToolCall(call.id, call.name, json.dumps({**arguments, name: _another(value)}))


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + " and more"
    if isinstance(value, list):
        return [*value, "one more"]
    return {"another": "value"} if value is None else {**value, "another": "value"}
