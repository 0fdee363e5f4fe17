"""The whole triage of a log's facts; pure: no files, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.triage.changes import find_changes, first_day
from pytest_llmreplay.mine.triage.counting import (
    Calendar,
    Grid,
    calendar_of,
    everything,
    grid_of,
    share_among,
    trend_of,
)
from pytest_llmreplay.mine.triage.facts import Dimension, Facts, Wrong
from pytest_llmreplay.mine.triage.nouns import (
    Condition,
    Conversations,
    Finding,
    Group,
    Share,
    ToolAssociation,
    Triage,
)
from pytest_llmreplay.mine.triage.patterns import Found, Pattern, find_patterns
from pytest_llmreplay.mine.triage.spread import routing_of, verdict_of
from pytest_llmreplay.mine.triage.tables import adjusted, odds_ratio, p_different
from pytest_llmreplay.mine.triage.wording import finding_sentence, nothing_sentence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def triage(
    facts: Facts,
    *,
    failed_means: str,
    reasons: Mapping[str, int],
    wrong: Wrong | None = None,
    notes: Sequence[str] = (),
) -> Triage:
    """Say how much fails, where, since when, and what goes with it.

    With nothing planted, at most 5 % of triages report a finding, a tool or a change: patterns are searched at a level
    of 3 %, and tools and changes count from an adjusted p-value of 1 % each.

    Args:
        facts: of the conversations.
        failed_means: what counts as failed, for people.
        reasons: how many conversations each part of that holds for.
        wrong: what was seen in the calls of failing conversations; None when nobody looked.
        notes: what could not be looked at, in sentences.
    """
    import numpy as np

    calendar = calendar_of(facts)
    everyone = np.ones(len(facts), np.bool_)
    failing = share_among(facts, everyone)
    found = find_patterns(facts)
    findings = tuple(_finding(facts, calendar, one, failing.count) for one in found)
    names = [dimension.name for dimension in facts.dimensions]
    whole = grid_of(facts, calendar, everything(facts))
    return Triage(
        top=findings[0].sentence if findings else nothing_sentence(failing, names, len(calendar.days)),
        failed_means=failed_means,
        reasons=dict(reasons),
        failing=failing,
        first_day=calendar.iso(1) if len(calendar.days) else None,
        last_day=calendar.iso(len(calendar.days)) if len(calendar.days) else None,
        trend=trend_of(whole, 0, calendar),
        findings=findings,
        groups={one.name: _groups(facts, calendar, one, failing.count) for one in facts.dimensions},
        tools=tool_associations(facts),
        changes=find_changes(facts),
        verdict=verdict_of(facts, found[0].members if found else everyone, of_finding=bool(found)),
        routing=None if wrong is None else routing_of(wrong, failing.count),
        notes=tuple(notes),
        conversations=_conversations(facts, found),
    )


def tool_associations(facts: Facts) -> tuple[ToolAssociation, ...]:
    """Whether conversations that call a tool fail more often than the others, the largest odds ratio first."""
    tools = facts.dimension("tool")
    if tools is None:
        return ()
    counts = grid_of(facts, calendar_of(facts), tools)
    failed = int(facts.failed.sum())
    pairs = []
    for value in range(len(tools.values)):
        calling = counts.row(value)
        pairs.append((calling, Share.of(failed - calling.count, len(facts) - calling.total)))
    p_values = [p_different(*pair) for pair in pairs]
    associations = [
        ToolAssociation(tool, *pair, *odds_ratio(*pair), p, corrected)
        for tool, pair, p, corrected in zip(tools.names, pairs, p_values, adjusted(p_values), strict=True)
    ]
    return tuple(sorted(associations, key=lambda one: (-one.odds_ratio, one.tool)))


def _groups(facts: Facts, calendar: Calendar, dimension: Dimension, failures: int) -> tuple[Group, ...]:
    counts = grid_of(facts, calendar, dimension)
    order = [value for value in _order(counts) if counts.total[value].any()]
    return tuple(_group(counts, value, calendar, dimension, failures) for value in order)


def _order(counts: Grid) -> list[int]:
    """The values with most failures first; among equals, those with most conversations."""
    import numpy as np

    order = np.lexsort((-counts.total.sum(axis=1), -counts.failed.sum(axis=1)))
    return [int(value) for value in order]


def _group(counts: Grid, value: int, calendar: Calendar, dimension: Dimension, failures: int) -> Group:
    failing = counts.row(value)
    part = failing.count / failures if failures else 0.0
    trend = trend_of(counts, value, calendar)
    return Group(dimension.name, dimension.values[value], dimension.names[value], failing, part, trend)


def _finding(facts: Facts, calendar: Calendar, found: Found, failures: int) -> Finding:
    import numpy as np

    values, since = found.pattern.values, found.pattern.since
    conditions = tuple(Condition(d.name, d.values[value], d.names[value]) for d, value in values)
    inside, outside = share_among(facts, found.members), share_among(facts, found.others)
    before = None
    if since:
        earlier = Pattern(values, 0).members(facts, calendar, found.members | found.others) & ~found.members
        before = share_among(facts, earlier)
    day = calendar.iso(since) if since else _first_met(facts, calendar, found.members)
    part = inside.count / failures
    sentence = finding_sentence(conditions, day, inside, outside, before, part)
    return Finding(
        conditions,
        day,
        inside,
        outside,
        before,
        part,
        found.p,
        found.p_adjusted,
        sentence,
        np.flatnonzero(found.members).astype(np.int32),
    )


def _first_met(facts: Facts, calendar: Calendar, members: NDArray[np.bool_]) -> str | None:
    """The day on which a pattern that came up later than the log begins was first met."""
    first = first_day(grid_of(facts, calendar, everything(facts), members), 0)
    return None if first is None else calendar.iso(first)


def _conversations(facts: Facts, found: Sequence[Found]) -> Conversations:
    """The conversations for whoever looks closer; intents are numbered as their groups are."""
    import numpy as np

    finding = np.full(len(facts), -1, np.int16)
    for number, one in reversed(list(enumerate(found))):
        finding[one.members] = number
    intent = np.full(len(facts), -1, np.int16)
    intents = facts.dimension("intent")
    if intents is not None:
        place = np.empty(len(intents.values), np.int16)
        place[_order(grid_of(facts, calendar_of(facts), intents))] = np.arange(len(intents.values))
        intent[intents.conversation] = place[intents.value]
    return Conversations(facts.row, facts.failed, facts.day, intent, finding)
