"""What the readers of call and span logs produce: model calls, steps of the application, and scores given later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from pytest_llmreplay.model.conversation import Conversation, Message, Tool

SpanKind = Literal["llm", "tool", "retrieval", "guardrail", "other"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: the file as people know it, the name that ids are made of, and the number from 1."""

    file: str
    stem: str
    record: int


@dataclass(frozen=True, slots=True)
class Event:
    """A message of a call that was logged apart from it; `choice` marks what the model answered."""

    time: float
    message: Message
    choice: bool = False
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """One model call, or one step of the application around it; None means that this record does not say.

    `trace_id` is None for calls that were logged without one; `span_id` is unique in the trace. `messages` is what the
    model got, `output` what it answered; `previous` names the response whose conversation this call continues without
    repeating it; `whole` marks a record of a whole conversation, which is no call; `answer_apart` a streamed call whose
    answer is a record of its own. Times are epoch seconds. `input` and `result` are the texts of a step, or the
    arguments and the result of a tool. `lost` says what the log cut. `metadata` is inherited by everything below it in
    its trace.
    """

    format: str
    place: Place
    span_id: str
    trace_id: str | None = None
    parent_id: str | None = None
    kind: SpanKind = "other"
    name: str | None = None
    started: float | None = None
    ended: float | None = None
    messages: tuple[Message, ...] | None = None
    output: tuple[Message, ...] | None = None
    tools: tuple[Tool, ...] | None = None
    events: tuple[Event, ...] = ()
    model: str | None = None
    request_model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    prompt_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    finish_reason: str | None = None
    error: str | None = None
    conversation_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    response_id: str | None = None
    previous: str | None = None
    tool_call_id: str | None = None
    input: str | None = None
    result: str | None = None
    document_ids: tuple[str, ...] = ()
    status: str | None = None
    lost: tuple[str, ...] = ()
    whole: bool = False
    answer_apart: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing of what was said, done or used."""
        said = (self.messages, self.output, self.events, self.input, self.result, self.input_tokens, self.error)
        return not any(said)


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement of a trace, of one span of it, or of a session, given by a person or a program."""

    name: str
    value: Any
    comment: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    session_id: str | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class Damaged:
    """A part of a record that cannot be read while the rest is."""

    reason: str


Found = Span | Score | Conversation | Damaged
Part = TypeVar("Part")

DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
"""What reading a damaged record raises: its parts are anything but what they should be."""


def reason_of(error: Exception) -> str:
    """The damage in words."""
    return str(error) if type(error) is ValueError else "its parts are not of the kinds that they should be"


def salvaged(parts: Iterable[Part], read: Callable[[Part], Iterable[Found]]) -> Iterator[Found]:
    """What is in each part; a damaged one does not take the others with it."""
    for part in parts:
        try:
            found = list(read(part))
        except DAMAGE as error:
            found = [Damaged(reason_of(error))]
        yield from found


@dataclass(frozen=True, slots=True)
class Format:
    """A reader: `accepts` says whether a record is of this format, `read` what is in it.

    `read` raises ValueError when a record is damaged. `whole_list` says of the first element of an array whether the
    array is one record. `gaps` says, for the documentation and for the reader of the output, what the format lacks.
    """

    name: str
    accepts: Callable[[Any], bool]
    read: Callable[[Any, Place], Iterable[Found]]
    gaps: str = ""
    whole_list: Callable[[Any], bool] = lambda _: False

    def knows(self, record: Any) -> bool:
        """Whether a record, however damaged, is of this format."""
        try:
            return self.accepts(record)
        except DAMAGE:
            return False


def told(span: Span) -> Span:
    """The span with the messages that were logged apart from it, as events, put in."""
    if not span.events or span.messages is not None:
        return span
    ordered = sorted(span.events, key=lambda event: event.time)
    answers = [event for event in ordered if event.choice]
    return replace(
        span,
        messages=tuple(event.message for event in ordered if not event.choice),
        output=span.output or (tuple(event.message for event in answers[:1]) or None),
        finish_reason=span.finish_reason or (answers[0].finish_reason if answers else None),
        events=(),
    )


def whole_conversation(format_name: str, place: Place, messages: tuple[Message, ...], **known: Any) -> Span:
    """The record of a whole conversation, whose last message answers when it is the assistant's."""
    answered = bool(messages) and messages[-1].role == "assistant"
    return Span(
        format=format_name,
        place=place,
        span_id=f"{place.file}#{place.record}",
        kind="llm",
        messages=messages[:-1] if answered else messages,
        output=messages[-1:] if answered else None,
        whole=True,
        **known,
    )


def time_of(span: Span) -> float | None:
    """When the span began, or the first that is known of it."""
    times = (span.started, *(event.time for event in span.events), span.ended)
    return next((time for time in times if time), None)


def merged(one: Span, other: Span) -> Span:
    """Two records of the same span as one: what the first does not say, the second may."""
    changes: dict[str, Any] = {}
    for name in _NAMES:
        mine, theirs = getattr(one, name), getattr(other, name)
        if name in ("metadata", "parameters"):
            if theirs:
                changes[name] = {**theirs, **mine}
        elif name == "events":
            changes[name] = tuple(dict.fromkeys((*mine, *theirs)))
        elif name == "kind":
            changes[name] = theirs if mine == "other" else mine
        elif mine is None or mine in ((), False):
            changes[name] = theirs
    return replace(one, **changes)


_NAMES = tuple(f.name for f in fields(Span))
