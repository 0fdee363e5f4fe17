import datetime as dt
import json

import pytest

from pytest_llmreplay.compare import Confirmation, GatePolicy, JudgeEvidence, Waiver, compare_outcomes, decide
from pytest_llmreplay.model.errors import UserError
from tests.compare.build import many, rows

TODAY = dt.date(2026, 3, 6)
CONTROL = {"kind": "control", "case_status": "fixed"}
FIXED = {"kind": "incident", "case_status": "fixed"}
OPEN = {"kind": "incident", "case_status": "open"}


def gate(made, policy=None, **inputs):
    comparison = compare_outcomes(made, baseline="v1", candidate="v2")
    return decide(GatePolicy(**(policy or {})), comparison, today=TODAY, **inputs)


def summary(decision):
    return decision.decision, decision.rule, decision.exit_code


def result(decision, rule):
    return next(found for found in decision.results if found.rule == rule)


HEALTHY = {f"c{i:02}": ("P", "P", CONTROL) for i in range(20)}


def test_a_healthy_candidate_passes_with_a_sentence():
    decision = gate(rows(HEALTHY))
    assert summary(decision) == ("pass", "all", 0)
    assert decision.sentence == (
        "v2 may be shipped: 5 rules applied, none objects. Every case that must pass does. Not significantly worse: "
        "+0.0 points (95% interval -16.8 to +16.8, p = 1.000) on 20 controls."
    )
    assert decision.red == decision.waived == ()


class TestRatchet:
    @pytest.mark.parametrize("columns", [CONTROL, FIXED])
    def test_one_case_that_must_pass_and_fails_is_a_regression_whatever_the_statistics(self, columns):
        broken = {"broken": ("P", "F", {**columns, "severity": "low", "reasons": [{"message": "wrong tool"}]})}
        decision = gate(rows({**HEALTHY, **broken}))
        assert summary(decision) == ("regression", "max_regressions", 1)
        assert decision.sentence == "1 case that must pass and fails on v2: broken."
        (item,) = decision.red
        assert (item.case_id, item.severity, item.trials, item.message) == ("broken", "low", (1,), "wrong tool")

    def test_any_failing_trial_is_red(self):
        decision = gate(rows({**HEALTHY, "flaky": ("PPP", "PPF", CONTROL)}))
        assert summary(decision) == ("regression", "max_regressions", 1)
        assert decision.red[0].trials == (3,)

    def test_a_case_that_the_baseline_fails_too_is_red_all_the_same(self):
        assert gate(rows({**HEALTHY, "a": ("F", "F", FIXED)})).decision == "regression"

    def test_an_open_incident_may_fail(self):
        assert gate(rows({**HEALTHY, "a": ("F", "F", OPEN)})).decision == "pass"

    def test_without_labels_what_the_baseline_passed_must_pass(self):
        assert gate(many(both_pass=20, regressed=1)).rule == "max_regressions"
        assert gate(many(both_pass=20, both_fail=1)).decision == "pass"

    @pytest.mark.parametrize(
        ("allowed", "decision"),
        [
            (2, "pass"),
            (1, "regression"),
            ({"low": 2}, "pass"),
            ({"low": 1, "high": 5}, "regression"),
            ({"high": 2}, "regression"),
        ],
    )
    def test_red_cases_are_tolerated_in_all_or_by_severity(self, allowed, decision):
        broken = {f"b{i}": ("P", "F", {**CONTROL, "severity": "low"}) for i in range(2)}
        found = gate(rows({**HEALTHY, **broken}), {"max_regressions": allowed})
        assert found.decision == decision
        assert len(found.red) == 2

    def test_cases_without_a_severity_are_unrated(self):
        broken = rows({**HEALTHY, "b": ("P", "F", CONTROL)})
        assert gate(broken, {"max_regressions": {"unrated": 1}}).decision == "pass"

    @pytest.mark.parametrize(
        ("confirmation", "decision"),
        [
            (Confirmation(passed=3, failed=0), "pass"),
            (Confirmation(passed=2, failed=1), "pass"),
            (Confirmation(passed=1, failed=1), "pass"),
            (Confirmation(passed=1, failed=2), "regression"),
            (Confirmation(passed=0, failed=0), "regression"),
        ],
    )
    def test_fresh_trials_clear_a_case_unless_a_strict_majority_fails(self, confirmation, decision):
        found = gate(rows({**HEALTHY, "a": ("P", "F", CONTROL)}), confirmations={"a": confirmation})
        trials = confirmation.failed + confirmation.passed
        assert f"fresh trials, which count nowhere else: a failed {confirmation.failed} of {trials}." in found.notes[0]
        assert found.decision == decision
        assert found.cleared == (("a",) if decision == "pass" else ())
        assert ("Failed once and cleared by fresh trials: a." in found.notes) == (decision == "pass")

    def test_fresh_trials_never_touch_the_estimate(self):
        made = rows({**HEALTHY, "a": ("P", "F", CONTROL)})
        plain, confirmed = gate(made), gate(made, confirmations={"a": Confirmation(3, 0)})
        assert result(plain, "estimate") == result(confirmed, "estimate")


class TestMustFixAndDue:
    def test_an_open_case_of_must_fix_that_fails_is_a_regression(self):
        decision = gate(rows({**HEALTHY, "a": ("F", "F", OPEN)}), {"must_fix": ["a"]})
        assert summary(decision) == ("regression", "must_fix", 1)
        assert decision.sentence == "Must be fixed and still failing: a."
        assert decision.red[0].rule == "must_fix"

    def test_what_the_ratchet_tolerates_has_to_be_fixed_all_the_same(self):
        made = rows({**HEALTHY, "a": ("P", "F", CONTROL)})
        assert summary(gate(made, {"max_regressions": 1})) == ("pass", "all", 0)
        assert summary(gate(made, {"max_regressions": 1, "must_fix": ["a"]})) == ("regression", "must_fix", 1)

    def test_a_must_fix_case_that_passes_is_well(self):
        decision = gate(rows({**HEALTHY, "a": ("F", "P", OPEN)}), {"must_fix": ["a"]})
        assert (decision.decision, result(decision, "must_fix").verdict) == ("pass", "pass")

    def test_a_must_fix_case_that_was_not_run_is_unmeasurable_with_the_nearest_name(self):
        decision = gate(rows(HEALTHY), {"must_fix": ["c0_3"]})
        assert summary(decision) == ("unmeasurable", "must_fix", 10)
        assert decision.sentence == "Must be fixed and was not run: c0_3. Did you mean 'c03'?"

    def test_a_must_fix_case_that_could_not_be_measured_is_unmeasurable(self):
        decision = gate(rows({**HEALTHY, "a": ("F", "U", OPEN)}), {"must_fix": ["a"], "max_unmeasured_share": 0.5})
        assert summary(decision) == ("unmeasurable", "must_fix", 10)

    def test_must_fix_holds_in_mode_statistical_for_fixed_cases_too(self):
        policy = {"mode": "statistical", "non_inferiority_margin": 0.5, "must_fix": ["a"]}
        assert gate(rows({**HEALTHY, "a": ("P", "F", FIXED)}), policy).rule == "must_fix"

    @pytest.mark.parametrize(
        ("due", "decision"),
        [("2026-03-05", "regression"), ("2026-03-06", "pass"), (dt.date(2026, 3, 1), "regression")],
    )
    def test_an_open_case_past_its_due_date_is_a_regression(self, due, decision):
        found = gate(rows({**HEALTHY, "a": ("F", "F", OPEN)}), due={"a": due})
        assert found.decision == decision
        if decision == "regression":
            assert found.rule == "overdue"
            assert found.red[0].message == f"was due on {due} and still fails"

    def test_an_overdue_case_that_passes_or_is_not_minded_is_well(self):
        assert gate(rows({**HEALTHY, "a": ("F", "P", OPEN)}), due={"a": "2026-01-01"}).decision == "pass"
        made = rows({**HEALTHY, "a": ("F", "F", OPEN)})
        assert gate(made, {"overdue": "ignore"}, due={"a": "2026-01-01"}).decision == "pass"

    def test_a_due_date_that_is_none_is_refused(self):
        with pytest.raises(UserError, match="the due date of case 'a' is no date"):
            gate(rows(HEALTHY), due={"a": "soon"})


class TestWaivers:
    def waiver(self, case="a", until=TODAY):
        return Waiver(case=case, until=until, owner="ana", reason="tool renamed")

    def test_a_waived_case_is_not_counted_and_is_printed(self):
        decision = gate(rows({**HEALTHY, "a": ("P", "F", CONTROL)}), waivers=[self.waiver()])
        assert decision.decision == "pass"
        assert [(item.case_id, waiver.owner) for item, waiver in decision.waived] == [("a", "ana")]
        assert "The waiver of a (ana: tool renamed) holds until 2026-03-06." in decision.notes

    def test_an_expired_waiver_does_not_hold_and_says_so(self):
        decision = gate(rows({**HEALTHY, "a": ("P", "F", CONTROL)}), waivers=[self.waiver(until=dt.date(2026, 3, 5))])
        assert summary(decision) == ("regression", "max_regressions", 1)
        assert "The waiver of a (ana: tool renamed) expired on 2026-03-05." in decision.notes

    def test_a_waiver_covers_must_fix_and_due(self):
        made = rows({**HEALTHY, "a": ("F", "F", OPEN)})
        assert gate(made, {"must_fix": ["a"]}, waivers=[self.waiver()]).decision == "pass"
        assert gate(made, due={"a": "2026-01-01"}, waivers=[self.waiver()]).decision == "pass"

    def test_a_waiver_of_an_unknown_case_is_said(self):
        notes = gate(rows(HEALTHY), waivers=[self.waiver("gone")]).notes
        assert "The waiver of gone (ana: tool renamed) names a case that was not run." in notes


class TestShares:
    @pytest.mark.parametrize("outcomes", [("P", "E"), ("E", "P")])
    def test_errors_of_either_variant_are_unmeasurable(self, outcomes):
        decision = gate(rows({**HEALTHY, "a": (*outcomes, OPEN)}))
        assert summary(decision) == ("unmeasurable", "max_error_share", 10)
        assert decision.sentence == "4.8% of the trials ended in an error; 0.0% is tolerated."
        assert gate(rows({**HEALTHY, "a": (*outcomes, OPEN)}), {"max_error_share": 0.05}).decision == "pass"

    @pytest.mark.parametrize("letter", ["U", "N", ""])
    def test_what_the_candidate_never_showed_is_unmeasurable(self, letter):
        made = rows({**HEALTHY, "a": ("P", letter, OPEN)})
        assert summary(gate(made)) == ("unmeasurable", "max_unmeasured_share", 10)
        assert gate(made, {"max_unmeasured_share": 0.05}).decision == "pass"

    def test_an_unmeasured_baseline_does_not_decide(self):
        assert gate(rows({**HEALTHY, "a": ("U", "P", CONTROL)})).decision == "pass"

    def test_a_regression_outweighs_what_cannot_be_measured(self):
        made = rows({**HEALTHY, "a": ("P", "E", CONTROL), "b": ("P", "F", CONTROL)})
        assert summary(gate(made)) == ("regression", "max_regressions", 1)

    def test_too_much_flakiness_is_unmeasurable_where_a_limit_is_written(self):
        made = rows({f"c{i}": ("PFP", "PPP", OPEN) if i < 3 else ("PPP", "PPP", OPEN) for i in range(20)})
        assert summary(gate(made, {"max_flaky_share": 0.1})) == ("unmeasurable", "max_flaky_share", 10)
        assert gate(made, {"max_flaky_share": 0.15}).decision == "pass"

    def test_too_few_live_requests_are_unmeasurable(self):
        made = rows(HEALTHY, live_share=0.25)
        assert summary(gate(made, {"min_live": 0.5})) == ("unmeasurable", "min_live", 10)
        assert gate(made, {"min_live": 0.25}).decision == "pass"
        assert result(gate(rows(HEALTHY), {"min_live": 0.1}), "min_live").verdict == "unmeasurable"

    def test_too_few_cases_are_unmeasurable(self):
        decision = gate(rows(HEALTHY), {"min_cases": 21})
        assert summary(decision) == ("unmeasurable", "min_cases", 10)
        assert decision.sentence == "20 controls measured on both variants; 21 is the least."

    def test_nothing_measured_is_never_a_pass(self):
        assert gate(rows({"a": ("P", "N", CONTROL)}), {"max_unmeasured_share": 1.0}).decision == "unmeasurable"


class TestEstimate:
    LENIENT = {"mode": "statistical", "non_inferiority_margin": 0.05}

    def controls(self, **counts):
        return many(**counts, **CONTROL)

    def test_in_mode_statistical_single_failures_are_left_to_the_estimate(self):
        made = self.controls(both_pass=400, regressed=2, fixed=1)
        assert gate(made, self.LENIENT).decision == "pass"
        assert gate(made).rule == "max_regressions"
        assert gate(made, {**self.LENIENT, "max_regressions": 1}).rule == "max_regressions"

    def test_a_significant_loss_beyond_the_margin_is_a_regression(self):
        decision = gate(self.controls(both_pass=80, regressed=12), self.LENIENT)
        assert summary(decision) == ("regression", "non_inferiority_margin", 1)
        assert decision.sentence.startswith("Significantly worse, and not within a loss of 5 points: -13.0 points")

    def test_a_significant_loss_within_the_margin_passes(self):
        decision = gate(self.controls(both_pass=1000, regressed=10), self.LENIENT)
        assert decision.decision == "pass"
        assert result(decision, "non_inferiority_margin").sentence.startswith(
            "At worst within a loss of 5 points: -1.0"
        )

    def test_what_the_cases_cannot_show_is_unmeasurable_and_says_how_many_would(self):
        decision = gate(self.controls(both_pass=40), self.LENIENT)
        assert summary(decision) == ("unmeasurable", "non_inferiority_margin", 10)
        assert "about 73 controls would show it if nothing is lost" in decision.sentence

    @pytest.mark.parametrize(("cases", "decision"), [(73, "unmeasurable"), (74, "pass")])
    def test_silence_is_enough_from_74_controls_on_for_five_points(self, cases, decision):
        assert gate(self.controls(both_pass=cases), self.LENIENT).decision == decision

    def test_without_a_margin_only_a_significant_loss_counts(self):
        policy = {"max_regressions": 100}
        assert summary(gate(self.controls(both_pass=20, regressed=5), policy)) == (
            "regression", "estimate", 1
        )  # fmt: skip
        assert gate(self.controls(both_pass=20, regressed=4), policy).decision == "pass"

    def test_incidents_cannot_show_that_nothing_was_lost(self):
        decision = gate(many(both_pass=200, fixed=50, **OPEN), self.LENIENT)
        assert summary(decision) == ("unmeasurable", "non_inferiority_margin", 10)
        assert "promote some with --control" in decision.sentence

    def test_controls_count_by_their_weight(self):
        made = self.controls(both_pass=300) + rows({"heavy": ("P", "F", {**CONTROL, "weight": 100.0})})
        assert gate(made, self.LENIENT).decision == "unmeasurable"
        made[-1]["weight"] = made[-2]["weight"] = 1.0
        assert gate(made, self.LENIENT).decision == "pass"


class TestSlices:
    def policy(self, **rule):
        return {"max_regressions": 100, "slices": [{"where": {"severity": "critical"}, **rule}]}

    def made(self, passed, failed):
        critical = {**CONTROL, "severity": "critical"}
        cases = {f"k{i:02}": ("P", "P" if i < passed else "F", critical) for i in range(passed + failed)}
        return rows({**HEALTHY, **cases})

    def test_red_cases_of_a_slice(self):
        decision = gate(self.made(10, 1), self.policy(max_regressions=0))
        assert summary(decision) == ("regression", "slices[severity=critical].max_regressions", 1)
        assert decision.sentence == "1 red case, 0 tolerated: k10."
        assert gate(self.made(10, 1), self.policy(max_regressions=1)).decision == "pass"

    def test_the_pass_rate_of_a_slice(self):
        assert gate(self.made(8, 2), self.policy(min_pass_rate=0.81)).decision == "regression"
        assert gate(self.made(8, 2), self.policy(min_pass_rate=0.8)).decision == "pass"

    def test_a_slice_without_cases_is_unmeasurable(self):
        rule = {"where": {"severity": "medium"}, "min_pass_rate": 0.5, "min_cases": 1, "non_inferiority_margin": 0.5}
        decision = gate(rows(HEALTHY), {"slices": [rule]})
        verdicts = {r.rule.rsplit(".", 1)[1]: r.verdict for r in decision.results if r.rule.startswith("slices")}
        assert verdicts == dict.fromkeys(("min_pass_rate", "min_cases", "non_inferiority_margin"), "unmeasurable")

    def test_the_margin_of_a_slice_looks_at_its_controls_only(self):
        made = self.made(80, 0) + rows({f"i{n}": ("P", "F", {**OPEN, "severity": "critical"}) for n in range(30)})
        assert gate(made, self.policy(non_inferiority_margin=0.05)).decision == "pass"
        decision = gate(self.made(60, 20), self.policy(non_inferiority_margin=0.05))
        assert result(decision, "slices[severity=critical].non_inferiority_margin").verdict == "regression"

    def test_a_slice_without_a_case_is_not_well_by_absence(self):
        decision = gate(rows(HEALTHY), {"slices": [{"where": {"severity": "criticl"}, "max_regressions": 0}]})
        assert summary(decision) == ("unmeasurable", "slices[severity=criticl].max_regressions", 10)

    def test_slices_are_corrected_for_their_number(self):
        rules = [{"where": {"severity": s}, "non_inferiority_margin": 0.01} for s in ("critical", "high", "low")]
        one = gate(self.made(100, 5), {"max_regressions": 100, "slices": rules[:1]})
        three = gate(self.made(100, 5), {"max_regressions": 100, "slices": rules})
        name = "slices[severity=critical].non_inferiority_margin"
        assert result(one, name).verdict == "regression"
        assert result(three, name).verdict == "unmeasurable"


class TestBudgets:
    def made(self, before, after):
        made = rows(HEALTHY)
        for row in made:
            row["cost_usd"] = before if row["variant"] == "v1" else after
            row["latency_s"] = row["cost_usd"] * 100
            row["tokens"] = 1000
        return made

    @pytest.mark.parametrize(
        ("budget", "decision"),
        [
            ({"max": 0.02}, "regression"),
            ({"max": 0.03}, "pass"),
            ({"max_increase": 0.4}, "regression"),
            ({"max_increase": 0.6}, "pass"),
            ({"max": 0.03, "max_increase": 0.1}, "regression"),
        ],
    )
    def test_cost_is_absolute_or_relative_to_the_baseline(self, budget, decision):
        found = gate(self.made(0.02, 0.03), {"budgets": {"cost_usd": budget}})
        assert (found.decision, result(found, "budgets.cost_usd").verdict) == (decision, decision)

    def test_latency_is_its_95th_percentile_and_says_what_it_is(self):
        made = self.made(0.02, 0.02)
        slow = [row for row in made if row["variant"] == "v2"][:2]
        for row in slow:
            row["latency_s"] = 60.0
        decision = gate(made, {"budgets": {"latency_p95_s": {"max": 8}}})
        assert decision.sentence == "The p95 of latency_s is 60; 8 is the most."

    def test_an_unknown_figure_is_unmeasurable(self):
        made = self.made(0.02, 0.02)
        next(row for row in made if row["variant"] == "v2")["cost_usd"] = None
        decision = gate(made, {"budgets": {"cost_usd": {"max": 1}}})
        assert summary(decision) == ("unmeasurable", "budgets.cost_usd", 10)
        assert decision.sentence == "cost_usd is known for 19 of 20 trials."
        assert gate(rows(HEALTHY), {"budgets": {"tokens": {"max": 1}}}).sentence == "tokens is known for no trial."

    def test_a_relative_budget_needs_the_baselines_figure(self):
        made = [{**row, "cost_usd": None} if row["variant"] == "v1" else row for row in self.made(1, 2)]
        assert gate(made, {"budgets": {"cost_usd": {"max_increase": 9}}}).decision == "unmeasurable"
        assert gate(made, {"budgets": {"cost_usd": {"max": 9}}}).decision == "pass"


class TestJudge:
    @pytest.mark.parametrize(
        ("evidence", "why"),
        [
            (None, "it was never calibrated"),
            (JudgeEvidence(0.9, 1, "another rubric was calibrated"), "another rubric was calibrated"),
            (JudgeEvidence(0.9, 91), "its calibration is 91 days old and 90 is the most"),
            (JudgeEvidence(0.59, 1), "its kappa is 0.59 and 0.60 is the least"),
        ],
    )
    def test_a_required_judge_without_a_valid_calibration_is_unmeasurable(self, evidence, why):
        decision = gate(rows(HEALTHY), {"judge": {"required": True}}, judge=evidence)
        assert summary(decision) == ("unmeasurable", "judge", 10)
        assert decision.sentence == f"The judge's verdicts do not count: {why}."
        assert gate(rows(HEALTHY), judge=evidence).decision == "pass"

    def test_a_calibrated_judge_counts(self):
        decision = gate(rows(HEALTHY), {"judge": {"required": True}}, judge=JudgeEvidence(0.6, 90))
        assert (decision.decision, result(decision, "judge").verdict) == ("pass", "pass")


def test_a_comparison_that_was_allowed_in_spite_of_differences_says_so():
    made = rows({**HEALTHY})
    for number, row in enumerate(made):
        row["environment_digest"] = str(number)
    comparison = compare_outcomes(made, baseline="v1", candidate="v2", allow_differences=True)
    notes = decide(GatePolicy(), comparison, today=TODAY).notes
    assert notes[0] == "Compared although the environment differs in c00, c01, c02 and 17 more."


def test_a_decision_is_plain_json():
    waiver = Waiver(case="a", until=TODAY, owner="ana", reason="tool renamed")
    made = rows({**HEALTHY, "a": ("P", "F", CONTROL), "b": ("P", "F", CONTROL)})
    plain = json.loads(json.dumps(gate(made, waivers=[waiver]).to_dict()))
    assert (plain["decision"], plain["rule"], plain["exit_code"]) == ("regression", "max_regressions", 1)
    assert plain["waived"][0]["waiver"]["until"] == "2026-03-06"
    assert [item["case_id"] for item in plain["red"]] == ["b"]
    assert plain["results"][0]["rule"] == "max_regressions"
