"""Triage of facts: what is planted is found, what is not planted is not, and the figures are those of the books."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import contingency, fisher_exact

from pytest_llmreplay.mine.triage import Share
from pytest_llmreplay.mine.triage.analyse import triage
from pytest_llmreplay.mine.triage.facts import Dimension, Wrong
from pytest_llmreplay.mine.triage.plain import triage_json
from pytest_llmreplay.mine.triage.reading import read_facts
from pytest_llmreplay.mine.triage.tables import adjusted, difference, dispersion, odds_ratio, p_higher, surplus, thinned
from tests.mine.conftest import talk, user
from tests.mine.triage_facts import FIRST, alarming, having, log_of, planted, single

COUNTS = st.tuples(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))


def triaged(facts, **more):
    return triage(facts, failed_means="a bad mood", reasons={}, **more)


def said(finding):
    return {(one.dimension, one.value) for one in finding.conditions}, finding.since


def test_with_nothing_planted_at_most_one_triage_in_twenty_reports_anything():
    alarms = sum(alarming(triaged(log_of(seed, conversations=1500))) for seed in range(200))
    assert alarms <= 10


def test_days_that_vary_by_themselves_are_no_regression():
    def varied(seed):
        facts, rng = log_of(seed, conversations=20_000), np.random.default_rng(seed)
        rate = 0.05 * np.exp(rng.normal(0, 0.4, 30))
        return replace(facts, failed=rng.random(len(facts)) < rate[facts.day - FIRST])

    # Without a correction for it, a third of these logs has a finding, and half of them a change.
    results = [triaged(varied(seed)) for seed in range(20)]
    assert sum(bool(one.findings or one.changes) for one in results) <= 2


@given(st.floats(1, 50))
def test_counts_are_thinned_by_how_much_more_days_vary_than_chance_explains(factor):
    rng = np.random.default_rng(1)
    total = np.full(2000, 400)
    clusters = rng.binomial((400 / factor).__floor__(), 0.3, 2000) * factor
    found = dispersion(clusters.round().astype(int), total, 900)
    assert found == pytest.approx(max(1, factor), rel=0.25)
    assert thinned(Share.of(60, 200), 2) == Share.of(30, 100)


def test_with_nothing_planted_one_sentence_says_so():
    result = triaged(log_of(7))
    assert result.findings == ()
    assert result.top == (
        "Nothing stands out: 4.9 % (148 of 3,000; 95 %: 4.2–5.8 %) of the conversations failed, and no intent, tool, "
        "model, prompt version or segment has more failures than chance explains, always or since a day."
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_regression_of_a_tool_under_a_prompt_version_is_found_with_its_day(seed):
    facts = log_of(seed, conversations=6000)
    chosen = having(facts, "tool", "lookup_order") & having(facts, "prompt_version", "v2") & (facts.day >= FIRST + 18)
    result = triaged(planted(facts, chosen, 0.35, seed))
    conditions, since = said(result.findings[0])
    assert conditions == {("tool", "lookup_order"), ("prompt_version", "v2")}
    assert abs(int(since[-2:]) - 22) <= 1
    assert result.findings[0].p_adjusted < 1e-6
    assert result.verdict.spread == "systemic"


def test_the_top_line_says_what_since_when_and_how_much():
    facts = log_of(3, conversations=6000)
    chosen = having(facts, "tool", "lookup_order") & having(facts, "prompt_version", "v2") & (facts.day >= FIRST + 18)
    result = triaged(planted(facts, chosen, 0.5))
    [finding] = result.findings
    members = np.flatnonzero(chosen)
    assert list(finding.members) == list(members)
    assert finding.inside.total == len(members)
    assert finding.inside.count + finding.outside.count == result.failing.count
    assert result.top.startswith(
        "Since 2024-10-22, conversations that call lookup_order with prompt version v2 fail in "
    )
    assert "of them before and" in result.top
    assert set(np.flatnonzero(result.conversations.finding == 0)) == set(members)


def test_what_always_fails_more_has_no_day():
    facts = log_of(4, conversations=6000)
    result = triaged(planted(facts, having(facts, "intent", "intent-3"), 0.3))
    assert said(result.findings[0]) == ({("intent", "intent-3")}, None)
    assert result.findings[0].before is None
    assert result.top.startswith("Conversations about 'intent-3' fail in ")


def test_a_day_from_which_everything_fails_is_found_alone():
    facts = log_of(5, conversations=6000)
    result = triaged(planted(facts, facts.day >= FIRST + 20, 0.2))
    assert said(result.findings[0]) == (set(), "2024-10-24")
    assert result.top.startswith("Since 2024-10-24, conversations fail in ")
    assert result.changes[0].dimension == ""
    assert (result.changes[0].kind, result.changes[0].day) == ("rate", "2024-10-24")


def test_a_version_that_comes_up_later_is_named_with_its_first_day():
    facts = log_of(6, conversations=6000)
    new = facts.day >= FIRST + 12
    versions = single("prompt_version", np.where(new, 1, 0), ("v1", "v2"))
    others = tuple(one for one in facts.dimensions if one.name != "prompt_version")
    result = triaged(planted(replace(facts, dimensions=(*others, versions)), new, 0.15))
    assert said(result.findings[0]) == ({("prompt_version", "v2")}, "2024-10-16")
    deploys = [one for one in result.changes if one.kind == "deploy"]
    assert [(one.value, one.day) for one in deploys] == [("v2", "2024-10-16")]
    assert deploys[0].low > 0


def test_two_causes_are_two_findings():
    facts = log_of(8, conversations=9000)
    tool, model = having(facts, "tool", "refund"), having(facts, "model", "local")
    result = triaged(planted(planted(facts, tool & ~model, 0.4), model & ~tool, 0.2, seed=2))
    assert len(result.findings) >= 2
    named = set().union(*(said(finding)[0] for finding in result.findings))
    assert {("tool", "refund"), ("model", "local")} <= named


def test_a_tool_that_is_called_more_often_is_a_change_of_its_share():
    facts = log_of(9, conversations=4000)
    tools = facts.dimension("tool")
    kept = (tools.value != 3) | (facts.day[tools.conversation] >= FIRST + 10)
    fewer = Dimension("tool", tools.values, tools.names, tools.conversation[kept], tools.value[kept])
    others = tuple(one for one in facts.dimensions if one.name != "tool")
    changes = triaged(replace(facts, dimensions=(*others, fewer))).changes
    assert ("share", "search", "2024-10-14") in [(one.kind, one.value, one.day) for one in changes]


def test_shares_and_trends_of_groups_add_up():
    result = triaged(log_of(10))
    for name in ("intent", "model", "prompt_version"):
        groups = result.groups[name]
        assert sum(one.failing.count for one in groups) == result.failing.count
        assert sum(one.share_of_failures for one in groups) == pytest.approx(1)
        for group in groups:
            assert sum(day.conversations for day in group.trend) == group.failing.total
            assert sum(day.failures for day in group.trend) == group.failing.count
    intents = result.conversations.intent
    assert [int((intents == n).sum()) for n in range(12)] == [one.failing.total for one in result.groups["intent"]]


def test_counting_in_parts_changes_nothing(monkeypatch):
    facts = planted(log_of(10), having(log_of(10), "tool", "refund"), 0.3)
    whole = triaged(facts)
    monkeypatch.setattr("pytest_llmreplay.mine.triage.counting._AT_ONCE", 701)
    assert whole.findings
    assert triage_json(triaged(facts)) == triage_json(whole)


def test_what_is_read_of_a_log(table_of):
    said = (("ann", "2026-01-02", "v1"), ("", None, "v2"), (None, "2026-01-01", None), ("bob", "1", "v1"))
    logged = [
        talk(user("x"), named=str(n), user_id=who, started_at=day, prompt_version=version)
        for n, (who, day, version) in enumerate((*said, said[0]))
    ]
    with table_of(logged) as table:
        facts = read_facts(table.connection, ["prompt_version", "format", "model"], np.array([1, 4]))
    assert facts.row.tolist() == [0, 1, 2, 3, 4]
    assert facts.failed.tolist() == [False, True, False, False, True]
    assert facts.day.tolist() == [20455, -1, 20454, -1, 20455]
    assert (facts.user >= 0).tolist() == [True, False, False, True, True]
    assert facts.user[0] == facts.user[4] != facts.user[3]
    [version] = facts.dimensions
    assert (version.name, version.values) == ("prompt_version", ("v1", "v2"))
    assert version.conversation.tolist() == [0, 1, 3, 4]
    assert version.value.tolist() == [0, 1, 0, 0]


def test_one_user_is_isolated():
    facts = log_of(11)
    user = np.where(np.arange(len(facts)) % 10 == 0, 77, facts.user)
    facts = replace(facts, user=user, failed=facts.failed & (np.arange(len(facts)) % 3 == 0))
    verdict = triaged(replace(facts, failed=facts.failed | (user == 77))).verdict
    assert verdict.spread == "isolated"
    assert "one user has" in verdict.sentence


def test_the_only_failure_with_a_user_says_nothing_of_all_failures():
    facts = log_of(11)
    user = np.full(len(facts), -1)
    user[np.flatnonzero(facts.failed)[0]] = 7
    days = np.full(len(facts), -1, np.int32)
    assert triaged(replace(facts, user=user)).verdict.spread == "systemic"
    assert triaged(replace(facts, user=user, day=days)).verdict.spread == "unknown"


@pytest.mark.parametrize("rare", [0, 1])
def test_of_users_with_equally_many_failures_the_rarer_one_counts(rare):
    facts = replace(log_of(11, rate=0.0), day=np.full(3000, -1, np.int32))
    user = np.where(np.arange(3000) < 300, rare, 1 - rare)
    failed = np.isin(np.arange(3000), [*range(10), *range(1000, 1010)])
    assert triaged(replace(facts, user=user, failed=failed)).verdict.spread == "isolated"


def test_the_only_user_of_a_log_says_nothing():
    facts = log_of(18)
    verdict = triaged(replace(facts, user=np.zeros(len(facts), np.int64))).verdict
    assert (verdict.spread, verdict.top_user.rate) == ("systemic", 1.0)


def test_four_failures_are_isolated_and_none_is_neither():
    facts = log_of(19, rate=0.0)
    assert triaged(facts).verdict.sentence == "The failures cannot be called isolated or systemic: there are none."
    some = replace(facts, failed=np.arange(len(facts)) % 800 == 0)
    assert triaged(some).verdict.sentence == "The failures are isolated: there are only 4."


def test_one_bad_day_is_isolated():
    facts = log_of(12, rate=0.0)
    verdict = triaged(planted(facts, facts.day == FIRST + 9, 0.5)).verdict
    assert verdict.spread == "isolated"
    assert "one day has 100.0 %" in verdict.sentence


def test_without_users_and_days_nobody_can_tell():
    facts = replace(log_of(13), user=np.full(3000, -1), day=np.full(3000, -1, np.int32))
    result = triaged(facts)
    assert result.verdict.spread == "unknown"
    assert (result.first_day, result.trend, result.changes) == (None, (), ())


@pytest.mark.parametrize(("rate", "top"), [(0.0, "None of 300 conversations failed."), (1.0, "Nothing stands out")])
def test_none_and_all_failing_stand_out_nowhere(rate, top):
    assert triaged(log_of(14, conversations=300, rate=rate)).top.startswith(top)


def test_an_empty_log_is_triaged():
    facts = log_of(15, conversations=0)
    assert triaged(facts).top == "There are no conversations."


def test_routing_is_the_share_with_wrong_calls():
    result = triaged(log_of(16), wrong=Wrong(100, 25, {"unknown_tool": 25}))
    assert result.routing.wrong_calls == Share.of(25, 100)
    assert "drawn from" in result.routing.sentence
    assert "generation: 75.0 %" in result.routing.sentence


def test_plain_data_holds_every_field_and_no_members():
    plain = triage_json(triaged(planted(log_of(17), having(log_of(17), "tool", "refund"), 0.6)))
    assert "conversations" not in plain
    assert "members" not in plain["findings"][0]
    assert plain["findings"][0]["conditions"] == [{"dimension": "tool", "value": "refund", "name": "refund"}]
    assert set(plain["failing"]) == {"count", "total", "rate", "low", "high"}


def test_newcombes_own_example():
    # Newcombe (1998), table II: 56/70 against 48/80, method 10.
    gap, interval = difference(Share.of(48, 80), Share.of(56, 70))
    assert gap == pytest.approx(0.2)
    assert interval == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_woolfs_interval_on_corrected_counts():
    # (10.5 · 4.5) / (2.5 · 3.5), and its logarithm ± 1.96 · √(1/10.5 + 1/2.5 + 1/3.5 + 1/4.5) = ± 1.9631
    ratio, low, high = odds_ratio(Share.of(10, 12), Share.of(3, 7))
    assert (ratio, low, high) == pytest.approx((5.4, 0.7583, 38.454), rel=1e-4)
    assert odds_ratio(Share.of(0, 5), Share.of(0, 9))[0] == pytest.approx(19 / 11)


def test_benjamini_and_hochbergs_own_example():
    # Benjamini and Hochberg (1995), section 4: four of fifteen are significant at 5 %.
    p_values = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719),
        *(0.6528, 0.7590, 1.0),
    ]
    assert sum(p <= 0.05 for p in adjusted(p_values)) == 4


@given(COUNTS)
def test_the_one_sided_test_is_fishers(counts):
    failed, inside, other, outside = counts
    failed, other = min(failed, inside), min(other, outside)
    table = [[failed, inside - failed], [other, outside - other]]
    expected = fisher_exact(table, alternative="greater").pvalue
    assert p_higher(Share.of(failed, inside), Share.of(other, outside)) == pytest.approx(expected, rel=1e-9)


@given(COUNTS)
def test_the_scan_statistic_is_half_of_g(counts):
    failed, inside, other, outside = counts
    failed, other = min(failed, inside), min(other, outside)
    found = float(surplus(*(np.asarray(n) for n in (failed, inside, failed + other, inside + outside))))
    table = np.array([[failed, inside - failed], [other, outside - other]])
    if (table.sum(axis=0) == 0).any():
        assert found == pytest.approx(0, abs=1e-9)
    else:
        g = contingency.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert abs(found) == pytest.approx(g / 2, rel=1e-6, abs=1e-9)
        assert np.sign(round(found, 9)) in (0, np.sign(failed / inside - other / outside))
