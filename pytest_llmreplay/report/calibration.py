"""How well verdicts agree with labels: as words for the terminal, and as plain data. Nothing is decided here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pytest_llmreplay.judge.advice import HALF_WIDTH, Threshold, items_needed
from pytest_llmreplay.judge.agreement import Figures, Judged
from pytest_llmreplay.judge.measured import Measured
from pytest_llmreplay.report.paint import Screen, plural
from pytest_llmreplay.report.text import one_line

_HEADERS = ("", "n", "off menu", "accuracy", "kappa", "95 % interval", "TPR", "TNR", "orders", "repeats")
_DROPPABLE = (2, 9, 7, 6, 8, 3)
_MOST = 10

Evidence = Mapping[str, Sequence[str]]
"""By item: what the judge pointed at."""


def measured_text(
    measured: Measured, screen: Screen, min_kappa: float, evidence: Evidence = MappingProxyType({})
) -> str:
    """The figures of every group and slice, what was off the menu, what to read, and what more labels would do."""
    return "\n\n".join(block for block in _blocks(measured, screen, min_kappa, evidence) if block)


def measured_data(measured: Measured, min_kappa: float, evidence: Evidence = MappingProxyType({})) -> dict[str, Any]:
    """Everything as plain data for `--json`; what is not defined is null."""
    return {
        "groups": {name: dataclasses.asdict(figures) for name, figures in measured.groups.items()},
        "overall": dataclasses.asdict(measured.overall),
        "slices": {
            column: {value: dataclasses.asdict(figures) for value, figures in values.items()}
            for column, values in measured.slices.items()
        },
        "off_menu_verdicts": dict(measured.off_menu),
        "unlabelled": measured.unlabelled,
        "without_label": list(measured.without_label),
        "without_verdict": list(measured.without_verdict),
        "thresholds": {
            name: dataclasses.asdict(found) if found else None for name, found in measured.thresholds.items()
        },
        "items_needed": {name: needed(figures, min_kappa) for name, figures in measured.groups.items()},
        "disagreements": [disagreement_data(row, evidence) for row in measured.disagreements],
    }


def needed(figures: Figures, min_kappa: float) -> dict[str, int | None]:
    """How many items the interval needs to be worth its labels, and to lie above the floor as a whole."""
    above = None if figures.kappa is None else items_needed(figures, figures.kappa - min_kappa)
    return {"for_half_width": items_needed(figures, HALF_WIDTH), "for_floor": above}


def disagreement_data(row: Judged, evidence: Evidence) -> dict[str, Any]:
    """A verdict that differs from its label, as plain data."""
    return {
        "item_id": row.item_id,
        "group": row.group,
        "order": row.order,
        "label": row.label,
        "verdict": row.verdict,
        "slices": dict(row.slices),
        "evidence": list(evidence.get(row.item_id, ())),
    }


def _blocks(measured: Measured, screen: Screen, min_kappa: float, evidence: Evidence) -> Iterator[str]:
    yield _figures_table(measured.groups, screen)
    for column, values in measured.slices.items():
        yield f"By {one_line(column, 40)}\n{_figures_table(values, screen)}"
    yield "\n".join(screen.paragraph(line) for line in _remarks(measured, min_kappa))
    yield _disagreements(measured.disagreements, screen, evidence)


def _figures_table(groups: Mapping[str, Figures], screen: Screen) -> str:
    rows = [
        [
            one_line(name, min(34, screen.width // 2)),
            str(figures.n),
            str(figures.off_menu),
            _number(figures.accuracy),
            _number(figures.kappa),
            _interval(figures),
            _number(figures.tpr),
            _number(figures.tnr),
            _number(figures.order_agreement),
            _number(figures.repeatability),
        ]
        for name, figures in groups.items()
    ]
    # A column that no group has a figure for says nothing.
    empty = [column for column in (9, 8) if all(row[column] == "-" for row in rows)]
    kept = [column for column in range(len(_HEADERS)) if column not in empty]
    droppable = [kept.index(column) for column in _DROPPABLE if column in kept]
    return screen.table([[row[c] for c in kept] for row in rows], [_HEADERS[c] for c in kept], droppable)


def _remarks(measured: Measured, min_kappa: float) -> Iterator[str]:
    if measured.off_menu:
        words = ", ".join(f"'{one_line(word, 40)}' ×{count}" for word, count in measured.off_menu.items())
        yield (f"Off the menu, counted and never mapped (accuracy, kappa, TPR and TNR are those of the rest): {words}.")
    if measured.unlabelled:
        yield f"{plural(measured.unlabelled, 'row')} without a label, left out."
    for ids, what in (
        (measured.without_label, "verdict but no label"),
        (measured.without_verdict, "label but no verdict"),
    ):
        if ids:
            yield f"{plural(len(ids), 'item')} with a {what}, left out: {', '.join(_most_of(ids))}."
    for name, figures in measured.groups.items():
        whose = "" if len(measured.groups) == 1 else f"{one_line(name, 40)}: "
        yield from (whose + remark for remark in _advice(figures, measured.thresholds.get(name), min_kappa, not whose))


def _advice(figures: Figures, threshold: Threshold | None, min_kappa: float, alone: bool) -> Iterator[str]:
    if figures.length_bias is not None and alone:
        bias = figures.length_bias
        yield (
            f"Length: verdicts side with the longer answer more often than labels do by {100 * bias.value:+.1f} points "
            f"(95 % {100 * bias.low:+.1f} to {100 * bias.high:+.1f})."
        )
    if threshold is not None and threshold.kappa > (threshold.kappa_now or 0.0) + 1e-9:
        now = "" if threshold.kappa_now is None else f" instead of {threshold.kappa_now:.2f}"
        yield (
            f"Threshold: passing from {threshold.score:g} on would give kappa {threshold.kappa:.2f}{now} on these "
            "labels, and less on fresh ones."
        )
    counts = needed(figures, min_kappa)
    if alone and counts["for_half_width"] is not None:
        floor = counts["for_floor"]
        above = f", and about {floor} to lie above {min_kappa:g} as a whole" if floor is not None else ""
        yield (
            f"Labels: {plural(figures.items, 'item')} so far; kappa's interval needs about {counts['for_half_width']} "
            f"to be ±{HALF_WIDTH:g}{above}, if the judge goes on as it does."
        )


def _disagreements(rows: Sequence[Judged], screen: Screen, evidence: Evidence) -> str:
    if not rows:
        return ""
    several = len({row.group for row in rows}) > 1
    most = len(rows) if screen.verbosity > 0 else _MOST
    lines = [
        screen.line(
            f"{row.item_id}: label {row.label}, verdict {row.verdict}"
            + "".join(f" [{text}]" for text in (row.group if several else None, row.order) if text)
            + "".join(f" “{quote}”" for quote in evidence.get(row.item_id, ())),
            "  ",
        )
        for row in rows[:most]
    ]
    if len(rows) > most:
        lines.append(f"  (+{len(rows) - most} more; -v shows all)")
    return "\n".join([f"Read these: {plural(len(rows), 'disagreement')}", *lines])


def _most_of(ids: Sequence[str]) -> list[str]:
    """The first ids, and how many more there are."""
    shown = [one_line(name, 40) for name in ids[:3]]
    return [*shown, f"{len(ids) - 3} more"] if len(ids) > 3 else shown


def _interval(figures: Figures) -> str:
    # No width: labels or verdicts are all of one class, and kappa is 0 by construction.
    if (
        figures.kappa_low_by_item is None
        or figures.kappa_high_by_item is None
        or figures.kappa_low == figures.kappa_high
    ):
        return "-"
    return f"{_rounded(figures.kappa_low_by_item, 2)} to {_rounded(figures.kappa_high_by_item, 2)}"


def _number(value: float | None) -> str:
    return "-" if value is None else _rounded(value, 3)


def _rounded(value: float, digits: int) -> str:
    # A zero has no sign.
    return f"{round(value, digits) + 0.0:.{digits}f}"
