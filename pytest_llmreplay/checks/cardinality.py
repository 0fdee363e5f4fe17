"""How often tools were called: `called`, `max_calls`, `no_repeats`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

from pytest_llmreplay.checks.called import Call
from pytest_llmreplay.checks.comparison import Comparison, Findings
from pytest_llmreplay.checks.messages import call_of
from pytest_llmreplay.checks.normal import nfc
from pytest_llmreplay.checks.shown import safe
from pytest_llmreplay.model.expectation import Bounds, CallsExpectation
from pytest_llmreplay.model.outcome import Reason


def count_calls(comparison: Comparison, findings: Findings) -> None:
    """Add every reason why the calls are too few, too many or repeated."""
    expectation, calls = comparison.expectation, comparison.calls
    counts = Counter(call.name for call in calls) if expectation.called else Counter()
    for tool, bounds in expectation.called.items():
        _count_tool(tool, bounds, counts[nfc(tool)], comparison, findings)
    most = expectation.max_calls
    if most is not None and len(calls) > most:
        message = f"{len(calls)} calls were made, at most {most} may be"
        findings.failures.append(Reason("calls", "too_many_calls", message, "max_calls", str(most), str(len(calls))))
    if expectation.no_repeats:
        findings.failures += _repeats(calls)


def needed_tools(expectation: CallsExpectation) -> set[str]:
    """The tools that `called` wants to be called at all."""
    return {nfc(tool) for tool, bounds in expectation.called.items() if _least(bounds) > 0}


def _count_tool(tool: str, bounds: Bounds, count: int, comparison: Comparison, findings: Findings) -> None:
    least = _least(bounds)
    most = bounds.exactly if bounds.exactly is not None else bounds.max
    path, name = f"called.{safe(tool)}", safe(tool)
    if count < least and comparison.offered.offers(nfc(tool)):
        wanted = f"exactly {least}" if bounds.exactly is not None else f"at least {least}"
        message = f"{name} was called {_times(count)}, expected {wanted}"
        code = "not_reached" if comparison.unfinished else "too_few_calls"
        reasons = findings.unmeasured if comparison.unfinished else findings.failures
        reasons.append(Reason("calls", code, message, path, wanted, str(count)))
    if most is not None and count > most:
        wanted = f"exactly {most}" if bounds.exactly is not None else f"at most {most}"
        message = f"{name} was called {_times(count)}, expected {wanted}"
        findings.failures.append(Reason("calls", "too_many_calls", message, path, wanted, str(count)))


def _repeats(calls: Any) -> list[Reason]:
    first: dict[Hashable, int] = {}
    reasons = []
    for index, call in enumerate(calls):
        earlier = first.setdefault(_identity(call), index)
        if earlier != index:
            message = f"{call_of(call)} repeats call {earlier + 1}"
            reasons.append(Reason("calls", "repeated_call", message, f"calls[{index}]", None, call_of(call, 2000)))
    return reasons


def _identity(call: Call) -> Hashable:
    return call.name, call.raw if call.arguments is None else _frozen(call.arguments)


def _frozen(value: Any) -> Hashable:
    """A hashable form in which 1 is 1.0 and no boolean is a number."""
    if isinstance(value, Mapping):
        return frozenset((name, _frozen(inner)) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        return type(value).__name__, repr(value)
    return value


def _least(bounds: Bounds) -> int:
    return bounds.exactly if bounds.exactly is not None else bounds.min or 0


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
