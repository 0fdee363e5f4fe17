"""What a judge may be shown of a trial: never who answered, never the prompt it answered under. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message, Step, ToolCall, turns_of
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.trajectory import Trajectory

_INSTRUCTIONS = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Material:
    """A trial as it can be shown.

    `conversation` ends with the user's message that was answered, and has no system messages and no worked examples.
    `tool_results` are the calls of the turn with what came back, None where nothing did. `answer` is None when none was
    given. `documents` are what production retrieved in that turn.
    """

    answer: str | None
    conversation: tuple[Message, ...] = ()
    tool_results: tuple[tuple[ToolCall, str | None], ...] = ()
    documents: tuple[Step, ...] = ()
    reference: str | None = None
    summary: str | None = None

    def shown(self, rubric: Rubric) -> dict[str, Any]:
        """What the rubric lets the judge see, as plain data; what the case does not have is left out."""
        parts: dict[str, Any] = {
            "conversation": [_message(message) for message in self.conversation],
            "documents": [_document(step) for step in self.documents],
            "reference": self.reference,
            "summary": self.summary,
            "tool_results": [_tool_result(call, result) for call, result in self.tool_results],
            "answer": self.answer,
        }
        kept = ("answer", "tool_results")
        return {name: part for name, part in parts.items() if name in rubric.sees and (part or name in kept)}


def material_of_trial(
    case: Case, trajectory: Trajectory, *, reference: str | None = None, examples: Sequence[Message] = ()
) -> Material | None:
    """What a trial has to show; None when it never reached the failing turn.

    Args:
        case: the golden case.
        trajectory: what the target did with it.
        reference: a good answer to this case.
        examples: the variant's worked examples, which stand at the beginning of what the target saw.
    """
    replayed = trajectory.replayed
    if replayed is None:
        return None
    history = [message for message in replayed.history if message.role not in _INSTRUCTIONS]
    told = sum(message.role not in _INSTRUCTIONS for message in examples)
    return Material(
        answer=replayed.answer,
        conversation=tuple(history[told:]),
        tool_results=tuple(_with_results(replayed.produced)),
        documents=_documents(case),
        reference=reference,
        summary=case.summary,
    )


def material_of_outcome(case: Case, outcome: Outcome, *, reference: str | None = None) -> Material:
    """What an outcome has to show beside its case; a tool's result is known where production recorded it."""
    turn = next((turn for turn in turns_of(case.messages) if turn.number == case.turn), None)
    before = case.messages[: turn.start + 1] if turn else case.messages
    recorded = {(result.name, result.arguments): result.result for result in case.recorded_results}
    calls = [ToolCall(None, name, arguments) for name, arguments in outcome.calls]
    return Material(
        answer=outcome.answer,
        conversation=tuple(message for message in before if message.role not in _INSTRUCTIONS),
        tool_results=tuple((c, recorded.get((c.name, canonical_arguments(c.arguments)))) for c in calls),
        documents=_documents(case),
        reference=reference,
        summary=case.summary,
    )


def _with_results(produced: Sequence[Message]) -> Iterator[tuple[ToolCall, str | None]]:
    for index, message in enumerate(produced):
        answers = _answers_after(produced, index)
        for position, call in enumerate(message.tool_calls):
            yield call, answers[position] if position < len(answers) else None


def _answers_after(produced: Sequence[Message], index: int) -> list[str]:
    answers = []
    for message in produced[index + 1 :]:
        if message.role not in ("tool", "function"):
            break
        answers.append(message.content or "")
    return answers


def _documents(case: Case) -> tuple[Step, ...]:
    return tuple(step for step in case.steps if step.kind == "retrieval" and step.turn == case.turn)


def _message(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message.role, "text": message.content or message.refusal or ""}
    if message.tool_calls:
        shown["tool_calls"] = [{"tool": call.name, "arguments": call.arguments} for call in message.tool_calls]
    others = [] if message.content_parts is None else _other_parts(json.loads(message.content_parts))
    return {**shown, "not_shown": others} if others else shown


def _other_parts(parts: Any) -> list[str]:
    kinds = [str(part.get("type")) for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    return [kind for kind in kinds if kind != "text"]


def _tool_result(call: ToolCall, result: str | None) -> dict[str, Any]:
    return {"tool": call.name, "arguments": call.arguments, "result": result}


def _document(step: Step) -> dict[str, Any]:
    return {"name": step.name, "query": step.input, "text": step.output, "ids": list(step.document_ids)}
