"""A trial: one replay of one case against one variant."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import ToolCall
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.model.trajectory import Trajectory
from pytest_llmreplay.model.variant import Variant


@dataclass(frozen=True, slots=True)
class Trial:
    """A finished trial: what the fixture `llmreplay_trial` gives.

    `case` and `trajectory` are None only when the outcome is `error` or `not_run` and never came so far.
    """

    outcome: Outcome
    variant: Variant
    case: Case | None = None
    trajectory: Trajectory | None = None

    @property
    def number(self) -> int:
        """Which trial of this case and variant it is, from 1."""
        return self.outcome.trial

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the target made in the failing turn."""
        return self.trajectory.tool_calls if self.trajectory else ()

    @property
    def answer(self) -> str | None:
        """The target's answer to the failing turn, or None when it gave none."""
        return self.trajectory.answer if self.trajectory else None
