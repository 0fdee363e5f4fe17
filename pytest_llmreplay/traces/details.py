"""What is kept of a conversation beside its messages: metadata, and the steps around its calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pytest_llmreplay.model.conversation import UNAVAILABLE, Step
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.spans import Score, Span
from pytest_llmreplay.traces.stitch import Thread
from pytest_llmreplay.traces.times import iso

_LONGEST_ERROR = 500


def metadata_of(
    thread: Thread,
    calls: Sequence[tuple[Span, int]],
    every: Sequence[Span],
    others: Sequence[Span],
    scores: Sequence[tuple[Score, str | None]],
) -> dict[str, Any]:
    """What is kept beside the fields: what the application attached, and how the calls went.

    `every` are all calls, the failed ones first; what a later one says replaces what an earlier one said.
    """
    found: dict[str, Any] = {}
    tags: dict[str, None] = {}
    for span in every:
        found.update(span.metadata)
        own = span.metadata.get("tags")
        tags.update(dict.fromkeys(map(str, own)) if isinstance(own, list) else {})
    if tags:
        found["tags"] = list(tags)
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


def steps_of(spans: Iterable[Span], calls: Sequence[tuple[Span, int]]) -> Iterator[Step]:
    """Retrieval and guardrails, and tools that raised, each in its turn."""
    for span in sorted(spans, key=lambda s: s.started or 0.0):
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


def side_steps_of(side: Sequence[Thread], calls: Sequence[tuple[Span, int]]) -> Iterator[Step]:
    """Calls on the side, such as a router: the last question and answer of each."""
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
