"""Deterministic checks: what a target did beside what was expected of it. No I/O, no clock, no await."""

from pytest_llmreplay.checks.calls import CallsCheck, CallsResult
from pytest_llmreplay.checks.match import match_calls
from pytest_llmreplay.checks.trajectory import check_trajectory

__all__ = ["CallsCheck", "CallsResult", "check_trajectory", "match_calls"]
