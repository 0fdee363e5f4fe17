"""Checks on what a trial consumed."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmreplay.checks.comparison import Findings
from pytest_llmreplay.model.expectation import Limits
from pytest_llmreplay.model.outcome import Reason
from pytest_llmreplay.model.trajectory import Trajectory

_UNITS = {
    "steps": "requests",
    "tool_calls": "tool calls",
    "latency_s": "s",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "cost_usd": "USD",
}


def check_limits(limits: Limits, trajectory: Trajectory, findings: Findings) -> None:
    """Add every limit that is exceeded, and every one of which that cannot be said.

    An unknown figure is unmeasured. So is one below its limit when the replay stopped early: the rest would have come
    on top.
    """
    stopped = any(turn.stop != "answered" for turn in trajectory.turns) or trajectory.replayed is None
    for name, figure in _figures(trajectory).items():
        limit = getattr(limits, name)
        if limit is None:
            continue
        unit = _UNITS[name]
        if figure is None:
            message = f"{name} is limited to {limit:g} {unit}, but it is not known"
            findings.unmeasured.append(Reason("limits", "unknown_figure", message, name, f"at most {limit:g}"))
        elif figure > limit:
            message = f"{figure:g} {unit} exceed the limit of {limit:g}"
            reason = Reason("limits", "limit_exceeded", message, name, f"at most {limit:g}", f"{figure:g}")
            findings.failures.append(reason)
        elif stopped:
            message = f"{figure:g} {unit} of at most {limit:g} when the replay stopped; the rest is not known"
            reason = Reason("limits", "not_reached", message, name, f"at most {limit:g}", f"{figure:g}")
            findings.unmeasured.append(reason)


def _figures(trajectory: Trajectory) -> Mapping[str, float | None]:
    usage = trajectory.usage
    return {
        "steps": usage.steps,
        "tool_calls": sum(len(turn.calls) for turn in trajectory.turns),
        "latency_s": usage.latency_s,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
    }
