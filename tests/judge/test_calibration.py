"""Whether a calibration still counts, and the file that keeps it."""

import dataclasses
import datetime as dt
import json

import pytest

from pytest_llmreplay.judge.agreement import Judged, figures_of
from pytest_llmreplay.judge.calibration import (
    Calibration,
    calibration_for,
    calibration_path,
    calibration_problem,
    calibration_text,
    read_calibrations,
    updated,
)
from pytest_llmreplay.model.errors import UserError

TODAY = dt.date(2026, 3, 1)


def judged(hits, misses, alarms, rejections):
    cells = {("pass", "pass"): hits, ("pass", "fail"): misses, ("fail", "pass"): alarms, ("fail", "fail"): rejections}
    pairs = [pair for pair, count in cells.items() for _ in range(count)]
    return [Judged(f"item-{i}", label, verdict, long=i % 2 == 0) for i, (label, verdict) in enumerate(pairs)]


GOOD = Calibration(
    judge_digest="j",
    rubric_digest="r",
    label_digest="l",
    date=dt.date(2026, 2, 1),
    mode="pointwise",
    model="m",
    rubric="rubric.yaml",
    labels="labels.csv",
    repeats=3,
    figures=figures_of(judged(45, 5, 5, 45)),
    slices={"language": {"de": figures_of(judged(4, 0, 1, 3))}},
)


def problem(calibration, **change):
    asked = {"rubric_digest": "r", "judge_digest": "j", "today": TODAY, "min_kappa": 0.6, "max_age_days": 90, **change}
    return calibration_problem(calibration, **asked)


def test_a_calibration_that_fits_gives_the_verdicts_power():
    assert problem(GOOD) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"judge_digest": "other"}, "has changed"),
        ({"rubric_digest": "other"}, "another rubric"),
        ({"mode": "pairwise"}, "calibrated pointwise and is asked pairwise"),
        ({"today": dt.date(2026, 5, 3)}, "91 days old; at most 90"),
        ({"today": dt.date(2026, 1, 1)}, "in the future"),
        ({"min_kappa": 0.81}, "kappa is 0.80 (95 % 0.68 to 0.92), below the floor of 0.81"),
    ],
)
def test_each_reason_that_takes_the_power_away_is_named(change, said):
    assert said in problem(GOOD, **change)


@pytest.mark.parametrize("change", [{"today": dt.date(2026, 5, 2)}, {"min_kappa": 0.8}, {"max_age_days": 28}])
def test_the_limits_themselves_still_count(change):
    assert problem(GOOD, **change) is None


def test_without_a_calibration_there_is_no_power():
    assert problem(None) == "the judge was never calibrated"


def test_few_items_that_all_agree_may_be_chance():
    few = dataclasses.replace(GOOD, figures=figures_of(judged(1, 0, 0, 1)))
    assert "on 2 items that may be chance" in problem(few)


def test_a_judge_that_always_says_the_same_has_no_power():
    constant = dataclasses.replace(GOOD, figures=figures_of(judged(10, 0, 10, 0)))
    assert "kappa is 0.00" in problem(constant)
    one_class = dataclasses.replace(GOOD, figures=figures_of(judged(20, 0, 0, 0)))
    assert "kappa is not defined" in problem(one_class)


def test_the_file_round_trips(tmp_path):
    path = calibration_path(tmp_path / "judge.yaml")
    assert path.name == "judge.calibration.json"
    other = dataclasses.replace(GOOD, rubric_digest="r2")
    path.write_text(calibration_text([GOOD, other]))
    assert read_calibrations(path) == (GOOD, other)
    assert json.loads(path.read_text())["rubric_digest"] == "r"


def test_no_file_is_no_calibration(tmp_path):
    assert read_calibrations(tmp_path / "judge.calibration.json") == ()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"judge_digest": 1}', '{"others": 1}', "\xff"])
def test_a_broken_file_is_an_error_and_no_calibration(tmp_path, text):
    path = tmp_path / "judge.calibration.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="calibrate again"):
        read_calibrations(path)


@pytest.mark.parametrize("kappa", ["high", float("nan")])
def test_an_edited_figure_that_is_no_number_is_an_error(tmp_path, kappa):
    data = json.loads(calibration_text([GOOD]))
    data["figures"]["kappa"] = kappa
    path = tmp_path / "judge.calibration.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"figures\.kappa: is no calibration"):
        read_calibrations(path)


def test_a_new_calibration_replaces_the_one_with_its_rubric_and_forgets_another_judge():
    other = dataclasses.replace(GOOD, rubric_digest="r2")
    pairwise = dataclasses.replace(GOOD, mode="pairwise")
    newer = dataclasses.replace(GOOD, date=dt.date(2026, 2, 20))
    assert updated([GOOD, other, pairwise], newer) == (newer, other, pairwise)
    changed = dataclasses.replace(GOOD, judge_digest="j2")
    assert updated([GOOD, other], changed) == (changed,)


def test_the_calibration_with_the_rubric_asked_for_is_found():
    other = dataclasses.replace(GOOD, rubric_digest="r2")
    assert calibration_for([GOOD, other], rubric_digest="r2") is other
    assert calibration_for([GOOD, other], rubric_digest="r3") is GOOD
    assert calibration_for([], rubric_digest="r") is None
