"""What a judge said, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmreplay.model.trajectory import sum_known

VerdictStatus = Literal["passed", "failed", "unmeasured"]
Confidence = Literal["low", "medium", "high"]
Side = Literal["baseline", "candidate", "tie"]


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of evidence; `found` says whether it occurs in what the judge was shown."""

    text: str
    found: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of one criterion.

    `score` is that of scale 1-5 (the median of the votes), `agreement` the share of the votes that decided so, `quotes`
    what those votes pointed at.
    """

    criterion: str
    passed: bool
    score: float | None = None
    agreement: float = 1.0
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgeUsage:
    """What verdicts took; None means not known. `calls` counts requests, `live_calls` those really sent."""

    calls: int = 0
    live_calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge said of one trial under one rubric.

    `decisions` are in the order of the rubric, and none when the verdict is `unmeasured`; then `problem` says why, in a
    sentence, and `text` is the reply as it came. `share` is the weighted share of the criteria that passed. `votes` are
    the statuses of the single votes and `agreement` the share of them that came to `status`. `confidence` is the lowest
    that those votes gave. `shown` is what the judge was shown, the reference answer among it where the case has one.
    `advisory` says why the verdict does not count, and is None when it does.
    """

    status: VerdictStatus
    rubric_digest: str
    judge_digest: str
    model: str
    decisions: tuple[Decision, ...] = ()
    share: float | None = None
    confidence: Confidence | None = None
    votes: tuple[VerdictStatus, ...] = ()
    agreement: float | None = None
    shown: tuple[str, ...] = ()
    problem: str | None = None
    text: str | None = None
    usage: JudgeUsage = JudgeUsage()
    advisory: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """Which of two trajectories of one case the judge prefers.

    `preferred` is None when a reply was off the menu; `orders` holds what was chosen with the baseline shown first and
    with the candidate shown first. Two choices that disagree are a tie.
    """

    preferred: Side | None
    orders: tuple[Side | None, Side | None]
    rubric_digest: str
    judge_digest: str
    model: str
    quotes: tuple[Quote, ...] = ()
    problem: str | None = None
    text: str | None = None
    usage: JudgeUsage = JudgeUsage()

    @property
    def consistent(self) -> bool:
        """Whether both orders led to the same choice."""
        return self.orders[0] is not None and self.orders[0] == self.orders[1]


def usage_of_all(usages: Sequence[JudgeUsage]) -> JudgeUsage:
    """What several questions took together."""
    return JudgeUsage(
        calls=sum(usage.calls for usage in usages),
        live_calls=sum(usage.live_calls for usage in usages),
        input_tokens=sum_known(usage.input_tokens for usage in usages),
        output_tokens=sum_known(usage.output_tokens for usage in usages),
        cost_usd=sum_known(usage.cost_usd for usage in usages),
    )
