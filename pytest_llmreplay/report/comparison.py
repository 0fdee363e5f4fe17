"""A comparison on the terminal: a screen at most, what broke first."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_llmreplay.compare import Comparison, Comparisons
from pytest_llmreplay.compare.wording import percent
from pytest_llmreplay.report.figures import (
    MANY_HEADERS,
    RATE_HEADERS,
    RateRow,
    delta_rows,
    many_rows,
    rate_rows,
)
from pytest_llmreplay.report.paint import Screen, most_of
from pytest_llmreplay.report.text import one_line

_MOST_SLICES = 6
_MOST_CLUSTERS = 6
_MOST_CASES = 50
_STYLES = {"better": ("green",), "worse": ("red", "bold"), "regressed": ("red",), "lost": ("yellow",)}
_COUNT_STYLES = {"regressed": "red", "fixed": "green", "flaky": "yellow", "unmeasured": "yellow"}


def comparison_text(comparison: Comparison, screen: Screen) -> str:
    """The comparison of two variants."""
    return "\n\n".join(block for block in _blocks(comparison, screen) if block)


def brief_text(comparison: Comparison, screen: Screen) -> str:
    """The comparison of two variants in a few lines: the sentence, the counts, what changed by cause."""
    return "\n".join(block for block in _brief(comparison, screen) if block)


def comparisons_text(found: Comparisons, screen: Screen) -> str:
    """Several candidates against one baseline: a table, then each one as it asks for it."""
    if len(found.comparisons) == 1:
        return comparison_text(found.comparisons[0], screen)
    rows = [[one_line(row[0], 40), *row[1:]] for row in many_rows(found)]
    baseline = found.comparisons[0].overall.baseline
    head = screen.paragraph(f"{found.baseline} (pass rate {percent(baseline.rate)}) against {len(rows)} candidates")
    blocks = [head, screen.table(rows, MANY_HEADERS, (4, 1, 6, 7, 2)), screen.paragraph(found.sentence)]
    if screen.verbosity >= 0:
        blocks += [comparison_text(comparison, screen) for comparison in found.comparisons]
    return "\n\n".join(blocks)


def _brief(comparison: Comparison, screen: Screen) -> Iterator[str]:
    yield screen.paint(screen.line(f"{comparison.baseline} -> {comparison.candidate}"), "bold")
    yield screen.paint(screen.paragraph(comparison.sentence), *_STYLES.get(comparison.verdict, ()))
    yield _counts(comparison, screen)
    if screen.verbosity >= 0:
        yield _clusters(comparison, screen)


def _blocks(comparison: Comparison, screen: Screen) -> Iterator[str]:
    yield from _brief(comparison, screen)
    if screen.verbosity < 0:
        return
    yield _rates(comparison, screen)
    yield _attempts(comparison, screen)
    yield _deltas(comparison, screen)
    if screen.verbosity > 0:
        yield _cases(comparison, screen)
    yield "\n".join(screen.paragraph(f"note: {note}") for note in notes_of(comparison))


def notes_of(comparison: Comparison) -> list[str]:
    """What a reader has to know beside the figures."""
    allowed = [f"Compared although {difference}." for difference in comparison.allowed_differences]
    return [*allowed, *comparison.notes]


def _counts(comparison: Comparison, screen: Screen) -> str:
    lines, room = [""], screen.width
    for label, count in comparison.counts.items():
        text = f"{label.replace('_', ' ')} {count}"
        if lines[-1] and len(text) + 3 > room:
            lines.append("")
            room = screen.width
        style = _COUNT_STYLES.get(label)
        room -= len(text) + 3
        lines[-1] += ("   " if lines[-1] else "") + (screen.paint(text, style) if style and count else text)
    return "\n".join(lines)


def _clusters(comparison: Comparison, screen: Screen) -> str:
    if not comparison.clusters:
        return ""
    lines = [
        screen.paint(screen.paragraph(cluster.line, "  ", "  "), *_STYLES.get(cluster.direction, ()))
        for cluster in comparison.clusters
    ]
    most = len(lines) if screen.verbosity > 0 else _MOST_CLUSTERS
    return "\n".join(["What changed, by cause", *most_of(lines, most, "more causes; -v shows all")])


def _rates(comparison: Comparison, screen: Screen) -> str:
    rows = list(rate_rows(comparison))
    if not comparison.overall.cases:
        return ""
    most = len(rows) if screen.verbosity > 0 else len(rows) - len(comparison.slices) + _MOST_SLICES
    headers = ["", "cases", *_names(comparison), *RATE_HEADERS[4:]]
    table = screen.table([_rate_cells(row, screen) for row in rows[:most]], headers, (5, 6, 1, 2, 3))
    more = f"\n  (+{len(rows) - most} more slices; -v shows all)" if len(rows) > most else ""
    corrected = screen.paragraph("p-values of slices are corrected for their number (Holm).")
    return table + more + (f"\n{corrected}" if comparison.slices else "")


def _names(comparison: Comparison) -> tuple[str, str]:
    return one_line(comparison.baseline, 20), one_line(comparison.candidate, 20)


def _rate_cells(row: RateRow, screen: Screen) -> list[str]:
    cells = [one_line(row.cells[0], min(34, screen.width // 2)), *row.cells[1:]]
    return [screen.paint(cell, *_STYLES.get(row.verdict, ())) for cell in cells]


def _attempts(comparison: Comparison, screen: Screen) -> str:
    best = [attempt for attempt in (*comparison.pass_at, *comparison.pass_hat) if attempt.k > 1]
    if not best:
        return ""
    rows = [
        [
            f"pass@{a.k}" if a.of == "at_least_one" else f"pass^{a.k}",
            str(a.cases),
            percent(a.baseline),
            percent(a.candidate),
            f"{100 * a.difference:+.1f}",
            f"{100 * a.interval[0]:+.1f} to {100 * a.interval[1]:+.1f}",
        ]
        for a in best
        if screen.verbosity > 0 or a.k == best[-1].k
    ]
    headers = ["trials of a case", "cases", *_names(comparison), *RATE_HEADERS[4:6]]
    return screen.table(rows, headers, (5, 1, 2, 3))


def _deltas(comparison: Comparison, screen: Screen) -> str:
    statistics = ("mean", "median", "p95") if screen.verbosity > 0 else ("mean", "p95")
    rows = list(delta_rows(comparison, statistics))
    if screen.verbosity <= 0:
        rows = [row for row in rows if not row[0].startswith(("input", "output"))]
    if not rows:
        return ""
    headers = ["per trial", "cases", *_names(comparison), *RATE_HEADERS[4:6]]
    return screen.table(rows, headers, (5, 1, 2, 3))


def _cases(comparison: Comparison, screen: Screen) -> str:
    lines = [
        screen.line(f"{flip.direction} {flip.case_id}: {flip.cause}{', ' + flip.detail if flip.detail else ''}", "  ")
        for flip in sorted(comparison.flips, key=lambda flip: (flip.direction == "fixed", flip.case_id))
    ]
    return "\n".join(["Flips, case by case", *most_of(lines, _MOST_CASES)]) if lines else ""
