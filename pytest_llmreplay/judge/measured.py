"""Everything that labels and verdicts together say of a judge. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_llmreplay.judge.advice import Threshold, best_threshold
from pytest_llmreplay.judge.agreement import Figures, Judged, by_slice, disagreements, figures_of, first_answers
from pytest_llmreplay.judge.labels import Joined


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of each group, of all verdicts together and by slice; what else is to be known.

    `off_menu` counts the words off the menu, `without_label` and `without_verdict` name items of which only one is
    there, `unlabelled` counts rows of the labels file that have none, `disagreements` are verdicts that differ from
    their label.
    """

    groups: Mapping[str, Figures]
    overall: Figures
    slices: Mapping[str, Mapping[str, Figures]]
    thresholds: Mapping[str, Threshold | None]
    disagreements: tuple[Judged, ...]
    off_menu: Mapping[str, int]
    without_label: tuple[str, ...]
    without_verdict: tuple[str, ...]
    unlabelled: int


def measure(joined: Joined) -> Measured:
    """Work out all figures."""
    groups = {name: figures_of(rows) for name, rows in joined.groups.items()}
    rows = [row for part in joined.groups.values() for row in part]
    return Measured(
        groups=groups,
        overall=next(iter(groups.values())) if len(groups) == 1 else figures_of(rows),
        slices=by_slice(rows),
        thresholds={name: best_threshold(part) for name, part in joined.groups.items()},
        disagreements=tuple(disagreements(rows)),
        off_menu=dict(Counter(row.verdict for row in first_answers(rows) if not row.on_menu).most_common()),
        without_label=joined.without_label,
        without_verdict=joined.without_verdict,
        unlabelled=joined.unlabelled,
    )
