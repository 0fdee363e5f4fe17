"""A group of spans as conversations: messages stitched, numbers added up, steps placed in their turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.conversation import Conversation, Message, Step, ToolCall
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.gather import Group
from pytest_llmreplay.traces.jsonable import dump
from pytest_llmreplay.traces.parts import UNAVAILABLE, with_marked_media
from pytest_llmreplay.traces.spans import Score, Span, told
from pytest_llmreplay.traces.stitch import Stitcher, Thread, key_of, split_system
from pytest_llmreplay.traces.times import iso

_KEPT_STEPS = 1000
_LONGEST_ERROR = 500


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
            whole = _with_lost_input(call, stitcher, around)
            if whole is not call:
                say(call, "the input of a call is not in the log")
            stitcher.add(whole)
    main = stitcher.main()
    if main is None or (untold and not any(m.content or m.tool_calls for m in main.body)):
        if untold or around.tools:
            failed = [failure for thread in stitcher.threads for failure in thread.failed]
            yield _without_text(group, untold, around, failed, say)
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


def _with_lost_input(call: Span, stitcher: Stitcher, around: _Around) -> Span:
    """A call whose answer was logged and its input was not: what must have been there is marked as unavailable."""
    system, body = split_system(call.messages or ())
    if body or not call.output or call.previous is not None:
        return call
    known = stitcher.main()
    last = known.body[-1] if known and known.body else None
    added: tuple[Message, ...] = ()
    if last is not None and last.role == "assistant" and last.tool_calls:
        results = results_of(last.tool_calls, around.tools, before=call.started)
        added = tuple(r or _unknown_result(c) for r, c in zip(results, last.tool_calls, strict=True))
    elif last is None or last.role == "assistant":
        added = (Message("user", None, content_parts=_unavailable("message")),)
    history = (*(system or known.system), *known.body) if known else system
    return replace(call, messages=(*history, *added))


def _unavailable(media: str) -> str:
    return dump([{"type": UNAVAILABLE, "media": media, "reason": "not in the log"}])


def _unknown_result(call: ToolCall) -> Message:
    return Message("tool", None, content_parts=_unavailable("message"), tool_call_id=call.id)


def results_of(
    calls: Sequence[ToolCall], tools: Sequence[Span], *, after: float | None = None, before: float | None = None
) -> list[Message | None]:
    """The results of calls, from the spans of the tools that ran meanwhile; each span answers one call."""
    left = [
        span
        for span in tools
        if span.result is not None
        and (after is None or span.started is None or span.started >= after)
        and (before is None or span.started is None or span.started <= before)
    ]
    results: list[Message | None] = []
    for call in calls:
        found = next((span for span in left if _answers(span, call)), None)
        if found is not None:
            left.remove(found)
        results.append(None if found is None else Message("tool", found.result, tool_call_id=call.id))
    return results


def _answers(span: Span, call: ToolCall) -> bool:
    """Whether a tool's span is that of a call: by its id, else by name and, where they are logged, arguments."""
    if span.tool_call_id and call.id:
        return span.tool_call_id == call.id
    known = span.input is None or canonical_arguments(span.input) == canonical_arguments(call.arguments)
    return span.name == call.name and known


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
    metadata = _metadata(thread, calls, every, around.others, group.scores)
    steps = (*_steps(around, calls), *_side_steps(side, calls))
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
    return sum(known) if known else None


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


def _metadata(
    thread: Thread,
    calls: Sequence[tuple[Span, int]],
    every: Sequence[Span],
    others: Sequence[Span],
    scores: Sequence[tuple[Score, str | None]],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for span in every:
        tags = (
            [*found.get("tags", ()), *span.metadata.get("tags", ())]
            if isinstance(span.metadata.get("tags", []), list)
            else []
        )
        found.update(span.metadata)
        if tags:
            found["tags"] = list(dict.fromkeys(map(str, tags)))
    last = every[-1]
    traces = list(dict.fromkeys(span.trace_id for span in every if span.trace_id))
    turns = {span.trace_id: turn for span, turn in calls if span.trace_id}
    details: dict[str, Any] = {
        "parameters": dict(last.parameters),
        "request_model": last.request_model if last.request_model != last.model else None,
        "trace_ids": traces,
        "calls": [_call_details(span, turn) for span, turn in calls],
        "errors": list(dict.fromkeys(span.error[:_LONGEST_ERROR] for span in others if span.error)),
        "failed_calls": [_failure(span, retried) for span, retried in thread.failed],
        "scores": [_score(score, turns.get(trace or "")) for score, trace in scores],
        "branches": thread.branches,
        "missing": list(dict.fromkeys((*(note for span in every for note in span.lost), *_unavailable_media(thread)))),
    }
    return {**found, **{name: value for name, value in details.items() if value}}


def _unavailable_media(thread: Thread) -> list[str]:
    return ["media"] if any(f'"{UNAVAILABLE}"' in (message.content_parts or "") for message in thread.body) else []


def _call_details(span: Span, turn: int) -> dict[str, Any]:
    return fields.without(
        {
            "turn": turn,
            "started_at": iso(span.started),
            "latency_s": span.latency_s,
            "model": span.model or span.request_model,
            "input_tokens": span.input_tokens,
            "output_tokens": span.output_tokens,
            "cost_usd": span.cost_usd,
            "finish_reason": span.finish_reason,
            "response_id": span.response_id,
            "error": span.error,
        }
    )


def _failure(span: Span, retried: bool) -> dict[str, Any]:
    return fields.without({"started_at": iso(span.started), "error": span.error or "no answer", "retried": retried})


def _score(score: Score, turn: int | None) -> dict[str, Any]:
    return fields.without(
        {"name": score.name, "value": score.value, "comment": score.comment, "turn": turn, "at": iso(score.time)}
    )


def _turn_at(span: Span, calls: Sequence[tuple[Span, int]]) -> int:
    """The turn of the next call in the span's trace, else of the last one before it."""
    near = [(call, turn) for call, turn in calls if call.trace_id == span.trace_id] or list(calls)
    later = [turn for call, turn in near if span.started is not None and (call.started or 0) >= span.started]
    return later[0] if later else near[-1][1] if near else 0


def _steps(around: _Around, calls: Sequence[tuple[Span, int]]) -> Iterator[Step]:
    broken = [span for span in around.tools if span.error]
    for span in sorted((*around.steps, *broken), key=lambda s: s.started or 0.0):
        kind: Literal["retrieval", "guardrail", "other"] = (
            span.kind if span.kind in ("retrieval", "guardrail") else "other"
        )
        yield Step(
            turn=_turn_at(span, calls),
            kind=kind,
            name=span.name,
            input=span.input,
            output=span.result if span.result is not None else span.error,
            document_ids=span.document_ids,
            status="error" if span.error else span.status,
        )


def _side_steps(side: Sequence[Thread], calls: Sequence[tuple[Span, int]]) -> Iterator[Step]:
    for thread in side:
        asked = next((m.content for m in reversed(thread.body) if m.role == "user"), None)
        answer = next((m for m in reversed(thread.body) if m.role == "assistant"), None)
        told = (
            None
            if answer is None
            else answer.content or "; ".join(f"{c.name}({c.arguments})" for c in answer.tool_calls)
        )
        spans = [span for span, _ in thread.calls] or [span for span, _ in thread.failed]
        yield Step(
            _turn_at(spans[0], calls), "other", spans[0].name, asked, told, status="error" if spans[-1].error else None
        )


def _without_text(
    group: Group,
    calls: Sequence[Span],
    around: _Around,
    failed: list[tuple[Span, bool]],
    say: Callable[[Span, str], None],
) -> Conversation:
    """The conversation of spans that hold no text: who spoke when and which tools were called, if that is logged."""
    spans = sorted((*calls, *around.tools), key=lambda span: span.started or 0.0)
    say(spans[0], "its spans hold no text: the messages are empty")
    thread = Thread(failed=[(span, bool(calls)) for span, _ in failed])
    trace: str | None = None
    for index, span in enumerate(spans):
        if not thread.body or span.trace_id != trace:
            thread.body.append(Message("user"))
            trace = span.trace_id
        if span.kind == "tool":
            call = ToolCall(span.tool_call_id, span.name or "", span.input or "")
            previous = spans[index - 1] if index else None
            if (
                previous is not None
                and previous.kind == "tool"
                and previous.trace_id == span.trace_id
                and thread.body[-1].role == "tool"
            ):
                _add_parallel(thread.body, call)
            else:
                thread.body.append(Message("assistant", tool_calls=(call,)))
            thread.body.append(
                Message("tool", span.result if span.result is not None else span.error, tool_call_id=span.tool_call_id)
            )
            continue
        following = spans[index + 1] if index + 1 < len(spans) else None
        if following is None or following.kind != "tool" or following.trace_id != span.trace_id:
            thread.body.append(Message("assistant"))
        thread.calls.append((replace(span, lost=(*span.lost, "text")), thread.turns))
    if not thread.calls:
        thread.calls = [(replace(spans[0], lost=("text",)), thread.turns)]
    return _conversation(group, thread, replace(around, tools=[s for s in around.tools if s.error]), [])


def _add_parallel(body: list[Message], call: ToolCall) -> None:
    """A further call of the same answer: it stands before the results."""
    place = next(i for i in range(len(body) - 1, -1, -1) if body[i].role == "assistant")
    body[place] = replace(body[place], tool_calls=(*body[place].tool_calls, call))


def identity(conversation: Conversation) -> str | None:
    """What shows that two records without a common id are the same conversation: the ids of calls, and all else.

    None when it made no calls: two customers may well say the same, and be answered the same.
    """
    ids = [call.id for message in conversation.messages for call in message.tool_calls if call.id]
    _, body = split_system(conversation.messages)
    return dump([ids, [key_of(message).hex() for message in body]]) if ids else None
