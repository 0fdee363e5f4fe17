"""Comparisons as plain data for JSON and Parquet: what a script reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_llmreplay.compare import Comparison, Comparisons


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """A comparison for JSON; the figures that most readers want stand at the top."""
    return {
        "baseline": comparison.baseline,
        "candidate": comparison.candidate,
        "sentence": comparison.sentence,
        "verdict": comparison.verdict,
        "counts": dict(comparison.counts),
        "difference": comparison.difference,
        "interval": list(comparison.interval),
        "p_value": comparison.p_value,
        "minimum_detectable": comparison.minimum_detectable,
        **{name: value for name, value in comparison.to_dict().items() if name not in ("counts", "sentence")},
    }


def comparisons_data(found: Comparisons) -> dict[str, Any]:
    """Several candidates for JSON; of a single one only its comparison."""
    if len(found.comparisons) == 1:
        return comparison_data(found.comparisons[0])
    return {
        "baseline": found.baseline,
        "best": found.best,
        "sentence": found.sentence,
        "p_holm": dict(found.p_holm),
        "comparisons": [comparison_data(comparison) for comparison in found.comparisons],
    }


def case_rows(found: Comparisons) -> Iterator[dict[str, Any]]:
    """A row a case and candidate, for a table: labels, pass rates, what broke."""
    for comparison in found.comparisons:
        flips = {flip.case_id: flip for flip in comparison.flips}
        for pair in comparison.cases:
            flip = flips.get(pair.case_id)
            yield {
                "case_id": pair.case_id,
                "baseline": comparison.baseline,
                "candidate": comparison.candidate,
                "label": pair.label,
                "baseline_rate": pair.baseline.rate,
                "candidate_rate": pair.candidate.rate,
                "baseline_trials": pair.baseline.trials,
                "candidate_trials": pair.candidate.trials,
                "difference": pair.difference,
                "weight": pair.weight,
                "kind": pair.kind,
                "case_status": pair.case_status,
                "severity": pair.severity,
                "suite": pair.suite,
                "cause": flip.cause if flip else None,
                "code": flip.code if flip else None,
                "tool": flip.tool if flip else None,
                "detail": flip.detail if flip else None,
                "reason": pair.reason,
            }
