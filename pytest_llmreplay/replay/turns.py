"""Replaying a case turn by turn, in one of three modes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message, Tool, Turn, calls_of, lost_in, turns_of
from pytest_llmreplay.model.errors import Unmeasurable
from pytest_llmreplay.model.trajectory import StopReason, Trajectory, TurnReplay, Usage, sum_known
from pytest_llmreplay.model.variant import Environment, ReplaySettings, Variant
from pytest_llmreplay.providers.pressure import begin_trial
from pytest_llmreplay.replay.divergence import first_divergence
from pytest_llmreplay.replay.prompt import render_system_prompt
from pytest_llmreplay.replay.tools import ToolBox

ALL_LIVE = "all turns are live"


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What a target is given to answer one turn; `messages` ends with the user's message.

    `kept` is what the target keeps from one turn of a trial to the next, such as a session's id; under `ALL_LIVE` it
    says that no turn of this trial may come from a recording.
    """

    number: int
    trial: int
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    tool_box: ToolBox
    max_steps: int
    vars: Mapping[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What a target made of one turn."""

    produced: tuple[Message, ...]
    stop: StopReason
    usage: Usage


class PartlyRecorded(Exception):
    """The first turns of a trial came from recordings and a later one is not recorded, in a session that needs both."""


class TurnTarget(Protocol):
    """Something that answers one turn: a model or a callable."""

    async def run_turn(self, context: TurnContext) -> TurnResult:
        """Answer the turn.

        Raises:
            InfrastructureError: no answer could be had.
            PartlyRecorded: the trial has to begin again without recordings.
        """
        ...

    async def close(self) -> None:
        """Release what the target holds."""
        ...


class TurnReplayer:
    """Replays cases on a target that answers turns.

    Args:
        variant: the configuration under test.
        target: what answers.
        environment: stubs for tools.
        functions: the environment's functions, imported.
    """

    def __init__(
        self,
        variant: Variant,
        target: TurnTarget,
        environment: Environment,
        functions: Mapping[str, Callable[..., Any]],
    ) -> None:
        self._variant = variant
        self._target = target
        self._environment = environment
        self._functions = functions

    async def replay(self, case: Case, trial: int) -> Trajectory:
        """One trial of the case.

        Raises:
            InfrastructureError: the target could not be asked.
            Unmeasurable: the case has no such turn, or the log lost a part of what would be sent.
        """
        begin_trial()
        try:
            return await self._replay(case, trial, {})
        except PartlyRecorded:
            return await self._replay(case, trial, {ALL_LIVE: True})

    async def _replay(self, case: Case, trial: int, kept: dict[str, Any]) -> Trajectory:
        settings = self._variant.replay
        tools = offered_tools(self._variant, case) or ()
        box = ToolBox(case.recorded_results, tools, self._environment, self._functions, settings.unrecorded)
        history, turns = self._history_and_turns(case)
        replays: list[TurnReplay] = []
        usages: list[Usage] = []
        conversation = list(history)
        for turn in turns:
            if settings.mode == "each_turn":
                conversation = [*self._preamble(case), *recorded_before(case, turn)]
            conversation.append(case.messages[turn.start])
            _refuse_what_is_lost(conversation, case)
            box.begin_turn(turn.number)
            context = TurnContext(
                turn.number, trial, tuple(conversation), tools, box, settings.max_steps, case.vars, kept
            )
            result = await self._target.run_turn(context)
            replays.append(TurnReplay(turn.number, context.messages, result.produced, result.stop))
            usages.append(result.usage)
            conversation.extend(result.produced)
            if settings.mode == "conversation" and result.stop != "answered":
                break
        return Trajectory(
            turns=tuple(replays),
            failing_turn=case.turn,
            recorded_calls=calls_of(case.messages[: turns[0].start]),
            usage=total_usage(usages),
            tool_answers=tuple(box.answers),
            divergence=first_divergence(case, replays),
        )

    async def close(self) -> None:
        """Release what the target holds."""
        await self._target.close()

    def _history_and_turns(self, case: Case) -> tuple[tuple[Message, ...], tuple[Turn, ...]]:
        settings: ReplaySettings = self._variant.replay
        turns = turns_of(case.messages)
        if not 1 <= case.turn <= len(turns):
            raise Unmeasurable(f"the conversation has no turn {case.turn}", code="no_such_turn")
        if settings.mode == "failing_turn":
            turns = (turns[case.turn - 1],)
        return (*self._preamble(case), *recorded_before(case, turns[0])), turns

    def _preamble(self, case: Case) -> Iterator[Message]:
        """The system messages, with the variant's prompt in place of the recorded one, then its worked examples."""
        recorded = [message for message in _before_first_turn(case) if message.role in ("system", "developer")]
        if self._variant.system_prompt is not None:
            yield Message("system", render_system_prompt(self._variant.system_prompt, case))
            recorded = recorded[1:]
        yield from recorded
        yield from self._variant.examples


def _refuse_what_is_lost(messages: Sequence[Message], case: Case) -> None:
    """A target that is shown less than production was, or a mark in its place, is not measured by its answer.

    Raises:
        Unmeasurable: a message, or a medium in it, is not in the log.
    """
    for message in messages:
        lost = lost_in(message)
        if lost is not None:
            place = next((i for i, recorded in enumerate(case.messages) if recorded is message), None)
            where = f"a {message.role} message" if place is None else f"messages[{place}] ({message.role})"
            raise Unmeasurable(
                f"the log does not hold the {lost} of {where}; golden edit {case.case_id} can put it there", code="lost"
            )


def offered_tools(variant: Variant, case: Case) -> tuple[Tool, ...] | None:
    """The tools that the variant offers: its own, else those in the case; None when nobody says.

    An effect that the variant does not declare is the one that the case declares.
    """
    if variant.tools is None or not case.tools:
        return case.tools if variant.tools is None else variant.tools
    effects = {tool.name: tool.effect for tool in case.tools}
    return tuple(
        tool if tool.effect is not None else replace(tool, effect=effects.get(tool.name)) for tool in variant.tools
    )


def recorded_before(case: Case, turn: Turn) -> Iterator[Message]:
    """The recorded messages before a turn, without the system messages at the start."""
    yield from (m for m in _before_first_turn(case) if m.role not in ("system", "developer"))
    yield from case.messages[len(_before_first_turn(case)) : turn.start]


def total_usage(usages: list[Usage]) -> Usage:
    """The sum of what several requests took; a figure that one of them does not know is not known of the sum."""
    if len(usages) == 1:
        return usages[0]
    return Usage(
        steps=sum(usage.steps for usage in usages),
        live_steps=sum(usage.live_steps for usage in usages),
        input_tokens=sum_known([usage.input_tokens for usage in usages]),
        output_tokens=sum_known([usage.output_tokens for usage in usages]),
        cost_usd=sum_known([usage.cost_usd for usage in usages]),
        latency_s=sum_known([usage.latency_s for usage in usages]),
    )


def _before_first_turn(case: Case) -> tuple[Message, ...]:
    first = next(index for index, message in enumerate(case.messages) if message.role == "user")
    return case.messages[:first]
