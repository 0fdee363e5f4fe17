"""A group of spans as conversations: messages stitched, numbers added up, steps placed in their turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_llmreplay.model.canonical import text_digest
from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.details import metadata_of, side_steps_of, steps_of
from pytest_llmreplay.traces.gather import Group
from pytest_llmreplay.traces.jsonable import as_int, dump
from pytest_llmreplay.traces.lost import results_of, thread_without_text, with_lost_input
from pytest_llmreplay.traces.parts import with_marked_media
from pytest_llmreplay.traces.spans import Span, told
from pytest_llmreplay.traces.stitch import Stitcher, Thread, key_of, split_system
from pytest_llmreplay.traces.times import iso

_KEPT_STEPS = 1000


@dataclass(slots=True)
class _Around:
    """What a group holds beside its calls."""

    tools: list[Span] = field(default_factory=list)
    steps: list[Span] = field(default_factory=list)
    others: list[Span] = field(default_factory=list)


def conversations_of(group: Group, say: Callable[[Span, str], None]) -> Iterator[Conversation]:
    """The conversations in a group; `say` is told of a call what the log does not hold of it."""
    around = _Around()
    stitcher = Stitcher(joined=group.joined)
    untold: list[Span] = []
    for span in _whole_last(group.spans):
        if span.kind != "llm":
            _keep(around, span)
            continue
        call = _finished(span)
        for note in call.lost:
            say(call, note)
        if call.messages is None and call.output is None and call.error is None:
            untold.append(_bare(call))
        else:
            whole = with_lost_input(call, stitcher.main(), around.tools)
            if whole is not call:
                say(call, "the input of a call is not in the log")
            stitcher.add(whole)
    main = stitcher.main()
    if main is None or (untold and not any(m.content or m.tool_calls for m in main.body)):
        if untold or around.tools:
            failed = [failure for thread in stitcher.threads for failure in thread.failed]
            say((untold or around.tools)[0], "its spans hold no text: the messages are empty")
            thread = thread_without_text(untold, around.tools, failed)
            around.tools = [span for span in around.tools if span.error]
            yield _conversation(group, thread, around, [])
            return
        if main is None:
            return
    separate, side = _others(stitcher.threads, main, joined=group.joined)
    yield _conversation(group, main, around, side)
    for number, thread in enumerate(separate, start=2):
        yield _conversation(group, thread, _Around(), [], suffix=f"-{number}" if group.key else "")


def _whole_last(spans: Iterable[Span]) -> Iterator[Span]:
    """The spans in their order, but records of whole conversations after the calls that made them."""
    whole: list[Span] = []
    for span in spans:
        if span.whole:
            whole.append(span)
        else:
            yield span
    yield from whole


def _keep(around: _Around, span: Span) -> None:
    place = around.tools if span.kind == "tool" else around.others if span.kind == "other" else around.steps
    if len(place) < _KEPT_STEPS:
        place.append(span)


def _bare(span: Span) -> Span:
    return replace(span, messages=None, output=None, events=())


def _finished(span: Span) -> Span:
    """The call with all that is known of its messages; media that the log lost are marked."""
    span = told(span)
    if span.error is not None and span.output and not any(map(_says_something, span.output)):
        span = replace(span, output=None)
    return replace(span, messages=_marked(span.messages), output=_marked(span.output))


def _says_something(message: Message) -> bool:
    return bool(message.content or message.tool_calls or message.content_parts or message.refusal)


def _marked(messages: tuple[Message, ...] | None) -> tuple[Message, ...] | None:
    return None if messages is None else tuple(with_marked_media(message)[0] for message in messages)


def _others(threads: Sequence[Thread], main: Thread, *, joined: bool) -> tuple[list[Thread], list[Thread]]:
    """Conversations of their own, and calls on the side such as a router or a title: those have other instructions."""
    separate: list[Thread] = []
    side: list[Thread] = []
    for thread in threads:
        if thread is not main and thread.body:
            alike = not joined and (thread.system[:1] == main.system[:1])
            (separate if alike else side).append(thread)
    return separate, side


def _conversation(
    group: Group, thread: Thread, around: _Around, side: Sequence[Thread], suffix: str = ""
) -> Conversation:
    calls = [(span, turn) for span, turn in thread.calls if not span.whole] or thread.calls
    spans = [span for span, _ in calls]
    every = [*(span for span, _ in thread.failed), *spans]
    last = every[-1]
    messages = _answered(thread, around.tools, last)
    error = _error(thread, last, around.tools, messages)
    broken = [span for span in around.tools if span.error]
    metadata = metadata_of(thread, calls, every, around.others, group.scores)
    steps = (*steps_of((*around.steps, *broken), calls), *side_steps_of(side, calls))
    feedback = {score.name: score.value for score, _ in sorted(group.scores, key=lambda item: item[0].time or 0.0)}
    starts = [span.started for span in every if span.started is not None]
    ends = [span.ended for span in every if span.ended is not None]
    known = _named(every)
    return Conversation(
        conversation_id=(group.key or f"{every[0].place.stem}-{every[0].place.record}") + suffix,
        messages=messages,
        tools=next((span.tools for span in reversed(every) if span.tools is not None), None),
        started_at=iso(min(starts, default=None)),
        ended_at=iso(max(ends, default=None)),
        model=last.model or last.request_model,
        prompt_version=known["prompt_version"] or fields.text(metadata, *fields.PROMPT_VERSION),
        user_id=known["user_id"],
        session_id=known["session_id"],
        segment=fields.text(metadata, *fields.SEGMENT),
        steps=steps,
        feedback=feedback,
        latency_s=_sum(span.latency_s for span in spans),
        input_tokens=_total(span.input_tokens for span in spans),
        output_tokens=_total(span.output_tokens for span in spans),
        cost_usd=_sum(span.cost_usd for span in spans),
        error=error,
        finish_reason=last.finish_reason,
        format=last.format,
        source_file=last.place.file,
        record=last.place.record,
        metadata={name: value for name, value in metadata.items() if name not in fields.SEGMENT},
    )


def _named(spans: Sequence[Span]) -> dict[str, str | None]:
    """What the last span that says it says."""
    return {
        name: next((getattr(span, name) for span in reversed(spans) if getattr(span, name) is not None), None)
        for name in ("prompt_version", "user_id", "session_id")
    }


def _sum(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _total(values: Iterator[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return as_int(sum(known)) if known else None


def _answered(thread: Thread, tools: Sequence[Span], last: Span) -> tuple[Message, ...]:
    """The thread's messages; when it ends in calls of tools that ran, with their results."""
    messages = thread.messages
    if not messages or not messages[-1].tool_calls:
        return messages
    results = results_of(messages[-1].tool_calls, tools, after=last.started)
    return (*messages, *(result for result in results if result is not None))


def _error(thread: Thread, last: Span, tools: Sequence[Span], messages: Sequence[Message]) -> str | None:
    """What ended the conversation: a call that failed and was not made again, or a tool that broke it off."""
    open_failures = [
        span for span, retried in thread.failed if not retried and (span.started or 0) >= (last.started or 0)
    ]
    if open_failures:
        return open_failures[-1].error or "no answer"
    if messages and messages[-1].role == "assistant" and messages[-1].tool_calls:
        broken = [span.error for span in tools if span.error and (span.started or 0) >= (last.started or 0)]
        if broken:
            return broken[-1]
    return last.error


def identity(conversation: Conversation) -> str | None:
    """What shows that two records without a common id are the same conversation: the ids of calls, and all else.

    None when it made no calls: two customers may well say the same, and be answered the same.
    """
    ids = [call.id for message in conversation.messages for call in message.tool_calls if call.id]
    _, body = split_system(conversation.messages)
    return text_digest(dump([ids, [key_of(message).hex() for message in body]])) if ids else None
