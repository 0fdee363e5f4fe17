import itertools

import pytest

from pytest_llmreplay.compare.ratchet import accept, exit_code, item_verdict, outcome_exit_code
from pytest_llmreplay.model.outcome import Outcome

VERDICTS = {
    # (kind, case status): candidate passed, candidate failed, baseline passed, baseline failed
    ("incident", "open"): ("now_passes", "known_failing", "passed", "baseline_failing"),
    ("incident", "draft"): ("passed", "known_failing", "passed", "baseline_failing"),
    ("incident", "fixed"): ("passed", "failed", "passed", "baseline_failing"),
    ("control", "open"): ("passed", "failed", "passed", "baseline_failing"),
    ("control", "fixed"): ("passed", "failed", "passed", "baseline_failing"),
}


@pytest.mark.parametrize(("case", "expected"), VERDICTS.items())
def test_a_measured_trial_is_shown_by_what_is_known_of_its_case(case, expected):
    kind, case_status = case
    shown = tuple(
        item_verdict(kind=kind, case_status=case_status, status=status, baseline=baseline)
        for baseline, status in itertools.product((False, True), ("passed", "failed"))
    )
    assert shown == expected


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("kind", ["incident", "control"])
def test_trouble_is_red_and_absence_is_a_skip_whatever_the_case(kind, baseline):
    def show(status):
        return item_verdict(kind=kind, case_status="fixed", status=status, baseline=baseline)

    assert (show("error"), show("unmeasured"), show("not_run")) == ("error", "skipped", "skipped")


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="'flaky' is no outcome"):
        item_verdict(kind="control", case_status="fixed", status="flaky", baseline=False)


@pytest.mark.parametrize(
    ("candidates", "baselines", "code"),
    [
        (["passed", "now_passes", "known_failing"], ["passed", "baseline_failing"], 0),
        (["passed"], ["skipped"], 0),
        (["passed"], ["error"], 10),
        (["passed", "error"], [], 10),
        (["passed", "skipped"], [], 10),
        (["failed", "error", "skipped"], ["error"], 1),
        ([], [], 0),
    ],
)
def test_exit_codes(candidates, baselines, code):
    assert exit_code(candidates, baselines) == code


def outcome(case_id, status, *, variant="v2", trial=1, kind="incident", case_status="open"):
    return Outcome(case_id, variant, trial, status, kind=kind, case_status=case_status)


def test_the_exit_code_of_outcomes_knows_the_baseline():
    outcomes = [outcome("a", "failed", variant="v1", kind="control"), outcome("a", "passed", kind="control")]
    assert outcome_exit_code(outcomes, baseline="v1") == 0
    assert outcome_exit_code(outcomes) == 1


def test_accept_takes_open_incidents_of_which_every_trial_of_the_candidate_passed():
    outcomes = [
        outcome("solid", "passed"),
        outcome("solid", "passed", trial=2),
        outcome("solid", "failed", variant="v1"),
        outcome("mixed", "passed"),
        outcome("mixed", "failed", trial=2),
        outcome("cut-short", "passed"),
        outcome("cut-short", "not_run", trial=2),
        outcome("already", "passed", case_status="fixed"),
        outcome("control", "passed", kind="control"),
    ]
    assert accept(outcomes, candidate="v2") == ["solid"]
    assert accept([o for o in outcomes if o.variant == "v2"]) == ["solid"]
    assert accept(outcomes) == []
