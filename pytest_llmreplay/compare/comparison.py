"""The comparison of two variants."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pytest_llmreplay.compare import wording
from pytest_llmreplay.compare.attribution import Cluster, Flip, clusters_of, flips_of
from pytest_llmreplay.compare.bootstrap import Delta, Figure, deltas, figures
from pytest_llmreplay.compare.estimate import Attempts, Estimate, Rate, Verdict, attempts, estimate, verdict_of
from pytest_llmreplay.compare.intervals import Interval
from pytest_llmreplay.compare.pairs import DIMENSIONS, CasePair, Counts, Tally, counts_of, pair_of
from pytest_llmreplay.compare.rows import (
    CaseRows,
    Row,
    differences_of_material,
    group_rows,
    measured,
    number,
)
from pytest_llmreplay.compare.significance import ALPHA, holm, smallest_split
from pytest_llmreplay.model.errors import UserError


@dataclass(frozen=True, slots=True)
class Slice:
    """The cases of one slice, such as severity `critical`.

    `p_holm` is the p-value corrected for all slices of the comparison. Where `can_reject` is false, the slice has too
    few cases to be significant whatever happens.
    """

    dimension: str
    value: str
    counts: Counts
    estimate: Estimate
    p_holm: float
    can_reject: bool

    @property
    def difference(self) -> float:
        """Candidate minus baseline, as pass rates from 0 to 1."""
        return self.estimate.difference

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference, not corrected for the number of slices."""
        return self.estimate.interval

    @property
    def p_value(self) -> float:
        """The p-value of this slice alone."""
        return self.estimate.p_value

    @property
    def verdict(self) -> Verdict:
        """Whether this slice became better or worse, at the 5 % level of the whole family of slices."""
        return verdict_of(self.difference, self.p_holm)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a candidate did against a baseline, case by case and overall.

    `cases` are all cases of either variant, sorted by id. `overall` is the estimate over every case that both measured,
    each counting once. `production` weighs each control by the production conversations that it stands for; it is None
    when there is no control, and over all cases when no row says which cases are controls (`production_basis`).
    `pass_at` and `pass_hat` are pass@k and pass^k; `deltas` compare scores, cost, tokens and latency, `figures` are
    those of the candidate alone. `live_share` is the mean share of the candidate's requests that were really sent, None
    when unknown. `notes` and `allowed_differences` belong beside the figures wherever they are shown.
    """

    baseline: str
    candidate: str
    cases: tuple[CasePair, ...]
    counts: Counts
    overall: Estimate
    production: Estimate | None
    production_basis: Literal["controls", "all cases"]
    slices: tuple[Slice, ...]
    pass_at: tuple[Attempts, ...]
    pass_hat: tuple[Attempts, ...]
    deltas: tuple[Delta, ...]
    figures: tuple[Figure, ...]
    flips: tuple[Flip, ...]
    clusters: tuple[Cluster, ...]
    baseline_trials: Tally
    candidate_trials: Tally
    live_share: float | None
    notes: tuple[str, ...]
    allowed_differences: tuple[str, ...]
    sentence: str

    @property
    def difference(self) -> float:
        """Candidate minus baseline, as pass rates from 0 to 1; 0 when nothing was measured on both."""
        return self.overall.difference

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference; (−1, 1) when nothing was measured on both."""
        return self.overall.interval

    @property
    def p_value(self) -> float:
        """The p-value of "no difference"; 1.0 without discordant pairs."""
        return self.overall.p_value

    @property
    def minimum_detectable(self) -> float:
        """The smallest difference that these cases would have shown with 80 % power."""
        return self.overall.minimum_detectable

    @property
    def pass_rates(self) -> dict[str, Rate]:
        """The pass rate of each variant over the cases that both measured, by name."""
        return {self.baseline: self.overall.baseline, self.candidate: self.overall.candidate}

    @property
    def verdict(self) -> Verdict:
        """Whether the candidate is better or worse at the 5 % level."""
        return self.overall.verdict

    def cases_needed(self, difference: float) -> int:
        """How many cases like these would show this difference (0 to 1) with 80 % power."""
        return self.overall.cases_needed(difference)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data for JSON."""
        return dataclasses.asdict(self)


def compare_outcomes(
    rows: Iterable[Row],
    *,
    baseline: str,
    candidate: str,
    seed: int = 0,
    dimensions: Sequence[str] = DIMENSIONS,
    allow_differences: bool = False,
) -> Comparison:
    """Compare two variants over their outcomes.

    Args:
        rows: the outcomes; those of other variants are ignored. First-pass trials only: a replay made because a trial
            failed would bias the estimate.
        baseline: the name of V1.
        candidate: the name of V2.
        seed: of the bootstrap and of Monte Carlo tests; the same seed gives the same comparison.
        dimensions: the columns by which to slice.
        allow_differences: compare although case contents, environments, rubrics or judges differ; what differs is then
            listed in the comparison.

    Raises:
        UserError: the rows cannot be compared, and why.
    """
    cases = group_rows(rows, baseline=baseline, candidate=candidate)
    differing = differences_of_material(cases)
    if differing and not allow_differences:
        raise _not_comparable(baseline, candidate, differing)
    return _compared(cases, (baseline, candidate), seed, dimensions, differing)


def _compared(
    cases: Sequence[CaseRows],
    names: tuple[str, str],
    seed: int,
    dimensions: Sequence[str],
    differing: Sequence[str],
) -> Comparison:
    pairs = tuple(pair_of(case, dimensions) for case in cases)
    counts, overall = counts_of(pairs), estimate(pairs)
    basis, production = _production(pairs, seed)
    flips = flips_of(cases, pairs)
    return Comparison(
        baseline=names[0],
        candidate=names[1],
        cases=pairs,
        counts=counts,
        overall=overall,
        production=production,
        production_basis=basis,
        slices=_slices(pairs, dimensions),
        pass_at=attempts(pairs, "at_least_one"),
        pass_hat=attempts(pairs, "all"),
        deltas=deltas(cases, seed=seed),
        figures=figures(cases),
        flips=flips,
        clusters=clusters_of(flips),
        baseline_trials=sum((pair.baseline for pair in pairs), Tally()),
        candidate_trials=sum((pair.candidate for pair in pairs), Tally()),
        live_share=_live_share(cases),
        notes=tuple(wording.notes(pairs, overall)),
        allowed_differences=tuple(differing),
        sentence=wording.sentence(*names, counts, overall),
    )


def _not_comparable(baseline: str, candidate: str, differing: Sequence[str]) -> UserError:
    return UserError(
        f"{baseline} and {candidate} were not measured on the same material: {'; '.join(differing)}",
        fix="replay both on the same cases, or compare with --allow",
    )


def _slices(pairs: Sequence[CasePair], dimensions: Sequence[str]) -> tuple[Slice, ...]:
    members: dict[tuple[str, str], list[CasePair]] = {}
    for pair in pairs:
        for key in pair.slices:
            members.setdefault(key, []).append(pair)
    members = dict(sorted(members.items(), key=lambda item: (dimensions.index(item[0][0]), item[0][1])))
    estimates = [estimate(inside) for inside in members.values()]
    adjusted = holm([found.p_value for found in estimates])
    needed = smallest_split(ALPHA / len(estimates)) if estimates else 0
    return tuple(
        Slice(dimension, value, counts_of(inside), found, p_holm, found.cases >= needed)
        for ((dimension, value), inside), found, p_holm in zip(members.items(), estimates, adjusted, strict=True)
    )


def _production(pairs: Sequence[CasePair], seed: int) -> tuple[Literal["controls", "all cases"], Estimate | None]:
    if all(pair.kind is None for pair in pairs):
        return "all cases", estimate(pairs, weighted=True, seed=seed)
    controls = [pair for pair in pairs if pair.kind == "control"]
    return "controls", estimate(controls, weighted=True, seed=seed) if controls else None


def _live_share(cases: Iterable[CaseRows]) -> float | None:
    shares = [number(row, "live_share") for case in cases for row in measured(case.candidate)]
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None
