"""Limits: exceeded, kept, unknown."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.model.trajectory import Usage
from tests.checks.build import made, says, trial, turn

USAGE = Usage(steps=3, input_tokens=100, output_tokens=20, cost_usd=0.015, latency_s=2.5)
KNOWN = {"steps": 3, "tool_calls": 2, "latency_s": 2.5, "input_tokens": 100, "output_tokens": 20, "cost_usd": 0.015}


def report(limits, usage=USAGE, stop="answered"):
    trajectory = trial(turn(says(made("f"), made("g")), says(text="done"), stop=stop), usage=usage)
    return check_trajectory(parse_expectation({"limits": limits}), trajectory, None)


@pytest.mark.parametrize("name", KNOWN)
def test_a_figure_at_its_limit_passes_and_above_it_fails(name):
    assert report({name: KNOWN[name]}).failures == ()
    (reason,) = report({name: 0}).failures
    assert (reason.check, reason.code, reason.path) == ("limits", "limit_exceeded", name)
    assert reason.actual == f"{KNOWN[name]:g}"


@pytest.mark.parametrize("name", ["latency_s", "input_tokens", "output_tokens", "cost_usd"])
def test_an_unknown_figure_is_unmeasured_and_says_so__a_missing_trace_scores_elsewhere(name):
    """pydantic-evals scores a missing trace 0.0; others take an unknown cost for zero, which passes."""
    found = report({name: 1000}, usage=Usage(steps=3))
    assert not found.failures
    (reason,) = found.unmeasured
    assert (reason.code, reason.path) == ("unknown_figure", name)
    assert "not known" in reason.message


def test_a_replay_that_stopped_can_only_exceed_a_limit():
    found = report({"steps": 2, "cost_usd": 1.0}, stop="unrecorded")
    assert [reason.code for reason in found.failures] == ["limit_exceeded"]
    assert [(reason.code, reason.path) for reason in found.unmeasured] == [("not_reached", "cost_usd")]
