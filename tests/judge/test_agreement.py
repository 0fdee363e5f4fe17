"""The figures of a calibration, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.judge.advice import best_threshold, items_needed
from pytest_llmreplay.judge.agreement import Judged, disagreements, figures_of, order_agreement, repeatability
from pytest_llmreplay.judge.kappa import cohen_kappa


def judged(*pairs, **more):
    return [Judged(f"item-{i}", label, verdict, **more) for i, (label, verdict) in enumerate(pairs)]


def test_verdicts_off_the_menu_are_counted_and_never_mapped():
    rows = judged(
        ("pass", "pass"), ("pass", "Pass"), ("pass", "satisfied"), ("pass", "1"), ("fail", "fail"), ("fail", "pass"),
        ("fail", ""), ("pass", "pass fail"), ("pass", "fail"),
    )  # fmt: skip
    found = figures_of(rows)
    assert (found.n, found.off_menu) == (9, 5)
    assert found.table == {"tp": 1, "fn": 1, "fp": 1, "tn": 1}
    assert (found.accuracy, found.accuracy_strict) == (0.5, 2 / 9)
    assert (found.tpr, found.tnr) == (0.5, 0.5)


def test_the_first_side_is_positive():
    found = figures_of(judged(("1", "1"), ("1", "1"), ("1", "2"), ("2", "2"), ("2", "1")))
    assert found.table == {"tp": 2, "fn": 1, "fp": 1, "tn": 1}
    assert found.tpr == 2 / 3
    assert found.tnr == 0.5


def test_what_is_not_defined_is_none():
    nothing = figures_of(judged(("pass", "satisfied")))
    assert (nothing.n, nothing.off_menu) == (1, 1)
    assert {nothing.accuracy, nothing.kappa, nothing.kappa_low, nothing.tpr, nothing.tnr} == {None}
    assert {nothing.order_agreement, nothing.repeatability, nothing.length_bias} == {None}
    assert nothing.accuracy_strict == 0
    one_class = figures_of(judged(("pass", "pass"), ("pass", "fail")))
    assert (one_class.tpr, one_class.tnr) == (0.5, None)


def test_the_orders_are_compared_over_items_judged_in_both():
    rows = [
        *(Judged(f"i{i}", "1", verdict, order="AB") for i, verdict in enumerate(["1", "1", "2", "2", "None", "1"])),
        *(Judged(f"i{i}", "1", verdict, order="BA") for i, verdict in enumerate(["1", "2", "2", "None", "2"])),
    ]
    # i0 agrees on 1; i2, i3 and i4 agree on something other than 1; i1 does not; i5 was judged in one order only.
    assert order_agreement(rows) == cohen_kappa([[1, 1], [0, 3]]).value


def test_without_two_orders_there_is_no_order_agreement():
    assert order_agreement(judged(("1", "1"), ("2", "2"))) is None
    assert order_agreement(judged(("1", "1"), ("2", "2"), order="AB")) is None


def test_repeats_enter_the_repeatability_alone():
    rows = [
        Judged("a", "pass", "fail", repeat=2),
        Judged("a", "pass", "pass", repeat=1),
        Judged("a", "pass", "pass", repeat=3),
        Judged("b", "fail", "fail", repeat=1),
        Judged("b", "fail", "fail", repeat=2),
        Judged("c", "fail", "satisfied", repeat=1),
    ]
    found = figures_of(rows)
    assert (found.n, found.off_menu, found.accuracy) == (3, 1, 1)
    # Of a's three pairs of answers one is alike, of b's one pair one; c was asked once.
    assert found.repeatability == pytest.approx((1 / 3 + 1) / 2)


def test_a_judge_that_passes_what_is_long_shows_it():
    rows = [
        *(Judged(f"long-{i}", label, "pass", long=True) for i, label in enumerate(["pass"] * 5 + ["fail"] * 5)),
        *(Judged(f"short-{i}", label, "fail", long=False) for i, label in enumerate(["pass"] * 5 + ["fail"] * 5)),
    ]
    bias = figures_of(rows).length_bias
    assert bias.value == 0.5
    assert 0 < bias.low < 0.5 < bias.high


def test_preferring_length_as_people_do_is_no_bias():
    rows = [Judged(f"i{i}", side, side, long=side == "1") for i, side in enumerate(["1", "2"] * 10)]
    assert figures_of(rows).length_bias.value == 0


def test_disagreements_are_those_of_the_first_answers_on_the_menu():
    rows = [
        Judged("a", "pass", "fail", repeat=1),
        Judged("a", "pass", "pass", repeat=2),
        Judged("b", "pass", "pass", repeat=1),
        Judged("b", "pass", "fail", repeat=2),
        Judged("c", "pass", "no", repeat=1),
    ]
    assert [row.item_id for row in disagreements(rows)] == ["a"]


def test_the_labels_needed_halve_with_a_doubled_width():
    found = figures_of([Judged(str(i), *pair) for i, pair in enumerate(
        [("pass", "pass")] * 40 + [("pass", "fail")] * 10 + [("fail", "pass")] * 10 + [("fail", "fail")] * 40
    )])  # fmt: skip
    # The error of kappa 0.6 here is 0.08, so its interval is ±0.157 at 100 items.
    assert found.kappa - found.kappa_low == pytest.approx(1.959964 * 0.08)
    assert items_needed(found, 0.1) == 246
    assert items_needed(found, 0.2) == 62
    assert items_needed(found, 0.0) is None


def test_no_labels_can_be_told_where_kappa_is_not_defined():
    assert items_needed(figures_of(judged(("pass", "pass"))), 0.1) is None


def test_the_best_threshold_is_found_and_of_equals_the_highest():
    scores = [("fail", 0.2), ("fail", 0.5), ("pass", 0.8), ("pass", 1.0), ("fail", 0.5), ("pass", 0.8)]
    rows = [
        Judged(f"i{i}", label, "pass" if score == 1 else "fail", score=score) for i, (label, score) in enumerate(scores)
    ]
    found = best_threshold(rows)
    assert (found.score, found.kappa) == (0.8, 1)
    assert found.kappa_now < 1


def test_there_is_no_threshold_to_find_in_one_score_or_one_class():
    assert best_threshold(judged(("pass", "pass"), ("fail", "fail"))) is None
    assert best_threshold(judged(("pass", "pass"), ("fail", "fail"), score=1.0)) is None


words = st.sampled_from(["pass", "fail", "satisfied", "PASS"])


@given(st.lists(st.tuples(st.sampled_from(["pass", "fail"]), words), max_size=40))
def test_the_figures_do_not_depend_on_the_order_of_the_rows(found):
    rows = [Judged(f"i{i // 2}", *pair, order="AB" if i % 2 else "BA") for i, pair in enumerate(found)]
    one, other = figures_of(rows), figures_of(rows[::-1])
    assert (one.n, one.off_menu, one.table, one.accuracy) == (other.n, other.off_menu, other.table, other.accuracy)
    assert one.order_agreement == pytest.approx(other.order_agreement)
    assert one.n == len(rows) == one.off_menu + sum(one.table.values())


@given(st.lists(words, min_size=2, max_size=12))
def test_repeatability_is_a_share(verdicts):
    rows = [Judged("a", "pass", verdict, repeat=i) for i, verdict in enumerate(verdicts)]
    assert 0 <= repeatability(rows) <= 1


def test_judges_that_name_their_orders_differently_can_be_pooled():
    rows = [
        Judged("a", "1", "1", "x", "AB"), Judged("a", "1", "2", "x", "BA"),
        Judged("a", "1", "2", "y", "first"), Judged("a", "1", "2", "y", "second"),
    ]  # fmt: skip
    assert order_agreement(rows) == cohen_kappa([[0, 1], [0, 1]]).value


@pytest.mark.parametrize(("right", "needed"), [(90, 35), (85, 196)])
def test_the_labels_that_the_documentation_names_for_an_interval_above_the_floor(right, needed):
    half, wrong = right // 2, (100 - right) // 2
    pairs = [("pass", "pass")] * half + [("fail", "fail")] * (right - half)
    pairs += [("pass", "fail")] * wrong + [("fail", "pass")] * (100 - right - wrong)
    found = figures_of(judged(*pairs))
    assert items_needed(found, found.kappa - 0.6) == pytest.approx(needed, abs=2)
