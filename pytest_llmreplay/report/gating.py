"""The gate for whoever has outcomes at hand: the program after a run, and pytest at the end of a session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_llmreplay.compare import Comparison, Confirmation, Decision, GatePolicy, JudgeEvidence, Waiver, decide
from pytest_llmreplay.compare.policy import JudgeRule
from pytest_llmreplay.compare.ratchet import ItemVerdict
from pytest_llmreplay.compare.red import red_items
from pytest_llmreplay.config.waivers import load_waivers
from pytest_llmreplay.judge.calibration import (
    Calibration,
    calibration_for,
    calibration_path,
    calibration_problem,
    read_calibrations,
)
from pytest_llmreplay.store.case_files import golden_files, open_cases
from pytest_llmreplay.store.parquet import plain_rows, reading

LEFT_TO_THE_GATE = "left to the gate"


def gate_of(
    policy: GatePolicy,
    comparison: Comparison,
    *,
    configs: Path,
    golden: Sequence[Path],
    today: dt.date,
    confirmations: Mapping[str, Confirmation] | None = None,
    judge: JudgeEvidence | None = None,
) -> tuple[Decision, tuple[Waiver, ...]]:
    """The decision on a comparison, with the project's waivers and due dates; and all waivers.

    Args:
        policy: from `configs/gate.yaml`.
        comparison: of the first-pass trials only.
        configs: the folder that may hold `waivers.yaml`.
        golden: the suites of the project.
        today: the day on which waivers and due dates are looked at.
        confirmations: the fresh trials of red cases, by case id; see `cases_to_confirm`.
        judge: what is known of the judge's calibration.

    Raises:
        UserError: the waivers or a golden file have a mistake.
    """
    waivers = load_waivers(configs / "waivers.yaml")
    due = due_dates(golden) if policy.overdue == "fail" else {}
    decision = decide(
        policy, comparison, today=today, waivers=waivers, due=due, confirmations=confirmations, judge=judge
    )
    return decision, waivers


def judge_evidence(
    calibrations: Sequence[Calibration], rows: Iterable[Mapping[str, Any]], rule: JudgeRule, today: dt.date
) -> JudgeEvidence | None:
    """What is known of the judge under all rubrics in the outcomes: the first problem, else the lowest kappa.

    Args:
        calibrations: of the judge, the newest first.
        rows: the outcomes that are compared.
        rule: what the gate asks of a judge.
        today: the day on which the age is looked at.

    Returns:
        None when nothing was ever calibrated.
    """
    if not calibrations:
        return None
    judged = {(str(row.get("rubric_digest") or ""), str(row.get("judge_digest") or "")) for row in rows}
    found = []
    for rubric, judge in sorted(pair for pair in judged if pair[0]):
        calibration = calibration_for(calibrations, rubric_digest=rubric)
        problem = calibration_problem(
            calibration,
            rubric_digest=rubric,
            judge_digest=judge,
            today=today,
            min_kappa=rule.min_kappa,
            max_age_days=rule.max_age_days,
        )
        found.append(_evidence(calibration or calibrations[0], today, problem if judge else "nobody judged"))
    troubled = next((evidence for evidence in found if evidence.problem is not None), None)
    lowest = min(found, key=lambda evidence: evidence.kappa or 0.0, default=_evidence(calibrations[0], today, None))
    return troubled or lowest


def _evidence(calibration: Calibration, today: dt.date, problem: str | None) -> JudgeEvidence:
    return JudgeEvidence(calibration.figures.kappa, (today - calibration.date).days, problem)


def calibrations_of(configs: Path, runs: Iterable[Mapping[str, Any]]) -> tuple[Calibration, ...]:
    """The calibrations of the judge that the runs name, else of `configs/judge.yaml`, the newest first.

    Raises:
        UserError: the file has a mistake.
    """
    judges = [run["judge"].get("file") for run in runs if isinstance(run.get("judge"), Mapping)]
    named = next((str(file) for file in judges if file), None)
    return read_calibrations(calibration_path(configs / "judge.yaml" if named is None else configs.parent / named))


def due_dates(golden: Sequence[Path]) -> dict[str, str]:
    """The day by which a case is to be fixed, by case id, for the cases that have one.

    Raises:
        UserError: a golden file cannot be read.
    """
    found: dict[str, str] = {}
    for path in golden_files([path for path in golden if path.exists()]):
        file = open_cases(path)
        if "due" in file.schema_arrow.names:
            with reading(path):
                rows = plain_rows(file.read(columns=["case_id", "due"], use_threads=False))
            found.update({str(row["case_id"]): str(row["due"]) for row in rows if row["case_id"] and row["due"]})
    return found


def cases_to_confirm(policy: GatePolicy, comparison: Comparison) -> tuple[str, ...]:
    """The ids of the red cases that are replayed `policy.confirm` more times before they count; none when it is 0."""
    if not policy.confirm:
        return ()
    return tuple(item.case_id for item in red_items(comparison.cases, {})[0])


def confirmation_of(fresh: Iterable[Mapping[str, Any]]) -> Confirmation:
    """What the fresh trials of one red case came to; errors and unmeasured ones confirm and clear nothing."""
    statuses = [row["status"] for row in fresh]
    return Confirmation(passed=statuses.count("passed"), failed=statuses.count("failed"))


def left_to_the_gate(policy: GatePolicy | None, verdict: ItemVerdict) -> bool:
    """Whether a failing candidate item is expected (xfail, `LEFT_TO_THE_GATE`): no single one counts in this mode."""
    return (
        verdict == "failed" and policy is not None and policy.mode == "statistical" and policy.max_regressions is None
    )
