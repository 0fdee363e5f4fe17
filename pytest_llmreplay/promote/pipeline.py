"""From logged conversations to golden cases, one step after the other.

A step takes a case and gives it back changed, or raises `StoppedError`: that case is not written and the others are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_llmreplay.model.canonical import text_digest
from pytest_llmreplay.model.case import Case, Kind, Provenance, recorded_results_of
from pytest_llmreplay.model.conversation import Conversation, last_assistant_turn, turns_of
from pytest_llmreplay.model.errors import LlmReplayError
from pytest_llmreplay.promote.logged import complained_turn, correlation_ids, logged_intent, logged_tags

Step = Callable[[Case], Case]


class StoppedError(LlmReplayError):
    """One case cannot be promoted; the others are not affected."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What all cases of one promotion share.

    `turn` is the failing turn; None takes the one that carries the negative feedback, where the log knows it (not of a
    control), else the last in which the assistant did something. `sha256_of` gives the digest of a source file. Times
    are ISO 8601.
    """

    suite: str
    kind: Kind
    promoted_at: str
    promoted_by: str | None = None
    turn: int | None = None
    sha256_of: Callable[[str], str | None] = field(default=lambda _file: None)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A conversation that did not become a case, and why."""

    conversation_id: str
    why: str


def promote(
    conversations: Iterable[Conversation], promotion: Promotion, steps: Sequence[Step]
) -> Iterator[Case | Stopped]:
    """Turn conversations into cases.

    Args:
        conversations: what was selected.
        promotion: what the cases share.
        steps: what is done to each case, in order.

    Yields:
        A case, or what stopped it, for every conversation.
    """
    for conversation in conversations:
        try:
            case = draft_case(conversation, promotion)
            for step in steps:
                case = step(case)
        except StoppedError as error:
            yield Stopped(conversation.conversation_id, str(error))
        else:
            yield case


def draft_case(conversation: Conversation, promotion: Promotion) -> Case:
    """The case that a conversation makes, before any step.

    Raises:
        StoppedError: it has no user message, or no such turn.
    """
    turn = _failing_turn(conversation, promotion)
    return Case(
        case_id=case_id(conversation.conversation_id, turn),
        suite=promotion.suite,
        kind=promotion.kind,
        status="draft",
        messages=conversation.messages,
        turn=turn,
        intent=logged_intent(conversation.metadata),
        tags=logged_tags(conversation.metadata),
        tools=conversation.tools,
        vars=_vars(conversation),
        occurred_at=conversation.started_at,
        steps=conversation.steps,
        recorded_results=recorded_results_of(conversation.messages),
        metadata=_metadata(conversation),
        provenance=_provenance(conversation, promotion),
    )


def case_id(conversation_id: str, turn: int) -> str:
    """The id of a case: a readable form of its source's id, and a hash of that id and the turn."""
    slug = re.sub(r"[^a-z0-9]+", "-", conversation_id.lower()).strip("-")[:40].strip("-") or "case"
    source = text_digest(f"{conversation_id}\n{turn}")
    return f"{slug}-{source[:8]}"


def _failing_turn(conversation: Conversation, promotion: Promotion) -> int:
    wanted = promotion.turn
    count = len(turns_of(conversation.messages))
    if count == 0:
        raise StoppedError("the conversation has no user message")
    if wanted is None:
        complained = complained_turn(conversation) if promotion.kind == "incident" else None
        return complained or last_assistant_turn(conversation.messages) or count
    if not 1 <= wanted <= count:
        raise StoppedError(f"there is no turn {wanted}; the conversation has {count}")
    return wanted


def _vars(conversation: Conversation) -> Mapping[str, Any]:
    """The variables of the prompt's template, where the log keeps them in a column `vars`."""
    logged = conversation.metadata.get("vars")
    return dict(logged) if isinstance(logged, Mapping) else {}


def _metadata(conversation: Conversation) -> dict[str, Any]:
    known = {
        "model": conversation.model,
        "prompt_version": conversation.prompt_version,
        "user_id": conversation.user_id,
        "session_id": conversation.session_id,
        "segment": conversation.segment,
        "feedback": dict(conversation.feedback) or None,
        "latency_s": conversation.latency_s,
        "input_tokens": conversation.input_tokens,
        "output_tokens": conversation.output_tokens,
        "cost_usd": conversation.cost_usd,
        "error": conversation.error,
        "finish_reason": conversation.finish_reason,
    }
    logged = {name: value for name, value in conversation.metadata.items() if name != "vars" or not _vars(conversation)}
    return {**logged, **{name: value for name, value in known.items() if value is not None}}


def _provenance(conversation: Conversation, promotion: Promotion) -> Provenance:
    source = conversation.source_file
    return Provenance(
        trace_id=conversation.conversation_id,
        source_file=source,
        source_sha256=None if source is None else promotion.sha256_of(source),
        row=conversation.record,
        format=conversation.format,
        model=conversation.model,
        prompt_version=conversation.prompt_version,
        promoted_at=promotion.promoted_at,
        promoted_by=promotion.promoted_by,
        correlation_ids=correlation_ids(conversation.metadata),
    )


def with_status(case: Case) -> Case:
    """A case with an expectation is at once open (an incident) or fixed (a control); without one it stays a draft.

    A proposed expectation is a draft too, until a person approves it.
    """
    if not case.expect or "proposed" in case.metadata:
        return case
    return replace(case, status="fixed" if case.kind == "control" else "open")
