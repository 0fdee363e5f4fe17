"""Everything that is expected of a trial, checked at once."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmreplay.checks.answer import check_answer
from pytest_llmreplay.checks.calls import CallsCheck
from pytest_llmreplay.checks.comparison import Findings
from pytest_llmreplay.checks.limits import check_limits
from pytest_llmreplay.checks.scope import calls_in_scope
from pytest_llmreplay.checks.tool_schema import OfferedTools, read_tools
from pytest_llmreplay.model.conversation import Tool
from pytest_llmreplay.model.expectation import AnswerExpectation, CallsExpectation, Expectation
from pytest_llmreplay.model.outcome import CheckReport, Reason
from pytest_llmreplay.model.trajectory import Trajectory


def check_trajectory(expectation: Expectation, trajectory: Trajectory, tools: Sequence[Tool] | None) -> CheckReport:
    """Apply the deterministic checks to what a target did with a case; the rubric is not one of them.

    Args:
        expectation: what is expected.
        trajectory: what happened.
        tools: the tools that were offered, with their effects; None when nobody says which.
    """
    findings = Findings()
    matched: tuple[bool, ...] = ()
    diagnostics: dict[str, float] = {}
    if expectation.calls is not None:
        matched, diagnostics = _check_calls(expectation.calls, trajectory, read_tools(tools), findings)
    if expectation.answer is not None:
        _check_answer(expectation.answer, trajectory, findings)
    if expectation.limits is not None:
        check_limits(expectation.limits, trajectory, findings)
    return CheckReport(tuple(findings.failures), tuple(findings.unmeasured), matched, diagnostics)


def _check_calls(
    expected: CallsExpectation, trajectory: Trajectory, offered: OfferedTools, findings: Findings
) -> tuple[tuple[bool, ...], dict[str, float]]:
    scoped = calls_in_scope(trajectory, expected.scope, offered)
    if not scoped.reached:
        message = f"the replay stopped before the calls of scope {expected.scope} began"
        findings.unmeasured.append(Reason("calls", "not_reached", message, "scope"))
        return (False,) * len(expected.expected), {}
    result = CallsCheck.of(expected, offered).compare(scoped.calls, scoped.stopped_at)
    findings.failures += result.failures
    findings.unmeasured += result.unmeasured
    diagnostics = result.diagnostics if expected.expected else {}
    outside = _writes_outside(trajectory, offered) if expected.scope == "step" else 0
    if outside:
        diagnostics["writes_outside_scope"] = float(outside)
    return tuple(index in result.assignment for index in range(len(expected.expected))), diagnostics


def _writes_outside(trajectory: Trajectory, offered: OfferedTools) -> int:
    """How many calls with side effects the failing turn made after its first message."""
    turn = trajectory.replayed
    spoken = [message for message in turn.produced if message.role == "assistant"] if turn else []
    return sum(offered.writes(call.name) for message in spoken[1:] for call in message.tool_calls)


def _check_answer(expected: AnswerExpectation, trajectory: Trajectory, findings: Findings) -> None:
    turn = trajectory.replayed
    if turn is None or turn.stop != "answered":
        why = "was never reached" if turn is None else "stopped before an answer was given"
        findings.unmeasured.append(Reason("answer", "no_answer", f"the failing turn {why}"))
        return
    check_answer(expected, turn.answer or "", findings)
