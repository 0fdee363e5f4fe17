"""The gate inside pytest: decide at the end of a session, after red cases were confirmed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.compare import Comparison, Confirmation, Decision, GatePolicy, compare_outcomes
from pytest_llmreplay.judge.calibration import Calibration
from pytest_llmreplay.model.outcome import Outcome, outcome_row
from pytest_llmreplay.report.commands import reproduce_commands
from pytest_llmreplay.report.decision import decision_text
from pytest_llmreplay.report.gating import cases_to_confirm, confirmation_of, gate_of, judge_evidence
from pytest_llmreplay.report.paint import Screen
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.session.plan import PlannedTrial

Replay = Callable[[Sequence[PlannedTrial]], list[Outcome]]


@dataclass(frozen=True, slots=True)
class GateResult:
    """The decision on one candidate, with the commands that reproduce its red items."""

    candidate: str
    decision: Decision
    commands: Mapping[str, str]

    def text(self, screen: Screen) -> str:
        """As it is shown on a terminal."""
        return f"gate on {self.candidate}\n{decision_text(self.decision, self.commands, screen)}"


def decide_on_all(
    policy: GatePolicy,
    outcomes: Sequence[Outcome],
    *,
    settings: Settings,
    run: Mapping[str, Any],
    planned: Iterable[PlannedTrial],
    replay: Replay,
    calibrations: Sequence[Calibration] = (),
) -> list[GateResult]:
    """The decision on every candidate.

    Args:
        policy: the gate's policy.
        outcomes: those of the run, the accepted baseline's among them.
        settings: of the session.
        run: what the run says of itself.
        planned: the trials of the session.
        replay: replays trials once more, for confirmation.
        calibrations: of the judge.

    Raises:
        UserError: the variants cannot be compared, or waivers or golden files have a mistake.
    """
    rows = [outcome_row(outcome) for outcome in outcomes]
    baseline = str(settings.baseline)
    today = dt.datetime.now(dt.UTC).date()
    candidates = sorted({outcome.variant for outcome in outcomes} - {baseline})
    by_case = {(trial.case_id, trial.variant): trial for trial in planned}
    results = []
    for candidate in candidates:
        comparison = compare_outcomes(rows, baseline=baseline, candidate=candidate)
        decision, _ = gate_of(
            policy,
            comparison,
            configs=settings.configs,
            golden=settings.golden,
            today=today,
            confirmations=_confirmations(policy, comparison, by_case, replay),
            judge=judge_evidence(calibrations, _of(rows, baseline, candidate), policy.judge, today),
        )
        results.append(GateResult(candidate, decision, reproduce_commands(rows, candidate, [run])))
    return results


def _of(rows: Iterable[Mapping[str, Any]], *variants: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["variant"] in variants]


def gate_exit_code(results: Iterable[GateResult]) -> int:
    """The gravest of the decisions: a regression, else something that cannot be measured, else a pass."""
    codes = {result.decision.exit_code for result in results}
    return next((code for code in (1, 10) if code in codes), 0)


def _confirmations(
    policy: GatePolicy,
    comparison: Comparison,
    planned: Mapping[tuple[str, str], PlannedTrial],
    replay: Replay,
) -> dict[str, Confirmation]:
    """What fresh trials of the red cases came to; they never enter the estimate, which they would bias."""
    confirmations = {}
    for case_id in cases_to_confirm(policy, comparison):
        trial = planned.get((case_id, comparison.candidate))
        if trial is not None:
            fresh = replay(trial.confirming(policy.confirm))
            confirmations[case_id] = confirmation_of(outcome_row(outcome) for outcome in fresh)
    return confirmations
