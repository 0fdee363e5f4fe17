"""The result of a trial, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pytest_llmreplay.model.trajectory import Divergence, ToolAnswer
from pytest_llmreplay.model.verdict import Verdict

OutcomeStatus = Literal["passed", "failed", "error", "unmeasured", "not_run"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an outcome is not `passed`.

    `check` is the part of the expectation (`calls`, `answer`, `limits`, `rubric`) or `replay`; `code` a stable word;
    `path` the place in it, such as `expected[0].args.order_id`; `expected` and `actual` typed reprs.
    """

    check: str
    code: str
    message: str
    path: str = ""
    expected: str | None = None
    actual: str | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What the deterministic checks said of a trajectory.

    `matched` says for every expected call, in order, whether a call of the target was assigned to it.
    `diagnostics` are figures that explain and never decide.
    """

    failures: tuple[Reason, ...] = ()
    unmeasured: tuple[Reason, ...] = ()
    matched: tuple[bool, ...] = ()
    diagnostics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial's result; one row of `outcomes.parquet`.

    Tokens are counts, `cost_usd` US dollars, `latency_s` seconds that the target took; None means not known.
    `live_share` is the share of requests really sent, `recorded_share` that of tool calls answered from recordings.
    What the judge took is counted apart: `judge_calls` requests, of which `judge_live_calls` were really sent.
    `rubric_digest` and `judge_digest` are empty where the case has no rubric or nobody judges.
    """

    case_id: str
    variant: str
    trial: int
    status: OutcomeStatus
    reasons: tuple[Reason, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()
    matched: tuple[bool, ...] = ()
    answer: str | None = None
    steps: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    live_share: float | None = None
    recorded_share: float | None = None
    tool_answers: tuple[ToolAnswer, ...] = ()
    divergence: Divergence | None = None
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    suite: str = ""
    kind: str = "incident"
    case_status: str = "open"
    severity: str | None = None
    failure_category: str | None = None
    failure_stage: str | None = None
    intent: str | None = None
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    case_file: str = ""
    case_digest: str = ""
    variant_digest: str = ""
    environment_digest: str = ""
    verdict: Verdict | None = None
    rubric_digest: str = ""
    judge_digest: str = ""
    judge_model: str = ""
    judge_calls: int = 0
    judge_live_calls: int = 0
    judge_input_tokens: int | None = None
    judge_output_tokens: int | None = None
    judge_cost_usd: float | None = None

    @property
    def trial_id(self) -> tuple[str, str, int]:
        """What tells one trial of a run from another: case, variant, trial."""
        return self.case_id, self.variant, self.trial


def outcome_status(*, failures: bool, unmeasured: bool) -> OutcomeStatus:
    """The outcome rule for a trial that ran: any failed check, else anything unmeasured, else passed."""
    if failures:
        return "failed"
    return "unmeasured" if unmeasured else "passed"


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data, as comparisons take it."""
    row: dict[str, Any] = {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
    row["verdict"] = None if outcome.verdict is None else asdict(outcome.verdict)
    row["reasons"] = [{n: getattr(r, n) for n in r.__dataclass_fields__} for r in outcome.reasons]
    return row
