"""Reference values: scipy 1.17.1, scipy.stats.bootstrap(method="percentile", n_resamples=200_000), numpy quantiles."""

import math

import pytest

from pytest_llmreplay.compare import compare_outcomes
from tests.compare.build import rows

BEFORE = [i**1.3 for i in range(1, 41)]
AFTER = [value * 1.1 + math.sin(value) for value in BEFORE]


def with_figure(figure, before, after):
    made = rows({f"c{i:03}": ("P", "P") for i in range(len(before))})
    for row, value in zip(made, [v for pair in zip(before, after, strict=True) for v in pair], strict=True):
        row[figure] = value
    return made


def deltas(made, **options):
    comparison = compare_outcomes(made, baseline="v1", candidate="v2", **options)
    return {(delta.figure, delta.statistic): delta for delta in comparison.deltas}


def test_mean_median_and_p95_are_those_of_numpy_and_their_intervals_near_scipys():
    found = deltas(with_figure("latency_s", BEFORE, AFTER))
    mean, median, p95 = (found["latency_s", statistic] for statistic in ("mean", "median", "p95"))
    assert mean.difference == pytest.approx(5.44443660031666)
    assert mean.interval == pytest.approx((4.3163, 6.6014), abs=0.15)
    assert median.difference == pytest.approx(5.05660532065783)
    assert median.interval == pytest.approx((2.868, 6.920), abs=0.3)
    assert (p95.baseline, p95.candidate) == pytest.approx((115.11004718968718, 126.29203186856637))
    assert p95.interval[0] < p95.difference < p95.interval[1]
    assert mean.cases == 40


def test_the_seed_decides():
    made = with_figure("latency_s", BEFORE, AFTER)
    assert deltas(made) == deltas(made) != deltas(made, seed=1)


def test_trials_of_a_case_are_averaged_first_for_the_mean_and_pooled_for_quantiles():
    made = rows({"a": ("PPP", "P"), "b": ("P", "P")})
    for row, value in zip(made, [1.0, 2.0, 3.0, 10.0, 8.0, 10.0], strict=True):
        row["cost_usd"] = value
    found = deltas(made)
    assert (found["cost_usd", "mean"].baseline, found["cost_usd", "mean"].candidate) == (5.0, 10.0)
    assert (found["cost_usd", "median"].baseline, found["cost_usd", "median"].candidate) == (2.5, 10.0)


def test_below_five_cases_there_is_no_interval():
    assert all(delta.interval is None for delta in deltas(with_figure("score", [1, 2, 3, 4], [2, 3, 4, 5])).values())
    five = deltas(with_figure("score", [1, 2, 3, 4, 5], [2, 3, 4, 5, 6]))["score", "mean"]
    assert five.interval == pytest.approx((1.0, 1.0))


def test_tokens_are_the_sum_of_both_kinds_where_they_are_not_given():
    made = rows({"a": ("P", "P", {"input_tokens": 10, "output_tokens": 5})})
    made[1]["tokens"] = 99
    assert (deltas(made)["tokens", "mean"].baseline, deltas(made)["tokens", "mean"].candidate) == (15.0, 99.0)
    del made[0]["output_tokens"]
    assert ("tokens", "mean") not in deltas(made)


def test_only_trials_that_passed_or_failed_and_cases_with_both_figures_count():
    made = rows({"a": ("PE", "P", {"latency_s": 1.0}), "b": ("P", "P"), "c": ("P", "F", {"latency_s": 3.0})})
    made[1]["latency_s"] = 1000.0
    made[4]["latency_s"] = 7.0
    mean = deltas(made)["latency_s", "mean"]
    assert (mean.cases, mean.baseline, mean.candidate) == (2, 2.0, 2.0)


def test_figures_of_the_candidate_stand_alone_and_say_how_many_trials_have_them():
    made = rows({"a": ("P", "PF"), "b": ("P", "P")})
    made[1]["cost_usd"], made[2]["cost_usd"] = 0.5, 1.5
    (figure,) = compare_outcomes(made, baseline="v1", candidate="v2").figures
    assert (figure.figure, figure.known, figure.trials, figure.mean, figure.median) == ("cost_usd", 2, 3, 1.0, 1.0)
