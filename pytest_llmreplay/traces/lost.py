"""What a log does not hold of a conversation: marked where it must have been, or rebuilt from what there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.conversation import UNAVAILABLE, Message, ToolCall
from pytest_llmreplay.traces.jsonable import dump
from pytest_llmreplay.traces.spans import Span
from pytest_llmreplay.traces.stitch import Thread, split_system


def with_lost_input(call: Span, known: Thread | None, tools: Sequence[Span]) -> Span:
    """A call whose answer was logged and its input was not: what must have been there is marked as unavailable."""
    system, body = split_system(call.messages or ())
    if body or not call.output or call.previous is not None:
        return call
    last = known.body[-1] if known and known.body else None
    added: tuple[Message, ...] = ()
    if last is not None and last.role == "assistant" and last.tool_calls:
        asked = known.calls[-1][0].started if known and known.calls else None
        results = results_of(last.tool_calls, tools, after=asked, before=call.started)
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


def thread_without_text(calls: Sequence[Span], tools: Sequence[Span], failed: Sequence[tuple[Span, bool]]) -> Thread:
    """The conversation of spans that hold no text: who spoke when and which tools were called, if that is logged.

    Every trace is a turn; the tools that ran after a call and before the next one are what it called.
    """
    spans = sorted((*calls, *tools), key=lambda span: span.started or 0.0)
    thread = Thread(failed=[(span, bool(calls)) for span, _ in failed])
    for before, span, after in zip((None, *spans), spans, (*spans[1:], None), strict=False):
        goes_on = before is not None and before.trace_id == span.trace_id
        if not goes_on:
            thread.body.append(Message("user"))
        if span.kind == "tool":
            _add_tool(thread.body, span, parallel=goes_on and before is not None and before.kind == "tool")
            continue
        if after is None or after.kind != "tool" or after.trace_id != span.trace_id:
            thread.body.append(Message("assistant"))
        thread.calls.append((replace(span, lost=(*span.lost, "text")), thread.turns))
    if not thread.calls:
        thread.calls = [(replace(spans[0], lost=("text",)), thread.turns)]
    return thread


def _add_tool(body: list[Message], span: Span, *, parallel: bool) -> None:
    """A call and its result; a further call of the same answer stands before the results."""
    call = ToolCall(span.tool_call_id, span.name or "", span.input or "")
    if parallel:
        place = next(i for i in range(len(body) - 1, -1, -1) if body[i].role == "assistant")
        body[place] = replace(body[place], tool_calls=(*body[place].tool_calls, call))
    else:
        body.append(Message("assistant", tool_calls=(call,)))
    result = span.result if span.result is not None else span.error
    body.append(Message("tool", result, tool_call_id=span.tool_call_id))
