import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pytest_llmreplay.compare import compare_outcomes
from pytest_llmreplay.compare.rows import differences_of_material, group_rows
from pytest_llmreplay.model.errors import UserError
from tests.compare.build import rows


def compare(made, **options):
    return compare_outcomes(made, baseline="v1", candidate="v2", **options)


def test_rows_of_other_variants_and_the_order_of_rows_change_nothing():
    made = rows({"a": ("PF", "PP"), "b": ("F", "P")})
    other = rows({"a": ("FFF", "FFF")}, baseline="v3", candidate="v4")
    assert compare([*other, *reversed(made)]) == compare(made)


@pytest.mark.parametrize("column", ["case_id", "variant", "trial", "status"])
def test_a_row_without_a_needed_column_is_refused_with_its_number(column):
    made = rows({"a": ("P", "P")})
    made[1][column] = None
    with pytest.raises(UserError, match=f"row 2 has no {column}; every row needs"):
        compare(made)


def test_an_unknown_status_names_the_row_the_allowed_words_and_the_nearest():
    made = rows({"a": ("P", "P")})
    made[0]["status"] = "pass"
    with pytest.raises(UserError, match=r"row 1 has an unknown status.*allowed: passed, failed.*did you mean 'passed'"):
        compare(made)


@pytest.mark.parametrize("trial", [True, 1.5, "1", math.inf])
def test_a_trial_is_a_whole_number(trial):
    made = rows({"a": ("P", "P")})
    made[0]["trial"] = trial
    with pytest.raises(UserError, match="a trial is a whole number"):
        compare(made)


def test_a_trial_that_occurs_twice_is_refused():
    made = rows({"a": ("P", "P")})
    with pytest.raises(UserError, match="case 'a' has trial 1 of variant 'v1' twice"):
        compare([*made, made[0]])


def test_an_unknown_variant_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"no outcome belongs to the candidate.*did you mean 'support_v2'"):
        compare_outcomes(rows({"a": ("P", "P")}, candidate="support_v2"), baseline="v1", candidate="support_v")


def test_a_variant_is_not_compared_with_itself():
    with pytest.raises(UserError, match="baseline and candidate are the same"):
        compare_outcomes(rows({"a": ("P", "P")}), baseline="v1", candidate="v1")


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("kind", "incidnet", "did you mean 'incident'"),
        ("case_status", "closed", "case 'a' has an unknown case_status"),
        ("weight", 0, "the weight of case 'a' is not positive"),
        ("weight", "heavy", "weight of case 'a' is not a number"),
        ("cost_usd", True, "cost_usd of case 'a' is not a number"),
        ("latency_s", math.inf, "latency_s of case 'a' is not a number"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(column, value, problem):
    with pytest.raises(UserError, match=problem):
        compare(rows({"a": ("P", "P", {column: value})}))


class NotAvailable:
    """As pandas.NA: comparing it gives itself, and it is neither true nor false."""

    def __ne__(self, other):
        return self

    __eq__ = __ne__
    __hash__ = object.__hash__

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


_LISTS_AND_TEXTS = (
    "reasons",
    "calls",
    "tags",
    "answer",
    "kind",
    "case_status",
    "severity",
    "case_digest",
    "live_share",
)


@pytest.mark.parametrize("missing", [math.nan, np.float32("nan"), NotAvailable(), pa.scalar(None, pa.string())])
def test_what_a_data_frame_fills_a_column_with_is_absent(missing):
    columns = (*_LISTS_AND_TEXTS, "weight", "score", "cost_usd", "latency_s", "tokens")
    made = rows({"a": ("P", "F"), "b": ("E", "F"), "c": ("F", "P")})
    assert compare([{**row, **dict.fromkeys(columns, missing)} for row in made]) == compare(made)


def test_rows_of_numpy_and_arrow_are_rows_like_any_other():
    columns = {"tags": ["x"], "tokens": 7, "score": 0.5, "calls": [["order", "{}"]], "reasons": [{"code": "wrong"}]}
    made = rows({"a": ("PF", "PP", columns), "b": ("FF", "PP", columns)})
    arrow = [{name: pa.scalar(value) for name, value in row.items()} for row in made]
    numpy = [
        {**row, "trial": np.int64(row["trial"]), "tags": np.array(row["tags"]), "score": np.float32(0.5)}
        for row in made
    ]
    assert compare(arrow) == compare(made)
    assert compare(numpy) == compare(made)


def test_not_a_number_and_empty_text_mean_absent():
    made = rows({"a": ("P", "F", {"weight": math.nan, "severity": "", "kind": None, "cost_usd": math.nan})})
    comparison = compare(made)
    assert (comparison.cases[0].weight, comparison.slices, comparison.deltas) == (1.0, (), ())


def test_numbers_as_case_ids_and_whole_floats_as_trials_are_read():
    made = rows({7: ("P", "F")})
    for row in made:
        row["trial"] = float(row["trial"])
    assert compare(made).cases[0].case_id == "7"


def test_what_a_case_is_comes_from_the_candidate_first():
    made = rows({"a": ("P", "P")})
    made[0].update(severity="low", intent="hours")
    made[1].update(severity="high")
    assert compare(made).cases[0].slices == (("severity", "high"), ("intent", "hours"))


MATERIAL = {
    "case_digest": "the contents of the case differ in a",
    "environment_digest": "the environment differs in a",
    "rubric_digest": "the rubric differs in a",
    "judge_digest": "the judge differs in a",
}


@pytest.mark.parametrize(("column", "sentence"), MATERIAL.items())
def test_variants_measured_on_other_material_are_not_compared_unless_it_is_allowed(column, sentence):
    made = rows({"a": ("P", "P"), "b": ("P", "P")})
    for number, row in enumerate(made):
        row[column] = f"digest-{number}" if row["case_id"] == "a" else "same"
    with pytest.raises(UserError, match=f"not measured on the same material: {sentence}; replay both"):
        compare(made)
    assert compare(made, allow_differences=True).allowed_differences == (sentence,)


def test_an_absent_digest_differs_from_nothing():
    made = rows({"a": ("P", "P")})
    made[0]["case_digest"] = "x"
    made[1]["case_digest"] = ""
    assert differences_of_material(group_rows(made, baseline="v1", candidate="v2")) == []


def test_many_differing_cases_are_counted_and_the_first_named():
    made = rows(dict.fromkeys("abcde", ("P", "P")))
    for number, row in enumerate(made):
        row["case_digest"] = str(number)
    (sentence,) = differences_of_material(group_rows(made, baseline="v1", candidate="v2"))
    assert sentence == "the contents of the case differ in a, b, c and 2 more"


def test_numbers_of_numpy_and_decimals_are_numbers():
    made = rows({"a": ("P", "P", {"weight": np.int64(3), "cost_usd": Decimal("0.5"), "tags": np.array(["x"])})})
    for row in made:
        row["trial"] = np.int64(1)
    case = compare(made).cases[0]
    assert (case.weight, case.slices) == (3.0, (("tag", "x"),))
    assert compare(made).deltas[0].baseline == 0.5


@pytest.mark.parametrize("reasons", [None, [], "no reply", ["no reply"], {"message": "no reply"}, [{}], [None]])
@pytest.mark.parametrize(
    "calls", [None, [], ["hours"], [["hours"]], [[]], [{}], [{"function": {"name": "hours"}}], [None]]
)
def test_reasons_and_calls_of_any_shape_are_read(reasons, calls):
    made = rows({"a": ("P", "F")})
    made[0]["calls"] = [["hours", "{}"]]
    made[1].update(reasons=reasons, calls=calls)
    comparison = compare(made)
    assert comparison.counts.regressed == 1
    assert len(comparison.flips) == len(comparison.clusters) == 1
