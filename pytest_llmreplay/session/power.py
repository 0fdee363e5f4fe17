"""Who judges in a session, and whether what they say counts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pytest_llmreplay.compare.policy import JudgeRule
from pytest_llmreplay.config.gate import judge_rule
from pytest_llmreplay.config.judge import load_judge
from pytest_llmreplay.judge.calibration import (
    Calibration,
    calibration_for,
    calibration_path,
    calibration_problem,
    read_calibrations,
)
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.session.options import Settings

_NO_JUDGE = "there is no judge; name its file with --llmreplay-judge, or write configs/judge.yaml"
_NEVER = "the judge is never asked (`when: never`)"


@dataclass(frozen=True, slots=True)
class Power:
    """What decides whether verdicts count: the judge, its calibrations, and what the gate asks of them."""

    judge: Judge | None
    rule: JudgeRule
    today: dt.date
    calibrations: tuple[Calibration, ...] = ()

    def advisory(self, rubric: Rubric) -> str | None:
        """Why verdicts under a rubric do not count; None when they do."""
        if self.judge is None:
            return _NO_JUDGE
        if self.judge.when == "never":
            return _NEVER
        return calibration_problem(
            calibration_for(self.calibrations, rubric_digest=rubric.digest),
            rubric_digest=rubric.digest,
            judge_digest=self.judge.digest,
            today=self.today,
            min_kappa=self.rule.min_kappa,
            max_age_days=self.rule.max_age_days,
        )


def load_power(settings: Settings, today: dt.date) -> Power:
    """The judge of a session and what is known of it.

    Raises:
        UserError: a mistake in the judge's file, its calibrations or the gate.
    """
    rule = judge_rule(settings.gate or settings.configs / "gate.yaml")
    if settings.judge is None:
        return Power(None, rule, today)
    calibrations = read_calibrations(calibration_path(settings.judge))
    return Power(load_judge(settings.judge), rule, today, calibrations)
