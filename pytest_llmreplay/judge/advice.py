"""What figures suggest: how many labels an interval needs, and at which threshold a judge agrees best. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_llmreplay.judge.agreement import Figures, Judged, first_answers
from pytest_llmreplay.judge.kappa import cohen_kappa

HALF_WIDTH = 0.1
"""The half-width of kappa's interval that is worth its labels."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A score from which to pass, the kappa that it gives on these labels, and the one as the judge decides now.

    It was chosen on the very labels that it is measured on, so fresh labels will show a lower kappa.
    """

    score: float
    kappa: float
    kappa_now: float | None


def items_needed(figures: Figures, distance: float) -> int | None:
    """How many labelled items bring the low end of kappa's interval to `distance` below kappa, were all else the same.

    Returns:
        None where kappa is not defined or its interval has no width, so that nothing can be told.
    """
    if figures.kappa is None or figures.kappa_low_by_item is None or distance <= 0:
        return None
    now = figures.kappa - figures.kappa_low_by_item
    return max(math.ceil(figures.items * (now / distance) ** 2 - 1e-9), 2) if now > 0 else None


def best_threshold(rows: Sequence[Judged]) -> Threshold | None:
    """The score from which a pass agrees best with the labels, by Cohen's kappa; of equals the highest.

    Returns:
        None where there are fewer than two different scores, or no threshold agrees better than chance.
    """
    scored = first_answers([row for row in rows if row.score is not None])
    scores = sorted({row.score for row in scored if row.score is not None})
    found = [(kappa.value, score) for score in scores[1:] if (kappa := cohen_kappa(_table_at(scored, score)))]
    value, score = max(found, default=(0.0, 0.0))
    if value <= 0:
        return None
    now = cohen_kappa(_table([row.cell for row in scored if row.on_menu]))
    return Threshold(score, value, now.value if now else None)


def _table_at(scored: Sequence[Judged], threshold: float) -> list[list[int]]:
    return _table([(row.cell[0], int(row.score is None or row.score < threshold)) for row in scored])


def _table(cells: Sequence[tuple[int, int]]) -> list[list[int]]:
    table = [[0, 0], [0, 0]]
    for label, verdict in cells:
        table[label][verdict] += 1
    return table
