"""The ratchet on pytest's reports: a failure that is known is expected, and a known failure must not grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_llmreplay.compare.ratchet import ItemVerdict, exit_code
from pytest_llmreplay.session.failures import SetupError, error_headline
from pytest_llmreplay.session.items import GoldenItem
from pytest_llmreplay.session.plan import PlannedTrial
from pytest_llmreplay.session.session import ReplaySession

_EXPECTED = {
    "known_failing": "known, still failing",
    "baseline_failing": "still fails on {variant}, known",
}


@dataclass(slots=True)
class Verdicts:
    """What items came to, each word once; `foreign_failures` counts red tests that are none of ours."""

    candidates: set[ItemVerdict] = field(default_factory=set)
    baselines: set[ItemVerdict] = field(default_factory=set)
    foreign_failures: int = 0

    def count(self, report: pytest.TestReport, ours: Mapping[str, Any] | None) -> None:
        """Take a report; `ours` is what `judge_report` wrote into it, None for a test without a trial."""
        if ours is None:
            self.foreign_failures += report.failed
        else:
            (self.baselines if ours["baseline"] else self.candidates).add(ours["verdict"])

    def exit_code(self) -> int:
        """The exit code that they ask for."""
        return exit_code(self.candidates, self.baselines)


def judge_report(
    session: ReplaySession,
    item: pytest.Item,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    planned: PlannedTrial,
) -> None:
    """Turn a red report whose failure is known into an expected failure, and write into it what the item came to.

    Args:
        session: the variants, and which of them is the baseline.
        item: the golden item, or a test with the fixture.
        call: what happened.
        report: pytest's report on the set-up or the test; changed in place.
        planned: the trial behind the item.
    """
    if report.when == "setup" and report.passed:
        return
    error = call.excinfo.value if call.excinfo is not None else None
    own = not isinstance(item, GoldenItem)
    asserted = _is_assertion(error)
    verdict = session.verdict(planned, _status(report))
    if report.failed and (asserted or not own) and (why := _expected(session, verdict, planned)) is not None:
        report.outcome = "skipped"
        report.wasxfail = why
    elif report.failed and report.when == "call" and verdict in _EXPECTED:
        verdict = "failed"
    report.llmreplay = {  # type: ignore[attr-defined]
        "verdict": verdict,
        "baseline": session.is_baseline(planned.variant),
        "trial": [planned.case_id, planned.variant, planned.trial],
        "own_assertion": str(error) if own and asserted else None,
        "headline": error_headline(error) if error is not None else None,
    }


def _status(report: pytest.TestReport) -> str:
    if report.when == "setup" and report.failed:
        return "error"
    return {"passed": "passed", "failed": "failed", "skipped": "unmeasured"}[report.outcome]


def _expected(session: ReplaySession, verdict: ItemVerdict, planned: PlannedTrial) -> str | None:
    """Why a red item is expected to be red; None where it is not."""
    if verdict in _EXPECTED:
        return _EXPECTED[verdict].format(variant=planned.variant)
    if session.left_to_the_gate(verdict):
        from pytest_llmreplay.report.gating import LEFT_TO_THE_GATE

        return LEFT_TO_THE_GATE
    return None


def _is_assertion(error: BaseException | None) -> bool:
    return isinstance(error, AssertionError | pytest.fail.Exception) and not isinstance(error, SetupError)
