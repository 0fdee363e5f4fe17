"""Several candidates against one baseline."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_llmreplay.compare.comparison import Comparison, compare_outcomes
from pytest_llmreplay.compare.estimate import estimate, verdict_of
from pytest_llmreplay.compare.pairs import DIMENSIONS, pair_of
from pytest_llmreplay.compare.rows import Row, group_rows, variants_of
from pytest_llmreplay.compare.significance import holm
from pytest_llmreplay.model.errors import UserError


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Several candidates against one baseline, in the order given.

    `p_holm` corrects each candidate's p-value for their number. `best` is the variant (the baseline included) that is
    significantly better than every other one, at the 5 % level over all pairs of variants; None when there is none.
    """

    baseline: str
    comparisons: tuple[Comparison, ...]
    p_holm: Mapping[str, float]
    best: str | None
    sentence: str


def compare_many(
    rows: Iterable[Row],
    *,
    baseline: str,
    candidates: Sequence[str] | None = None,
    seed: int = 0,
    dimensions: Sequence[str] = DIMENSIONS,
    allow_differences: bool = False,
) -> Comparisons:
    """Compare several candidates with one baseline; see `compare_outcomes`.

    Args:
        rows: as for `compare_outcomes`.
        baseline: the name of the variant that all others are compared with.
        candidates: their names; None for every other variant in the rows, in order of appearance.
        seed: as for `compare_outcomes`.
        dimensions: as for `compare_outcomes`.
        allow_differences: as for `compare_outcomes`.

    Raises:
        UserError: the rows cannot be compared, or there is no candidate.
    """
    listed = list(rows)
    names = [n for n in variants_of(listed) if n != baseline] if candidates is None else list(candidates)
    if not names:
        raise UserError(f"there is no variant to compare with '{baseline}'", fix="give a second variant")
    compared = tuple(
        compare_outcomes(
            listed,
            baseline=baseline,
            candidate=name,
            seed=seed,
            dimensions=dimensions,
            allow_differences=allow_differences,
        )
        for name in names
    )
    adjusted = holm([comparison.p_value for comparison in compared])
    best = _best(listed, [baseline, *names], compared)
    if best is None:
        said = "No variant is significantly better than all others."
    else:
        said = f"{best} is significantly better than {'the other' if len(names) == 1 else 'every other'} variant."
    return Comparisons(baseline, compared, dict(zip(names, adjusted, strict=True)), best, said)


def _best(rows: Sequence[Row], names: Sequence[str], compared: Sequence[Comparison]) -> str | None:
    """Holm over all pairs of variants, so that naming a best one is wrong in at most 5 % of all comparisons."""
    found = {(c.baseline, c.candidate): (c.difference, c.p_value) for c in compared}
    for one, other in itertools.combinations(names, 2):
        if (one, other) not in found:
            cases = group_rows(rows, baseline=one, candidate=other)
            between = estimate([pair_of(case, ()) for case in cases])
            found[one, other] = between.difference, between.p_value
    adjusted = holm([p_value for _, p_value in found.values()])
    beaten: dict[str, set[str]] = {name: set() for name in names}
    for ((one, other), (difference, _)), p_value in zip(found.items(), adjusted, strict=True):
        verdict = verdict_of(difference, p_value)
        if verdict != "inconclusive":
            winner, loser = (other, one) if verdict == "better" else (one, other)
            beaten[winner].add(loser)
    return next((name for name, losers in beaten.items() if len(losers) == len(names) - 1), None)
