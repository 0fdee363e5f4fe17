"""Rates of failure of golden cases in production, and the rule by which one has risen; pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmreplay.compare.intervals import Interval, wilson
from pytest_llmreplay.compare.significance import holm

LEVEL = 0.01
"""How often a run may raise any alert although no rate has risen."""

Status = Literal["alert", "steady", "unmeasured", "new", "changed"]


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of the `similar` conversations `shown` the failure."""

    shown: int
    similar: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None of no conversations."""
        return self.shown / self.similar if self.similar else None

    @property
    def interval(self) -> Interval:
        """Wilson's score interval, 95 %."""
        return wilson(self.share or 0.0, self.similar)


@dataclass(frozen=True, slots=True)
class Met:
    """A similar conversation: its id, when it began (UTC), and whether it shows the failure.

    `named_after` is the file that the id is made of, where the log has none: files of one name in several folders make
    the same ids of different conversations.
    """

    conversation_id: str
    at: dt.datetime
    shown: bool
    named_after: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a watch measured: the whole rate, the rate of each day (UTC), and the ids that show it, latest first."""

    rate: Rate
    days: tuple[tuple[dt.date, Rate], ...]
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a watch.

    `alert`: its rate has risen; `steady`: it has not been shown to; `unmeasured`: too few conversations to tell; `new`:
    nothing was accepted for it; `changed`: what was accepted is another signal. `p_holm` is to be compared with
    `LEVEL`.
    """

    status: Status
    p_value: float | None = None
    p_holm: float | None = None


def reading_of(met: Iterable[Met]) -> Reading:
    """The rates of conversations, each counted once, where it was met first: an id, in its file if made of its name."""
    first: dict[tuple[str | None, str], Met] = {}
    for one in met:
        first.setdefault((one.named_after, one.conversation_id), one)
    days: dict[dt.date, list[bool]] = defaultdict(list)
    for one in first.values():
        days[one.at.date()].append(one.shown)
    failing = sorted((one for one in first.values() if one.shown), key=lambda one: one.at, reverse=True)
    return Reading(
        Rate(len(failing), len(first)),
        tuple((day, Rate(sum(shown), len(shown))) for day, shown in sorted(days.items())),
        tuple(one.conversation_id for one in failing),
    )


def judge(rates: Mapping[str, Rate], accepted: Mapping[str, Rate | None]) -> dict[str, Judged]:
    """Which of the rates have risen above what was accepted.

    For each watch Fisher's exact test, one-sided, of its rate against the accepted one; Holm's correction over all
    watches that can be compared. While no rate has risen, any alert at all is raised in at most `LEVEL` of all runs,
    provided that the conversations are independent and those of both rates are different ones. A watch that could not
    reach the level by itself even if all of its conversations showed the failure is `unmeasured`.

    Args:
        rates: what was measured, by watch.
        accepted: what was accepted, by watch: missing where nothing was, None where it is no longer comparable.
    """
    compared = {name: (rate, before) for name, rate in rates.items() if (before := accepted.get(name)) is not None}
    p_values = {name: rise_p(rate, before) for name, (rate, before) in compared.items()}
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    judged: dict[str, Judged] = {}
    for name in rates:
        if name not in compared:
            judged[name] = Judged("changed" if name in accepted else "new")
            continue
        rate, before = compared[name]
        blind = rise_p(Rate(rate.similar, rate.similar), before) > LEVEL
        status: Status = "unmeasured" if blind else "alert" if adjusted[name] <= LEVEL else "steady"
        judged[name] = Judged(status, p_values[name], adjusted[name])
    return judged


def rise_p(rate: Rate, before: Rate) -> float:
    """The p-value of Fisher's exact test, one-sided, against `rate` being no higher than `before` (Fisher, 1935)."""
    if not (rate.shown and rate.similar and before.similar):
        return 1.0
    from scipy.stats import hypergeom

    both, all_shown = rate.similar + before.similar, rate.shown + before.shown
    return float(hypergeom.sf(rate.shown - 1, both, all_shown, rate.similar))


def exit_code(judged: Sequence[Judged], rates: Sequence[Rate], *, compared: bool) -> int:
    """1: an alert; 10: nothing could be measured; else 0.

    Args:
        judged: what became of the watches.
        rates: what they measured.
        compared: whether there is anything accepted to compare with; without, to have a rate is enough.
    """
    if any(one.status == "alert" for one in judged):
        return 1
    measured = any(one.status == "steady" for one in judged) if compared else any(rate.similar for rate in rates)
    return 0 if measured else 10
