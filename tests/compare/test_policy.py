import datetime as dt

import pytest

from pytest_llmreplay.compare import GatePolicy, Waiver, Waivers
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.written import parse_written


def test_an_empty_policy_is_strict():
    policy = GatePolicy()
    assert (policy.mode, policy.max_regressions, policy.max_error_share) == ("ratchet", None, 0.0)
    assert (policy.max_unmeasured_share, policy.min_cases, policy.overdue) == (0.0, 1, "fail")


def test_a_whole_policy_is_read():
    written = {
        "kind": "gate",
        "mode": "statistical",
        "max_regressions": {"critical": 0, "low": 2, "unrated": 1},
        "must_fix": ["case-1"],
        "non_inferiority_margin": 0.05,
        "min_cases": 40,
        "max_error_share": 0.01,
        "max_flaky_share": 0.1,
        "min_live": 0.5,
        "slices": [{"where": {"severity": "critical"}, "max_regressions": 0, "min_pass_rate": 0.9}],
        "budgets": {"cost_usd": {"max": 0.02, "max_increase": 0.1}, "latency_p95_s": {"max": 8}},
        "judge": {"min_kappa": 0.7, "max_age_days": 30, "required": True},
        "confirm": 3,
    }
    policy = parse_written(GatePolicy, written)
    assert policy.slices[0].where == {"severity": "critical"}
    assert policy.budgets.cost_usd.max_increase == 0.1


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"max_regression": 0}, "max_regression: unknown key.*did you mean 'max_regressions'"),
        ({"mode": "statistic"}, "mode: unknown value.*did you mean 'statistical'"),
        ({"mode": "statistical"}, "mode statistical needs non_inferiority_margin"),
        ({"max_error_share": 1.5}, "max_error_share: .*less than or equal to 1"),
        ({"non_inferiority_margin": 5}, "non_inferiority_margin: .*less than 1"),
        ({"max_regressions": -1}, "max_regressions"),
        ({"slices": [{"where": {"severity": "high"}}]}, r"slices\[0\]: a slice needs"),
        ({"slices": [{"where": {"sverity": "high"}, "min_cases": 1}]}, "'sverity' is no dimension; allowed: severity"),
        ({"budgets": {"cost_usd": {}}}, "budgets.cost_usd: a budget needs max or max_increase"),
    ],
)
def test_mistakes_say_where_and_what_is_allowed(written, problem):
    with pytest.raises(UserError, match=problem):
        parse_written(GatePolicy, written, file="gate.yaml")


def test_a_waiver_holds_through_its_last_day():
    waivers = parse_written(
        Waivers,
        {"waivers": [{"case": "a", "until": "2026-03-01", "owner": "ana", "reason": "new tool"}]},
    )
    assert waivers.waivers[0].covers(dt.date(2026, 3, 1))
    assert not waivers.waivers[0].covers(dt.date(2026, 3, 2))


@pytest.mark.parametrize("until", [dt.date(2026, 3, 1), dt.datetime(2026, 3, 1, 23, 5, tzinfo=dt.UTC)])
def test_yaml_days_and_times_are_days(until):
    assert Waiver(case="a", until=until, owner="ana", reason="r").until == dt.date(2026, 3, 1)


@pytest.mark.parametrize("missing", ["case", "until", "owner", "reason"])
def test_a_waiver_says_who_why_and_until_when(missing):
    written = {"case": "a", "until": "2026-03-01", "owner": "ana", "reason": "new tool"}
    del written[missing]
    with pytest.raises(UserError, match=f"{missing}: is missing"):
        parse_written(Waiver, written)
