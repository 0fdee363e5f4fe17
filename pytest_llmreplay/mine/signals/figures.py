"""Signals in figures and steps: outliers by model, and guardrails that stepped in; evaluated inside DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_llmreplay.mine.signals.signal import Signal
from pytest_llmreplay.mine.signals.sql import literal, steps_where, whole_where

Z = 3.5
FEWEST = 20
FIGURES: Mapping[str, str] = {
    "latency_limits": "latency_s",
    "token_limits": "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)",
    "cost_limits": "cost_usd",
}
"""The derived columns that hold what is much, by model (no model is the empty text); and of which figure."""

_BLOCKED = (
    *("triggered", "blocked", "block", "intervened", "guardrail_intervened", "denied", "deny", "rejected", "flagged"),
    *("violation", "tripped", "failed", "fail"),
)


def limits_sql(figure: str) -> str:
    """The query for model and limit: where the robust z-score of the figure's logarithm reaches `Z`."""
    return f"""
        WITH figures AS (SELECT coalesce(model, '') AS model, list(ln({figure})) AS xs FROM whole_log
            WHERE {figure} > 0 GROUP BY ALL HAVING count(*) >= {FEWEST}),
        middles AS (SELECT model, xs, list_median(xs) AS middle FROM figures),
        spreads AS (SELECT model, middle, list_transform(xs, lambda x: abs(x - middle)) AS away FROM middles)
        SELECT model, exp(middle + {Z} * CASE WHEN list_median(away) > 1e-9 THEN 1.482602 * list_median(away)
            ELSE 1.253314 * list_avg(away) END)
        FROM spreads WHERE list_avg(away) > 1e-9"""  # noqa: S608 - constants


def _outlier(name: str, limits: str, what: str, columns: tuple[str, ...]) -> Signal:
    return Signal(
        name,
        "reliability" if limits == "latency_limits" else "cost",
        "model",
        f"{what} far above those of the same model: the robust z-score of the logarithm, (ln x - median) / "
        f"(1.4826 MAD), is more than {Z:g} (Iglewicz and Hoaglin 1993; where the MAD is 0, 1.2533 times the mean "
        f"absolute deviation takes its place). A model with fewer than {FEWEST} conversations has none.",
        whole_where(f"{FIGURES[limits]} > {limits}[coalesce(model, '')]"),
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
