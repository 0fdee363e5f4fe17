"""What a failed check says: what was called, what should have been, and why that is not the same."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmreplay.checks.called import Call
from pytest_llmreplay.checks.coercion import json_type
from pytest_llmreplay.checks.patterns import MISSING, Difference, Pattern
from pytest_llmreplay.checks.shown import WHOLE, call_text, cut, excerpts, safe, typed
from pytest_llmreplay.model.outcome import Reason

WIDTH = 100
MOST_LINES = 24
MOST_CALLS = 5


def difference_message(call: Call, difference: Difference) -> str:
    """One difference between a call's arguments and the expected ones, in at most three lines."""
    name, place = safe(call.name, 80), safe(difference.path, 80) or "the arguments"
    wanted = "nothing" if difference.expected is None else difference.expected.describe()
    if difference.code == "malformed_arguments":
        return f"{name}: the arguments are {call.problem}\n  raw {typed(call.raw, WIDTH)}"
    if difference.code == "missing_argument":
        return f"{name}: {place} is missing, expected {cut(wanted, WIDTH)}"
    if difference.code == "unexpected_argument":
        return f"{name}: {place} is not expected, got {typed(difference.actual, WIDTH)}"
    got = typed(difference.actual, WHOLE)
    kind = f" ({json_type(difference.actual)})" if difference.code == "type_error" else ""
    if len(got) + len(wanted) <= WIDTH // 2 + 10:
        return f"{name}: {place} is {got}{kind}, expected {wanted}"
    left, right = excerpts(wanted, got, WIDTH)
    return f"{name}: {place} {'has another type' if kind else 'differs'}\n  expected {left}\n  actual   {right}{kind}"


def called_text(calls: Sequence[Call]) -> str:
    """The calls on one line, for the message that one is missing."""
    if not calls:
        return "nothing was called"
    shown = "; ".join(call_of(call, 60) for call in calls[:MOST_CALLS])
    more = f"; and {len(calls) - MOST_CALLS} more" if len(calls) > MOST_CALLS else ""
    return f"called: {cut(shown, WIDTH)}{more}"


def call_of(call: Call, longest: int = WIDTH) -> str:
    """A call as people write it; arguments that are no object as the text that they are."""
    return call_text(call.name, call.raw if call.arguments is None else call.arguments, longest)


def expected_repr(pattern: Pattern | None) -> str | None:
    """What a pattern expects, for an outcome's reason."""
    return None if pattern is None else cut(pattern.describe(), 2000)


def actual_repr(difference: Difference) -> str | None:
    """What was there instead, for an outcome's reason; None when nothing was."""
    return None if difference.actual is MISSING else typed(difference.actual)


def screen(expected: Sequence[str], calls: Sequence[Call], reasons: Sequence[Reason]) -> str:
    """A comparison that does not pass, on at most a screen.

    Args:
        expected: the expected calls as text.
        calls: what was called.
        reasons: why it does not pass, failures first.
    """
    lines = [*_listed("expected", list(expected)), *_listed("called", [call_of(call) for call in calls])]
    for shown, reason in enumerate(reasons):
        first, *rest = reason.message.split("\n")
        told = [f"{reason.code}: {first}", *(f"  {line}" for line in rest)]
        if len(lines) + len(told) >= MOST_LINES:
            lines.append(f"(+{len(reasons) - shown} more reasons)")
            break
        lines += told
    return "\n".join(cut(line, WIDTH + 20) for line in lines)


def _listed(title: str, values: list[str]) -> list[str]:
    shown = values[:MOST_CALLS] or ["(no call)"]
    lines = [f"{title if index == 0 else '':<9} {value}" for index, value in enumerate(shown)]
    if len(values) > MOST_CALLS:
        lines.append(f"{'':<9} (+{len(values) - MOST_CALLS} more)")
    return lines
