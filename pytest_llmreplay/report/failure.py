"""What a red item says: what the customer asked, what was called, what should have been, and why it is not the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import turns_of
from pytest_llmreplay.model.outcome import Reason
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.report.judged import verdict_lines
from pytest_llmreplay.report.text import call_text, one_line, printable

_MOST_REASONS = 8
_MOST_CALLS = 8
_MOST_JUDGED = 20


def failure_text(trial: Trial, command: str) -> str:
    """The text of an item whose outcome is not `passed`, at most a screen long.

    Args:
        trial: the finished trial.
        command: the command that replays this trial alone.
    """
    return "\n".join(_lines(trial, command))


def reproduce_command(node_id: str, variant_file: str, options: Sequence[str] = ()) -> str:
    """The command that replays one item alone."""
    return shlex.join(["pytest", node_id, "--llmreplay-variant", variant_file, *options])


def _lines(trial: Trial, command: str) -> Iterator[str]:
    outcome = trial.outcome
    labels = ", ".join(label for label in (outcome.kind, outcome.case_status, outcome.severity) if label)
    yield f"case       {printable(outcome.case_id)} ({labels})"
    yield f"variant    {outcome.variant}, trial {outcome.trial}: {outcome.status}"
    if trial.case is not None:
        yield f"user       {one_line(_user_text(trial.case), 300)}"
        yield from _listed("expected", _expected_calls(trial.case.expect))
    if trial.trajectory is not None:
        yield from _listed(
            "called", [call_text(call.name, call.arguments) for call in trial.tool_calls] or ["(no tool)"]
        )
        if trial.answer is not None:
            yield f"answer     {one_line(trial.answer, 300)}"
    yield "because"
    for reason in outcome.reasons[:_MOST_REASONS]:
        yield from _reason_lines(reason)
    if len(outcome.reasons) > _MOST_REASONS:
        yield f"  (+{len(outcome.reasons) - _MOST_REASONS} more reasons in the outcome)"
    if outcome.verdict is not None:
        yield from _listed("judged", list(verdict_lines(asdict(outcome.verdict))), _MOST_JUDGED)
    if outcome.divergence is not None:
        divergence = outcome.divergence
        yield f"diverged   turn {divergence.turn}, call {divergence.step}"
        yield f"  recorded {one_line(divergence.recorded or '(no call)', 160)}"
        yield f"  now      {one_line(divergence.actual or '(no call)', 160)}"
    yield f"reproduce  {command}"


def _reason_lines(reason: Reason) -> Iterator[str]:
    first, *rest = printable(reason.message).splitlines() or [""]
    yield f"  {reason.code}: {first}"
    yield from (f"    {line}" for line in rest)


def _listed(title: str, values: Sequence[str], most: int = _MOST_CALLS) -> Iterator[str]:
    for index, value in enumerate(values[:most]):
        yield f"{title if index == 0 else '':<10} {value}"
    if len(values) > most:
        yield f"{'':<10} (+{len(values) - most} more)"


def _user_text(case: Case) -> str:
    turns = turns_of(case.messages)
    if not 1 <= case.turn <= len(turns):
        return ""
    return case.messages[turns[case.turn - 1].start].content or ""


def _expected_calls(expect: Mapping[str, Any]) -> list[str]:
    calls = expect.get("expect", expect).get("calls")
    if not isinstance(calls, Mapping):
        return []
    shown = [
        call_text(str(call.get("name")), json.dumps(call["args"], ensure_ascii=False) if "args" in call else "…")
        for call in calls.get("expected") or []
        if isinstance(call, Mapping)
    ]
    if calls.get("order") == "none":
        shown.append("(no call)")
    shown += [f"never {one_line(str(name))}" for name in calls.get("forbidden") or []]
    return shown
