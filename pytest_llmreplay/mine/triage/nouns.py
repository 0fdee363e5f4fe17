"""What a triage says: how much fails, where, since when, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pytest_llmreplay.compare.intervals import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ChangeKind = Literal["rate", "deploy", "share"]
Spread = Literal["isolated", "systemic", "unknown"]


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with Wilson's 95 % interval: most often failing conversations of all."""

    count: int
    total: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, count: int, total: int) -> Share:
        """The share; of nothing it is 0, and the interval says that nothing is known."""
        rate = count / total if total else 0.0
        low, high = wilson(rate, total)
        return cls(int(count), int(total), rate, low, high)


@dataclass(frozen=True, slots=True)
class DayCount:
    """One day (ISO 8601) of a trend; days without a conversation are left out."""

    day: str
    conversations: int
    failures: int


@dataclass(frozen=True, slots=True)
class Group:
    """The conversations with one value of a dimension.

    `value` is what the log says (for an intent its id), `name` what people read; `failing` how many of them failed,
    `share_of_failures` their part of all failures. A conversation that calls two tools counts for both.
    """

    dimension: str
    value: str
    name: str
    failing: Share
    share_of_failures: float
    trend: tuple[DayCount, ...]


@dataclass(frozen=True, slots=True)
class ToolAssociation:
    """Whether conversations that call a tool fail more often than the others.

    `odds_ratio` carries the correction of Haldane and Anscombe, `low` and `high` are Woolf's 95 % interval, `p` is
    Fisher's exact two-sided p-value and `p_adjusted` that of Benjamini and Hochberg over all tools.
    """

    tool: str
    calling: Share
    others: Share
    odds_ratio: float
    low: float
    high: float
    p: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is different from a day on.

    `rate`: conversations with this value fail more or less often from `day` on (value None: all conversations).
    `deploy`: the value was first met on `day`; `before` is all conversations before, `after` those with the value.
    `share`: conversations call the tool `value` more or less often from `day` on; the shares are of conversations.
    `difference` is after minus before with Newcombe's interval; `p` is corrected for the days that were tried, and
    `p_adjusted` by Benjamini and Hochberg over all changes of the kind.
    """

    kind: ChangeKind
    dimension: str
    value: str | None
    name: str
    day: str
    before: Share
    after: Share
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Condition:
    """What conversations have in common: a value of a dimension; `name` is what people read."""

    dimension: str
    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Conversations that fail more often than the others, by more than chance.

    `conditions` and `since` (a day, ISO 8601; None is always) say which; `inside` is how many of them fail, `outside`
    how many of all others that no finding before it has, `before` how many of those with the same conditions before
    that day; None where there were none, since a value was first met on it. `p_adjusted` is Fisher's exact one-sided
    p-value times the number of candidates that were tried. `members` are their places in
    `Triage.conversations`, whether they failed or not.
    """

    conditions: tuple[Condition, ...]
    since: str | None
    inside: Share
    outside: Share
    before: Share | None
    share_of_failures: float
    p: float
    p_adjusted: float
    sentence: str
    members: NDArray[np.int32] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether failures are isolated or systemic, by the `rule`, in a sentence.

    The shares are those of the one user, day or intent with most failures, of the failures whose user, day or intent
    is known; None where none is.
    """

    spread: Spread
    rule: str
    sentence: str
    top_user: Share | None
    top_day: Share | None
    top_intent: Share | None


@dataclass(frozen=True, slots=True)
class Routing:
    """In how many of the failures that were looked at the calls were already wrong, by the `rule`, in a sentence."""

    wrong_calls: Share
    rule: str
    sentence: str
    by_signal: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Conversations:
    """All conversations of the triage, one element each, in the log's order.

    `row` is the number in the log's table (`LogTable.conversations` reads them), `day` counts from 1970-01-01 and is
    -1 where the log does not say, `intent` is the place in the dimension `intent` of `Triage.groups` (-1: none, or
    intents were not asked for), `finding` the place of the first finding that it is a member of (-1: none).
    """

    row: NDArray[np.int64]
    failed: NDArray[np.bool_]
    day: NDArray[np.int32]
    intent: NDArray[np.int16]
    finding: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Triage:
    """The whole result.

    `top` is the one sentence: the first of the findings, or that nothing stands out. `failed_means` says what counts
    as failed, `reasons` how many conversations each part of it holds for. `groups` are by dimension, most failures
    first. `notes` say in sentences what could not be looked at.
    """

    top: str
    failed_means: str
    reasons: Mapping[str, int]
    failing: Share
    first_day: str | None
    last_day: str | None
    trend: tuple[DayCount, ...]
    findings: tuple[Finding, ...]
    groups: Mapping[str, tuple[Group, ...]]
    tools: tuple[ToolAssociation, ...]
    changes: tuple[Change, ...]
    verdict: Verdict
    routing: Routing | None
    notes: tuple[str, ...]
    conversations: Conversations = field(compare=False)
