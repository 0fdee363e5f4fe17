import json
import time
from collections import defaultdict

import pytest

from pytest_llmreplay.compare import compare_outcomes
from pytest_llmreplay.compare.intervals import tango
from pytest_llmreplay.compare.significance import mcnemar_mid_p
from pytest_llmreplay.model.outcome import Outcome, Reason, outcome_row
from tests.compare.build import many, rows
from tests.shared_data import shared


def compare(made, **options):
    return compare_outcomes(made, baseline="v1", candidate="v2", **options)


def test_a_clear_improvement_in_one_sentence():
    comparison = compare(many(both_pass=21, fixed=15, regressed=2, both_fail=12))
    assert comparison.difference == pytest.approx(0.26)
    assert comparison.interval == pytest.approx(tango(15, 2, 50))
    assert comparison.p_value == pytest.approx(mcnemar_mid_p(15, 2))
    assert comparison.verdict == "better"
    assert {name: rate.rate for name, rate in comparison.pass_rates.items()} == {"v1": 0.46, "v2": 0.72}
    assert comparison.sentence == (
        "v2 is better than v1: it fixes 15 and breaks 2 of 50 cases; pass rate 46.0% → 72.0%, "
        "+26.0 points (95% interval +11.0 to +41.0, p = 0.001)."
    )


def test_a_clear_loss_is_worse():
    assert compare(many(both_pass=21, fixed=2, regressed=15)).sentence.startswith(
        "v2 is worse than v1: it fixes 2 and breaks 15 of 38 cases"
    )


def test_equal_totals_over_different_cases_are_churn_and_say_what_could_have_been_seen():
    comparison = compare(many(both_pass=30, fixed=5, regressed=5))
    assert (comparison.difference, comparison.p_value, comparison.verdict) == (0.0, 1.0, "inconclusive")
    needed = comparison.cases_needed(0.05)
    assert comparison.sentence == (
        "v2 fixes 5 and breaks 5 of 40 cases; pass rate 87.5% → 87.5%, +0.0 points "
        "(95% interval -16.9 to +16.9, p = 1.000): not conclusive. "
        "The totals are equal and the cases are not: this is churn. "
        f"This many cases would detect a difference of {100 * comparison.minimum_detectable:.1f} points; "
        f"5 points need about {needed} cases."
    )
    assert 0.3 < comparison.minimum_detectable < 0.35
    assert needed > 500


def test_a_large_suite_is_not_told_to_grow():
    sentence = compare(many(both_pass=3000, regressed=1)).sentence
    assert sentence.endswith("not conclusive. This many cases would detect a difference of 0.3 points.")


def test_without_discordance_the_p_value_is_one_and_the_interval_is_not_empty():
    comparison = compare(many(both_pass=20))
    assert (comparison.difference, comparison.p_value) == (0.0, 1.0)
    assert comparison.interval == pytest.approx((-0.1682, 0.1682), abs=5e-5)
    assert isinstance(comparison.p_value, float)


def test_when_nothing_was_measured_on_both_sides_nothing_is_claimed():
    comparison = compare(rows({"a": ("P", "E"), "b": ("U", "P")}))
    assert (comparison.difference, comparison.interval, comparison.p_value) == (0.0, (-1.0, 1.0), 1.0)
    assert comparison.minimum_detectable == 1.0
    assert comparison.sentence == "No case was measured on both v1 and v2: there is nothing to compare."


def test_no_rows_of_several_trials_leave_the_interval_a_pair_and_the_unit_the_case():
    comparison = compare(rows({f"c{i}": ("PPF", "PPP") if i < 6 else ("PPP", "PPP") for i in range(30)}))
    assert comparison.difference == pytest.approx(6 / 3 / 30)
    assert comparison.p_value == pytest.approx(2 * 0.5**7)
    assert comparison.counts.flaky == 6
    low, high = comparison.interval
    assert 0 < low < comparison.difference < high < 0.15


def test_slices_are_corrected_for_their_number_and_say_when_they_cannot_reject():
    made = rows({f"a{i}": ("P", "F", {"severity": "high", "tags": ["x"]}) for i in range(8)})
    made += rows({f"b{i}": ("P", "P", {"severity": "low", "kind": "control"}) for i in range(5)})
    slices = {(s.dimension, s.value): s for s in compare(made).slices}
    assert list(slices) == [("severity", "high"), ("severity", "low"), ("tag", "x"), ("kind", "control")]
    high = slices["severity", "high"]
    assert (high.difference, high.p_value, high.counts.regressed) == (-1.0, 0.5**8, 8)
    assert high.p_holm == pytest.approx(4 * 0.5**8)
    assert (high.verdict, high.can_reject) == ("worse", True)
    assert slices["severity", "low"].can_reject is False
    assert slices["severity", "low"].interval[0] < 0 < slices["severity", "low"].interval[1]


def test_a_slice_that_is_significant_alone_is_not_after_correction():
    made = rows({f"a{i}": ("P", "F", {"intent": "hours"}) for i in range(5)})
    for name in "bcdefg":
        made += rows({f"{name}{i}": ("P", "P", {"intent": name}) for i in range(3)})
    hours = next(s for s in compare(made).slices if s.value == "hours")
    assert hours.p_value <= 0.05 < hours.p_holm
    assert hours.verdict == "inconclusive"


def test_own_slice_columns():
    made = rows({"a": ("P", "P", {"language": "de"}), "b": ("F", "P", {"language": "en"})})
    found = compare(made, dimensions=("language",)).slices
    assert [(s.dimension, s.value, s.difference) for s in found] == [("language", "de", 0.0), ("language", "en", 1.0)]


def test_production_is_estimated_from_weighted_controls_and_incidents_are_said_to_be_selected():
    made = rows({f"i{n}": ("F", "P", {"kind": "incident", "weight": 1000.0}) for n in range(6)})
    made += rows({f"c{n}": ("P", "P", {"kind": "control", "weight": 1.0}) for n in range(9)})
    made += rows({"heavy": ("P", "F", {"kind": "control", "weight": 3.0})})
    comparison = compare(made)
    assert comparison.production_basis == "controls"
    assert comparison.production.cases == 10
    assert comparison.production.difference == pytest.approx(-3 / 12)
    assert comparison.production.effective_cases == pytest.approx(12**2 / 18)
    assert comparison.difference == pytest.approx(5 / 16)
    assert comparison.notes == (
        "The suite holds 6 incidents, chosen because production failed; only controls can say what happens in production.",
    )


def test_without_controls_nothing_is_said_of_production_and_without_kinds_all_cases_count():
    assert compare(many(both_pass=20, kind="incident")).production is None
    unknown = compare(many(both_pass=20, fixed=1))
    assert (unknown.production_basis, unknown.production.cases) == ("all cases", 21)


def test_notes_warn_of_few_cases_and_of_what_was_not_measured():
    notes = compare(rows({"a": ("P", "P"), "b": ("PE", "PP"), "c": ("P", "N")})).notes
    assert notes == (
        "2 cases measured on both sides: below 15 the figures are rough, and no outcome could have been significant.",
        "1 case could not be compared: not measured on both sides.",
        "1 case could not be measured in every trial; the measured ones count.",
    )
    assert compare(many(both_pass=15)).notes == ()


def test_pass_at_k_and_pass_hat_k_are_differenced_case_by_case():
    comparison = compare(rows({"a": ("PPF", "PPP"), "b": ("FFF", "PFF"), "c": ("PP", "PP")}))
    second = {attempt.k: attempt for attempt in comparison.pass_hat}[2]
    assert (second.cases, second.of) == (3, "all")
    assert second.baseline == pytest.approx((1 / 3 + 0 + 1) / 3)
    assert second.candidate == pytest.approx((1 + 0 + 1) / 3)
    assert second.difference == pytest.approx(second.candidate - second.baseline)
    third = {attempt.k: attempt for attempt in comparison.pass_at}[3]
    assert (third.cases, third.baseline, third.candidate) == (2, 0.5, 1.0)
    assert [attempt.k for attempt in comparison.pass_at] == [1, 2, 3]
    assert comparison.pass_at[0].difference == pytest.approx(comparison.difference)


def test_the_live_share_is_the_candidates():
    made = rows({"a": ("P", "PP")}, live_share=0.0)
    made[1]["live_share"] = 0.5
    assert compare(made).live_share == 0.25
    assert compare(rows({"a": ("P", "P")})).live_share is None


def test_outcomes_of_this_project_fit_and_the_result_is_plain_json():
    outcomes = [
        Outcome("a", "v1", 1, "passed", calls=(("hours", "{}"),), kind="control", tags=("x",), latency_s=1.0),
        Outcome(
            "a", "v2", 1, "failed", calls=(("search", "{}"),), kind="control", tags=("x",), latency_s=2.0,
            reasons=(Reason("calls", "wrong_name", "search instead of hours"),),
        ),
    ]  # fmt: skip
    comparison = compare([outcome_row(outcome) for outcome in outcomes])
    assert comparison.counts.regressed == 1
    assert comparison.flips[0].cause == "routing"
    assert json.loads(json.dumps(comparison.to_dict()))["counts"]["regressed"] == 1


def test_churn_is_what_the_baseline_does_against_itself():
    steady = compare(rows({f"c{i}": ("PPP", "PPP") for i in range(40)}))
    shaky = compare(rows({f"c{i}": ("PPF", "PFP") for i in range(40)}))
    assert steady.overall.churn == 0.0
    assert shaky.overall.churn == pytest.approx(3 / 2 * (2 / 9) * (2 / 3))
    assert shaky.minimum_detectable > steady.minimum_detectable


def pairs_of_airline():
    import pyarrow.parquet as pq

    grouped = defaultdict(list)
    for row in pq.read_table(shared("data", "pairs_airline.parquet")).to_pylist():
        grouped[row["v1_run"], row["v2_run"]].append(row)
    return grouped


AIRLINE = {
    ("tau2_airline_gpt-4o", "tau2_airline_claude-sonnet-4-5"): (15, 2, 21, 12),
    ("tau2_airline_gpt-4.1", "tau2_airline_gpt-4.1-sft"): (6, 3, 7, 4),
    ("tau2_airline_qwen2.5-7b", "tau2_airline_gpt-4o"): (17, 3, 6, 24),
    ("tau2_airline_qwen2.5-7b", "tau2_airline_claude-sonnet-4-5"): (27, 0, 9, 14),
}


@pytest.mark.parametrize(("variants", "expected"), AIRLINE.items())
def test_the_counts_of_real_pairs_by_reward(variants, expected):
    made = []
    for row in pairs_of_airline()[variants]:
        for name, passed in zip(variants, (row["v1_passed"], row["v2_passed"]), strict=True):
            status = "passed" if passed else "failed"
            made.append({"case_id": row["task_id"], "variant": name, "trial": 1, "status": status})
    counts = compare_outcomes(made, baseline=variants[0], candidate=variants[1]).counts
    assert (counts.fixed, counts.regressed, counts.both_pass, counts.both_fail) == expected
    assert (counts.flaky, counts.unmeasured) == (0, 0)


def test_sixty_cases_of_three_trials_are_compared_within_50_ms():
    cases = {
        f"c{i:02}": (
            ("PPF", "FPP", "PPP", "FFF")[i % 4],
            ("PPP", "PFP", "PPP", "FPP")[i % 4],
            {
                "kind": ("control", "incident")[i % 2],
                "severity": ("high", "low", "critical")[i % 3],
                "intent": f"intent-{i % 8}",
                "tags": [f"tag-{i % 5}"],
                "weight": 1.0 + i % 4,
                "cost_usd": 0.001 * i,
                "latency_s": 0.1 * i,
                "input_tokens": i,
                "output_tokens": 2 * i,
                "calls": [["hours", "{}"]],
                "answer": "nine to five",
            },
        )
        for i in range(60)
    }
    made = rows(cases)
    compare(made)
    taken = []
    for _ in range(7):
        start = time.process_time()
        compare(made)
        taken.append(time.process_time() - start)
    assert min(taken) < 0.050
