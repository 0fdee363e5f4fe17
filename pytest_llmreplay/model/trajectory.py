"""All that happened in a trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pytest_llmreplay.model.conversation import Message, ToolCall, calls_of

N = TypeVar("N", int, float)

StopReason = Literal["answered", "unrecorded", "max_steps"]
ToolAnswerSource = Literal["recorded", "stub", "function", "nearest", "error", "unrecorded", "live"]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """How one tool call of a replay was answered; `unrecorded` means that nothing could answer it."""

    turn: int
    name: str
    arguments: str
    source: ToolAnswerSource


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where a replay departs from the recorded conversation; `step` counts calls from 1."""

    turn: int
    step: int
    recorded: str | None
    actual: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a trial consumed. None means that it is not known. `steps` counts requests to the target."""

    steps: int = 0
    live_steps: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None

    @property
    def live_share(self) -> float:
        """Share of the requests that were really sent, from 0 (all from recordings) to 1."""
        return self.live_steps / self.steps if self.steps else 0.0


@dataclass(frozen=True, slots=True)
class TurnReplay:
    """One replayed turn: the messages that the target saw before it and those that the target produced."""

    number: int
    history: tuple[Message, ...]
    produced: tuple[Message, ...]
    stop: StopReason = "answered"

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that the target made in this turn."""
        return calls_of(self.produced)

    @property
    def answer(self) -> str | None:
        """The text of the last assistant message, if the turn came to an answer."""
        if self.stop != "answered":
            return None
        spoken = [m for m in self.produced if m.role == "assistant" and not m.tool_calls]
        return (spoken[-1].content or spoken[-1].refusal or "") if spoken else None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a target did with a case.

    `turns` are the replayed turns in order, `failing_turn` the number of the turn that the case is about.
    `recorded_calls` are the calls in the recorded history before the first replayed turn.
    """

    turns: tuple[TurnReplay, ...]
    failing_turn: int
    recorded_calls: tuple[ToolCall, ...] = ()
    usage: Usage = field(default_factory=Usage)
    tool_answers: tuple[ToolAnswer, ...] = ()
    divergence: Divergence | None = None

    @property
    def replayed(self) -> TurnReplay | None:
        """The replay of the failing turn, or None when the trial never reached it."""
        return next((turn for turn in self.turns if turn.number == self.failing_turn), None)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as it stood when the last replayed turn ended."""
        return self.turns[-1].history + self.turns[-1].produced if self.turns else ()

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of the failing turn."""
        return self.replayed.calls if self.replayed else ()

    @property
    def answer(self) -> str | None:
        """The answer to the failing turn, or None when it was never given."""
        return self.replayed.answer if self.replayed else None

    @property
    def recorded_share(self) -> float | None:
        """Share of the tool calls that were answered from recordings; None when there were no calls."""
        return share(answer.source in ("recorded", "nearest") for answer in self.tool_answers)


def share(flags: Iterable[bool]) -> float | None:
    """How many of the flags are set, from 0 to 1; None when there are none."""
    values = list(flags)
    return sum(values) / len(values) if values else None


def sum_known(values: Iterable[N | None]) -> N | None:
    """The sum; a figure that is not known of one of them is not known of the sum, nor of none at all."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if listed and len(known) == len(listed) else None
