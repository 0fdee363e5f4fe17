import pytest

from pytest_llmreplay.compare import compare_outcomes
from pytest_llmreplay.compare.pairs import LABELS, Tally
from tests.compare.build import rows

LABELLED = {
    ("P", "P"): "both_pass",
    ("F", "F"): "both_fail",
    ("F", "P"): "fixed",
    ("P", "F"): "regressed",
    ("PPP", "PPP"): "both_pass",
    ("FFF", "PPP"): "fixed",
    ("PPP", "FFF"): "regressed",
    ("PPP", "PPF"): "flaky",
    ("PFP", "PPP"): "flaky",
    ("FFF", "FFP"): "flaky",
    ("PF", "FP"): "flaky",
    ("E", "P"): "unmeasured",
    ("P", "U"): "unmeasured",
    ("P", "N"): "unmeasured",
    ("", "P"): "unmeasured",
    ("P", ""): "unmeasured",
    ("PPE", "PUP"): "both_pass",
    ("FEN", "PPU"): "fixed",
    ("PFE", "PPP"): "flaky",
}


@pytest.mark.parametrize(("outcomes", "label"), LABELLED.items())
def test_the_label_of_a_case_looks_at_its_measured_trials(outcomes, label):
    made = rows({"a": outcomes, "other": ("P", "P")})
    comparison = compare_outcomes(made, baseline="v1", candidate="v2")
    case = next(case for case in comparison.cases if case.case_id == "a")
    assert case.label == label
    assert sum(comparison.counts.values()) == 2


def test_counts_name_every_label_and_are_read_by_key_or_by_name():
    comparison = compare_outcomes(
        rows({"a": ("F", "P"), "b": ("P", "F"), "c": ("P", "F")}), baseline="v1", candidate="v2"
    )
    assert tuple(comparison.counts) == LABELS
    assert comparison.counts == {
        "fixed": 1, "regressed": 2, "both_pass": 0, "both_fail": 0, "flaky": 0, "unmeasured": 0
    }  # fmt: skip
    assert (comparison.counts.fixed, comparison.counts["regressed"]) == (1, 2)
    with pytest.raises(AttributeError):
        _ = comparison.counts.broken


def test_a_tally_counts_outcomes_and_its_rate_is_over_measured_trials():
    comparison = compare_outcomes(rows({"a": ("PPFEUN", "P")}), baseline="v1", candidate="v2")
    tally = comparison.cases[0].baseline
    assert tally == Tally(passed=2, failed=1, error=1, unmeasured=1, not_run=1)
    assert (tally.measured, tally.trials, tally.rate) == (3, 6, 2 / 3)
    assert comparison.baseline_trials == tally


def test_a_pair_says_which_trials_failed_and_why():
    made = rows({"a": ("P", "PFF", {"reasons": [{"message": "called the wrong tool"}]})})
    case = compare_outcomes(made, baseline="v1", candidate="v2").cases[0]
    assert (case.failed_trials, case.reason) == ((2, 3), "called the wrong tool")


def test_a_pair_that_errored_says_why():
    made = rows({"a": ("P", "UE")})
    made[1]["reasons"] = [{"message": "no result was recorded"}]
    made[2]["reasons"] = [{"message": "the connection was reset"}]
    assert compare_outcomes(made, baseline="v1", candidate="v2").cases[0].reason == "the connection was reset"


MUST_PASS = [
    ({"kind": "control", "case_status": "fixed"}, "FP", True),
    ({"kind": "control"}, "FP", True),
    ({"kind": "incident", "case_status": "fixed"}, "FP", True),
    ({"kind": "incident", "case_status": "open"}, "PP", False),
    ({"kind": "incident"}, "PP", True),
    ({"kind": "incident"}, "FP", False),
    ({}, "PP", True),
    ({}, "PE", True),
    ({}, "FP", False),
    ({}, "E", False),
]


@pytest.mark.parametrize(("columns", "baseline", "must_pass"), MUST_PASS)
def test_what_must_pass_is_said_by_the_case_and_else_shown_by_the_baseline(columns, baseline, must_pass):
    comparison = compare_outcomes(rows({"a": (baseline, "F", columns)}), baseline="v1", candidate="v2")
    assert comparison.cases[0].must_pass is must_pass


def test_slices_come_from_the_project_columns_or_their_short_names():
    made = rows(
        {
            "a": (
                "P",
                "P",
                {"failure_category": "quality", "stage": "tool", "tags": ["x", "y", "x"], "kind": "control"},
            ),
            "b": ("P", "P", {"tags": "one"}),
        }
    )
    cases = compare_outcomes(made, baseline="v1", candidate="v2").cases
    assert cases[0].slices == (
        ("category", "quality"), ("stage", "tool"), ("tag", "x"), ("tag", "y"), ("kind", "control")
    )  # fmt: skip
    assert cases[1].slices == (("tag", "one"),)
