"""Which trials of a run are shown to a judge side by side. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_llmreplay.judge.material import Material, material_of_outcome
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.verdict import Preference


@dataclass(frozen=True, slots=True)
class Pair:
    """One trial of a case on two variants, and which of them the judge prefers, once it was asked."""

    case_id: str
    trial: int
    rubric: Rubric
    baseline: Material
    candidate: Material
    preference: Preference | None = None


def pairs_of(
    outcomes: Iterable[Outcome],
    cases: Mapping[str, Case],
    rubrics: Mapping[str, Rubric | None],
    baseline: str,
    candidate: str,
) -> tuple[list[Pair], list[str]]:
    """The trials that both variants answered, and why others are left out, a sentence a reason.

    Args:
        outcomes: of one run.
        cases: by id, as they are now.
        rubrics: by case id; None where a case has none.
        baseline: the name of V1.
        candidate: the name of V2.
    """
    sides: dict[tuple[str, int], dict[str, Outcome]] = {}
    for outcome in outcomes:
        if outcome.variant in (baseline, candidate):
            sides.setdefault((outcome.case_id, outcome.trial), {})[outcome.variant] = outcome
    pairs: list[Pair] = []
    reasons: Counter[str] = Counter()
    for (case_id, trial), found in sorted(sides.items()):
        case, rubric = cases.get(case_id), rubrics.get(case_id)
        problem = _problem(case, found.get(baseline), found.get(candidate))
        if problem is not None or case is None or rubric is None:
            reasons[problem or "without a rubric"] += 1
            continue
        first, second = (
            material_of_outcome(case, found[name], reference=_reference(case)) for name in (baseline, candidate)
        )
        pairs.append(Pair(case_id, trial, rubric, first, second))
    return pairs, [f"{count} {'trial' if count == 1 else 'trials'} {why}" for why, count in reasons.most_common()]


def _problem(case: Case | None, first: Outcome | None, second: Outcome | None) -> str | None:
    if first is None or second is None:
        return "of one variant only"
    if first.answer is None or second.answer is None:
        return "not answered by both"
    if case is None or any(o.case_digest and o.case_digest != case.content_digest for o in (first, second)):
        return "of a case that has changed since"
    return None


def _reference(case: Case) -> str | None:
    rubric = case.expect.get("expect", case.expect).get("rubric")
    reference = rubric.get("reference") if isinstance(rubric, Mapping) else None
    return reference if isinstance(reference, str) else None
