"""Rates of watches, and the rule that raises an alert."""

import datetime as dt
import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from pytest_llmreplay.mine.accepted_rates import AcceptedRate, AcceptedRates, AcceptedSignal, read_accepted
from pytest_llmreplay.mine.monitoring import LEVEL, Judged, Met, Rate, exit_code, judge, reading_of, rise_p
from pytest_llmreplay.model.errors import UserError

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
RATES = st.integers(0, 60).flatmap(lambda n: st.builds(Rate, st.integers(0, n), st.just(n)))


def test_rates_are_by_day_and_a_conversation_counts_once():
    late = NOON + dt.timedelta(hours=13)
    reading = reading_of(
        [Met("a", NOON, True), Met("b", NOON, False), Met("a", NOON, True), Met("c", late, True), Met("b", late, True)]
    )
    assert reading.rate == Rate(2, 3)
    assert reading.days == ((dt.date(2026, 1, 5), Rate(1, 2)), (dt.date(2026, 1, 6), Rate(1, 1)))
    assert reading.failing == ("c", "a")
    assert reading_of([]).rate.share is None
    assert reading_of([]).rate.interval == (0.0, 1.0)


def test_ids_made_of_the_names_of_files_are_counted_in_each_file():
    met = [Met("chat-1", NOON, True, f"{day}/chat.jsonl") for day in ("14", "15", "14")]
    assert reading_of([*met, Met("chat-1", NOON, False)]).rate == Rate(2, 3)


def test_the_interval_is_wilsons():
    # Newcombe (1998), table I: 15 of 148.
    assert Rate(15, 148).interval == pytest.approx((0.0624, 0.1605), abs=5e-5)


@given(RATES, RATES)
def test_the_p_value_is_that_of_fishers_test(rate, before):
    table = [[rate.shown, rate.similar - rate.shown], [before.shown, before.similar - before.shown]]
    expected = fisher_exact(table, alternative="greater").pvalue if rate.similar and before.similar else 1.0
    assert rise_p(rate, before) == pytest.approx(expected, rel=1e-6)


@given(RATES, RATES)
def test_a_rate_that_is_not_higher_never_alerts(rate, before):
    if rate.shown * before.similar <= before.shown * rate.similar:
        assert judge({"a": rate}, {"a": before})["a"].status != "alert"


def test_what_each_watch_becomes():
    judged = judge(
        {
            "up": Rate(20, 40),
            "same": Rate(2, 40),
            "few": Rate(1, 1),
            "none": Rate(0, 0),
            "new": Rate(9, 9),
            "x": Rate(9, 9),
        },
        {"up": Rate(4, 80), "same": Rate(4, 80), "few": Rate(4, 80), "none": Rate(4, 80), "x": None},
    )
    assert {name: one.status for name, one in judged.items()} == {
        "up": "alert", "same": "steady", "few": "unmeasured", "none": "unmeasured", "new": "new", "x": "changed",
    }  # fmt: skip
    assert judged["up"].p_holm == pytest.approx(4 * judged["up"].p_value)
    assert judged["new"].p_value is None


def drawn(chance, count, rng):
    return Rate(sum(rng.random() < chance for _ in range(count)), count)


def simulated(runs, watches, rises, seed):
    """In how many runs there is any alert, and in how many the first watch has one."""
    rng = random.Random(seed)
    any_alert = first = 0
    for _ in range(runs):
        chances = [rng.choice((0.02, 0.1, 0.3, 0.7)) for _ in range(watches)]
        before = {str(i): drawn(chance, rng.choice((20, 60, 200)), rng) for i, chance in enumerate(chances)}
        chances[0] = rises(chances[0])
        now = {str(i): drawn(chance, rng.choice((10, 40, 120)), rng) for i, chance in enumerate(chances)}
        alerts = [name for name, one in judge(now, before).items() if one.status == "alert"]
        any_alert += bool(alerts)
        first += "0" in alerts
    return any_alert / runs, first / runs


def test_while_nothing_rises_false_alarms_are_as_rare_as_the_level_says():
    runs = 3000
    any_alert, _ = simulated(runs, 8, lambda chance: chance, seed=8)
    assert any_alert <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)
    assert any_alert > 0  # the rule is careful and not dead


def test_a_rate_that_rises_much_is_told():
    assert simulated(300, 8, lambda chance: min(1.0, chance + 0.5), seed=9)[1] > 0.6


def test_exit_codes():
    steady, alert, few, new = (Judged(status) for status in ("steady", "alert", "unmeasured", "new"))
    rates = [Rate(1, 2)]
    assert exit_code([steady, alert], rates, compared=True) == 1
    assert exit_code([steady, few, new], rates, compared=True) == 0
    assert exit_code([few, new], rates, compared=True) == 10
    assert exit_code([], [], compared=True) == 10
    assert exit_code([new], rates, compared=False) == 0
    assert exit_code([new], [Rate(0, 0)], compared=False) == 10


ACCEPTED = AcceptedRate(
    signal=AcceptedSignal(source="calls", called=("search",)),
    similar_from=0.3,
    shown=1,
    similar=9,
    interval=Rate(1, 9).interval,
    until=NOON,
    accepted_at=NOON,
)


def test_the_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "monitor.json"
    rates = AcceptedRates(embedding="e", cases={"b": ACCEPTED, "a": ACCEPTED})
    path.write_text(rates.to_text())
    assert read_accepted(path) == rates
    assert json.loads(path.read_text())["kind"] == "monitor"
    assert path.read_text().index('"a"') < path.read_text().index('"b"')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shown": 10}, "more conversations show the failure than are similar"),
        ({"until": "2026-01-05T12:00:00"}, "must say its zone"),
        ({"similr": 1}, "did you mean 'similar'"),
        ({"similar": 0}, "greater than or equal to 1"),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence(tmp_path, change, said):
    data = json.loads(AcceptedRates(embedding="e", cases={"a": ACCEPTED}).to_text())
    data["cases"]["a"].update(change)
    path = tmp_path / "monitor.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=said) as caught:
        read_accepted(path)
    assert "cases.a" in str(caught.value)


def test_a_file_that_is_no_json_is_a_sentence(tmp_path):
    path = tmp_path / "monitor.json"
    path.write_text("{")
    with pytest.raises(UserError, match="cannot be read as JSON"):
        read_accepted(path)
