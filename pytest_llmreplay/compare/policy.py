"""What a person writes about the gate: the policy (`configs/gate.yaml`) and the waivers (`configs/waivers.yaml`)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pytest_llmreplay.compare.pairs import DIMENSIONS
from pytest_llmreplay.model.case import Severity
from pytest_llmreplay.model.written import Written

Share = Annotated[float, Field(ge=0, le=1)]
Margin = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0)]
Regressions = Count | dict[Severity | Literal["unrated"], Count]


class Budget(Written):
    """A ceiling on a figure of the candidate."""

    max: float | None = Field(None, ge=0, description="The highest value allowed.")
    max_increase: float | None = Field(
        None, ge=0, description="The highest increase over the baseline allowed, as a share: 0.1 is 10 %."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Budget:
        if self.max is None and self.max_increase is None:
            raise ValueError("a budget needs max or max_increase")
        return self


class Budgets(Written):
    """Ceilings on what the candidate consumes, over its measured trials."""

    cost_usd: Budget | None = Field(None, description="Mean cost of a trial in US dollars.")
    latency_p95_s: Budget | None = Field(None, description="95th percentile of the seconds that a trial takes.")
    tokens: Budget | None = Field(None, description="Mean tokens of a trial, input and output.")


class SliceRule(Written):
    """A rule for the cases of one slice."""

    where: dict[str, str] = Field(min_length=1, description="Dimension and value, such as severity: critical.")
    max_regressions: Count | None = Field(None, description="How many cases of the slice may be red.")
    non_inferiority_margin: Margin | None = Field(
        None, description="The tolerated loss of pass rate, 0.05 is 5 points."
    )
    min_cases: Count | None = Field(None, description="Fewest controls of the slice measured on both variants.")
    min_pass_rate: Share | None = Field(None, description="Lowest pass rate of the candidate, over all its cases.")

    @field_validator("where")
    @classmethod
    def _known_dimensions(cls, where: dict[str, str]) -> dict[str, str]:
        for dimension in where:
            if dimension not in DIMENSIONS:
                raise ValueError(f"'{dimension}' is no dimension; allowed: {', '.join(DIMENSIONS)}")
        return where

    @model_validator(mode="after")
    def _says_something(self) -> SliceRule:
        rules = (self.max_regressions, self.non_inferiority_margin, self.min_cases, self.min_pass_rate)
        if all(rule is None for rule in rules):
            raise ValueError("a slice needs max_regressions, non_inferiority_margin, min_cases or min_pass_rate")
        return self


class JudgeRule(Written):
    """What the judge must have proved before its verdicts count."""

    min_kappa: float = Field(0.6, ge=-1, le=1, description="Lowest agreement with people, as Cohen's kappa.")
    max_age_days: int = Field(90, ge=0, description="How old the calibration may be.")
    required: bool = Field(False, description="Without a valid calibration the gate is unmeasurable.")


class GatePolicy(Written):
    """The gate: what stops a candidate, and what makes it impossible to tell.

    In mode `ratchet` every fixed or control case that fails on the candidate counts (`max_regressions`, none by
    default). In mode `statistical` single failures are left to the estimate, which then needs a margin;
    `max_regressions` counts only where it is written.
    """

    kind: Literal["gate"] = "gate"
    mode: Literal["ratchet", "statistical"] = "ratchet"
    max_regressions: Regressions | None = Field(
        None, description="How many red cases are tolerated: in all, or by severity (what is not named: none)."
    )
    must_fix: list[str] = Field(default_factory=list, description="Open cases that the candidate must pass.")
    overdue: Literal["fail", "ignore"] = Field("fail", description="What open cases past their due date lead to.")
    max_error_share: Share = Field(0.0, description="Share of trials of either variant that may end in an error.")
    max_unmeasured_share: Share = Field(0.0, description="Share of the candidate's trials that may be unmeasured.")
    max_flaky_share: Share | None = Field(None, description="Share of measured cases that may be flaky.")
    min_live: Share | None = Field(None, description="Least share of the candidate's requests really sent.")
    min_cases: int = Field(1, ge=1, description="Fewest cases that the estimate needs, measured on both variants.")
    non_inferiority_margin: Margin | None = Field(
        None, description="The loss of pass rate on controls that is tolerated: 0.05 is 5 points."
    )
    slices: list[SliceRule] = Field(default_factory=list)
    budgets: Budgets = Field(default_factory=Budgets)
    judge: JudgeRule = Field(default_factory=JudgeRule)
    confirm: int = Field(
        0, ge=0, description="In pytest: how often a red case is replayed before it is called a regression."
    )

    @model_validator(mode="after")
    def _statistics_need_a_margin(self) -> GatePolicy:
        if self.mode == "statistical" and self.non_inferiority_margin is None:
            raise ValueError("mode statistical needs non_inferiority_margin")
        return self


class Waiver(Written):
    """One case that is known to be red and tolerated until a day, that day included."""

    case: str = Field(min_length=1)
    until: dt.date
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)

    @field_validator("until", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        return value.date() if isinstance(value, dt.datetime) else value

    def covers(self, today: dt.date) -> bool:
        """Whether the waiver still holds on this day."""
        return today <= self.until


class Waivers(Written):
    """All waivers of a project."""

    kind: Literal["waivers"] = "waivers"
    waivers: list[Waiver] = Field(default_factory=list)
