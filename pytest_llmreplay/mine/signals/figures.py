"""Signals in figures and steps: outliers by model, and guardrails that stepped in; evaluated inside DuckDB."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_llmreplay.mine.signals.signal import Signal
from pytest_llmreplay.mine.signals.sql import literal, steps_where

if TYPE_CHECKING:
    import duckdb
    import numpy as np

Z = 3.5
FEWEST = 20
STEP = 0.001
"""Logarithms are counted in steps of this size, so that memory does not grow with the log."""
_LARGEST = math.log(sys.float_info.max)
FIGURES: Mapping[str, str] = {
    "latency_limits": "latency_s",
    "token_limits": "coalesce(input_tokens, 0)::DOUBLE + coalesce(output_tokens, 0)",
    "cost_limits": "cost_usd",
}
"""The derived columns that hold what is much, by model (no model is the empty text); and of which figure.

Each has a second column before whose name stands `lowest_`: the least of its limits, or null.
"""

_BLOCKED = (
    *("triggered", "blocked", "block", "intervened", "guardrail_intervened", "denied", "deny", "rejected", "flagged"),
    *("violation", "tripped", "failed", "fail"),
)


def limits_by_model(connection: duckdb.DuckDBPyConnection, figure: str) -> dict[str, float]:
    """Where the robust z-score of the figure's logarithm reaches `Z`, for each model of the relation `whole_log`.

    A model with fewer than `FEWEST` conversations, or all of whose figures are alike, has no limit.
    """
    import numpy as np

    sql = f"""
        SELECT model, list(step), list(count) FROM (
            SELECT coalesce(model, '') AS model, (ln({figure}) / {STEP})::INTEGER AS step, count(*) AS count
            FROM whole_log WHERE {figure} > 0 AND isfinite({figure}) GROUP BY ALL)
        GROUP BY ALL HAVING sum(count) >= {FEWEST} ORDER BY model"""  # noqa: S608 - constants
    limits = {}
    for model, listed, counted in connection.execute(sql).fetchall():
        steps, counts = np.array(listed), np.array(counted)
        middle = _median(steps, counts)
        away = np.abs(steps - middle)
        spread = 1.482602 * _median(away, counts) or 1.253314 * float(np.average(away, weights=counts))
        if spread > 0:
            # Below one step the spread is not known, and neighbours would be far from each other.
            limits[model] = math.exp(min(STEP * (middle + Z * max(spread, 1)), _LARGEST))
    return limits


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    """The median of values that occur so many times each."""
    import numpy as np

    order = np.argsort(values)
    upto = np.cumsum(counts[order])
    around = [np.searchsorted(upto, upto[-1] / 2, side) for side in ("left", "right")]
    return float(values[order][around].mean())


def _outlier(name: str, limits: str, what: str, columns: tuple[str, ...]) -> Signal:
    return Signal(
        name,
        "reliability" if limits == "latency_limits" else "cost",
        "model",
        f"{what} far above those of the same model: the robust z-score of the logarithm, (ln x - median) / "
        f"(1.4826 MAD), is more than {Z:g} (Iglewicz and Hoaglin 1993; where the MAD is 0, 1.2533 times the mean "
        f"absolute deviation takes its place; logarithms are counted in steps of {STEP:g}, and the deviation is at "
        f"least one step). A model with fewer than {FEWEST} conversations has none.",
        f"{FIGURES[limits]} > lowest_{limits} AND {FIGURES[limits]} > {limits}[coalesce(model, '')]"
        f" AND isfinite({FIGURES[limits]})",
        columns=("model", *columns, limits),
        at="conversation",
    )


FIGURE_SIGNALS = (
    _outlier("latency_outlier", "latency_limits", "The latency is", ("latency_s",)),
    _outlier(
        "token_outlier", "token_limits", "Input and output tokens together are", ("input_tokens", "output_tokens")
    ),
    _outlier("cost_outlier", "cost_limits", "The cost is", ("cost_usd",)),
    Signal(
        "guardrail_block",
        "safety",
        "guardrail",
        f"A guardrail of the application stepped in: the status of its step is one of {', '.join(_BLOCKED)}.",
        steps_where("m.kind = 'guardrail'", f"lower(m.status) IN ({', '.join(map(literal, _BLOCKED))})"),
        columns=("steps",),
        at="step",
    ),
)
