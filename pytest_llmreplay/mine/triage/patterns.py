"""Which conversations fail more than chance explains: values and a day, searched one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.triage.counting import Calendar, calendar_of, everything, grid_of, share_among
from pytest_llmreplay.mine.triage.facts import Dimension, Facts
from pytest_llmreplay.mine.triage.tables import dispersion, p_higher, surplus, thinned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.03
"""How often a pattern is found where nothing is planted: the larger part of the 5 % that triage as a whole may err."""

_MOST_PATTERNS = 3
_MOST_STEPS = 4
_FEWEST = 5

Value = tuple[Dimension, int]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Conversations with all of some values, from a day on (its place in the calendar; 0 is always)."""

    values: tuple[Value, ...]
    since: int

    def members(self, facts: Facts, calendar: Calendar, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the conversations that count it is true of."""
        chosen = among & (calendar.place >= self.since)
        for dimension, value in self.values:
            chosen &= with_value(facts, dimension, value)
        return chosen


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern with the conversations it was found among; `tried` is how many candidates there were, all in all."""

    pattern: Pattern
    members: NDArray[np.bool_]
    others: NDArray[np.bool_]
    p: float
    tried: int

    @property
    def p_adjusted(self) -> float:
        """The p-value after Bonferroni."""
        return min(1.0, self.p * self.tried)


@dataclass(frozen=True, slots=True)
class _Candidate:
    pattern: Pattern
    tried: int


def find_patterns(facts: Facts) -> list[Found]:
    """The patterns with significantly more failures, the strongest first; each among what those before it leave.

    Candidates are every value of every dimension, always or from any day on, and every day alone. The one with the
    largest scan statistic (Kulldorff 1997) is taken when Fisher's exact test, times the number of candidates, stays
    within `LEVEL`: Bonferroni, so that with nothing planted no more than that share of triages finds one. Inside it the
    search goes on for a further value in the same way, and a value or a day that is not needed is dropped. Where the
    rates of days vary more than chance explains, the counts of a test of days are thinned by as much; else the test
    takes conversations as independent of each other.
    """
    import numpy as np

    calendar = calendar_of(facts)
    left = np.ones(len(facts), np.bool_)
    found: list[Found] = []
    while len(found) < _MOST_PATTERNS:
        one = _strongest(facts, calendar, left)
        if one is None:
            break
        found.append(one)
        left &= ~one.members
    return found


def with_value(facts: Facts, dimension: Dimension, value: int) -> NDArray[np.bool_]:
    """Which conversations have the value."""
    import numpy as np

    chosen = np.zeros(len(facts), np.bool_)
    chosen[dimension.conversation[dimension.value == value]] = True
    return chosen


def _strongest(facts: Facts, calendar: Calendar, among: NDArray[np.bool_]) -> Found | None:
    pattern, tried = Pattern((), 0), 1
    for _ in range(_MOST_STEPS):
        inside = pattern.members(facts, calendar, among)
        candidate = _best(facts, calendar, pattern, inside)
        if candidate is None:
            break
        narrower = candidate.pattern.members(facts, calendar, inside)
        varied = _variation(facts, calendar, candidate.pattern, inside)
        if _p(facts, narrower, inside & ~narrower, varied) * candidate.tried > LEVEL:
            break
        following = _simplified(facts, calendar, candidate.pattern, among)
        if following == pattern:
            break
        pattern, tried = following, tried * candidate.tried
    if not pattern.values and not pattern.since:
        return None
    members = pattern.members(facts, calendar, among)
    others = among & ~members
    varied = _variation(facts, calendar, pattern, among)
    return Found(pattern, members, others, _p(facts, members, others, varied), tried)


def _best(facts: Facts, calendar: Calendar, known: Pattern, inside: NDArray[np.bool_]) -> _Candidate | None:
    """The narrower pattern with the largest scan statistic."""
    import numpy as np

    whole = share_among(facts, inside)
    used = {dimension.name for dimension, _ in known.values}
    best, strongest, tried = None, 0.0, 0
    for dimension in (*(one for one in facts.dimensions if one.name not in used), everything(facts)):
        counts = grid_of(facts, calendar, dimension, inside).since()
        enough = (counts.total >= _FEWEST) & (whole.total - counts.total >= _FEWEST)
        tried += int(np.count_nonzero(enough))
        if not enough.any():
            continue
        scores = surplus(counts.failed, counts.total, np.asarray(whole.count), np.asarray(whole.total))
        scores = np.where(enough, scores, 0.0)
        value, since = np.unravel_index(int(scores.argmax()), scores.shape)
        if scores[value, since] > strongest:
            strongest = float(scores[value, since])
            more = () if not dimension.name else ((dimension, int(value)),)
            best = Pattern((*known.values, *more), max(int(since), known.since))
    return None if best is None else _Candidate(best, tried)


def _simplified(facts: Facts, calendar: Calendar, pattern: Pattern, among: NDArray[np.bool_]) -> Pattern:
    """The pattern with the day that fits its values best, and without what it does not need."""
    if pattern.values:
        pattern = Pattern(pattern.values, _since(facts, calendar, pattern.values, among))
    needed = list(pattern.values)
    for value in pattern.values:
        rest = Pattern(tuple(one for one in needed if one is not value), pattern.since)
        if (rest.values or rest.since) and not _is_needed(facts, calendar, value, rest, among):
            needed.remove(value)
    if len(needed) == len(pattern.values):
        return pattern
    simpler = Pattern(tuple(needed), _since(facts, calendar, tuple(needed), among))
    return simpler if simpler.values or simpler.since else pattern


def _since(facts: Facts, calendar: Calendar, values: tuple[Value, ...], among: NDArray[np.bool_]) -> int:
    """The day from which conversations with these values fail more often than before; 0 when there is none."""
    import numpy as np

    inside = Pattern(values, 0).members(facts, calendar, among)
    whole = share_among(facts, inside)
    counts = grid_of(facts, calendar, everything(facts), inside).since()
    scores = surplus(counts.failed, counts.total, np.asarray(whole.count), np.asarray(whole.total))[0]
    enough = (counts.total[0] >= _FEWEST) & (whole.total - counts.total[0] >= _FEWEST)
    if not enough.any():
        return 0
    since = int(np.where(enough, scores, 0.0).argmax())
    after = inside & (calendar.place >= since)
    varied = _variation(facts, calendar, Pattern(values, since), among)
    return since if _p(facts, after, inside & ~after, varied) * np.count_nonzero(enough) <= LEVEL else 0


def _is_needed(facts: Facts, calendar: Calendar, value: Value, rest: Pattern, among: NDArray[np.bool_]) -> bool:
    """Whether what the rest of a pattern says fails more often with the value than without."""
    without = rest.members(facts, calendar, among)
    inside = without & with_value(facts, *value)
    return _p(facts, inside, without & ~inside) * len(value[0].values) <= LEVEL


def _variation(facts: Facts, calendar: Calendar, pattern: Pattern, among: NDArray[np.bool_]) -> float:
    """How much more days vary than chance explains, among conversations with a pattern's values; 1 without a day."""
    if not pattern.since:
        return 1.0
    counts = grid_of(facts, calendar, everything(facts), Pattern(pattern.values, 0).members(facts, calendar, among))
    return dispersion(counts.failed[0, 1:], counts.total[0, 1:], pattern.since - 1)


def _p(facts: Facts, inside: NDArray[np.bool_], outside: NDArray[np.bool_], varied: float = 1.0) -> float:
    return p_higher(thinned(share_among(facts, inside), varied), thinned(share_among(facts, outside), varied))
