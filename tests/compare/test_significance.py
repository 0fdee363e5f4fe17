"""Reference values: scipy 1.17.1 (binom, permutation_test with permutation_type="samples"), statsmodels 0.15.0."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmreplay.compare.significance import holm, mcnemar_mid_p, sign_flip, smallest_split

# 2 * binom.cdf(min, n, 0.5) - binom.pmf(min, n, 0.5); (1, 7) is Fagerland et al. 2013, P = 0.039
MID_P = [
    (1, 7, 0.0390625),
    (15, 2, 0.001312255859374998),
    (6, 3, 0.34375),
    (17, 3, 0.0014896392822265647),
    (27, 0, 7.450580596923812e-09),
    (121, 59, 3.2666467957745733e-06),
    (40, 20, 0.009853448195259268),
    (8, 8, 1.0),
    (0, 0, 1.0),
]


@pytest.mark.parametrize(("gains", "losses", "p_value"), MID_P)
def test_mid_p_mcnemar(gains, losses, p_value):
    assert mcnemar_mid_p(gains, losses) == mcnemar_mid_p(losses, gains) == pytest.approx(p_value, rel=1e-9)
    differences = [1.0] * gains + [-1.0] * losses + [0.0] * 5
    assert sign_flip(differences) == pytest.approx(p_value, rel=1e-9)


THIRDS = [1, 2 / 3, -1 / 3, 1 / 3, 1 / 3, 0, 0, 1, -2 / 3, 2 / 3, 1 / 3, 1 / 3]


def test_sign_flips_of_several_trials_as_scipy_enumerates_them():
    assert sign_flip(THIRDS) == pytest.approx(0.0634765625, rel=1e-9)


def test_weighted_sign_flips_as_scipy_enumerates_them():
    weights = [1.0, 2, 1, 3, 1, 1, 1, 2, 2, 1, 5, 1]
    assert sign_flip(THIRDS, weights) == pytest.approx(0.064453125, rel=1e-9)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([i / 5 for i in range(-5, 6)] + [1 / 3, -2 / 3]), max_size=9))
def test_sign_flips_equal_brute_force(differences):
    steps = [round(15 * d) for d in differences]
    observed = abs(sum(steps))
    sums = [
        abs(sum(s * x for s, x in zip(signs, steps, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(steps))
    ]
    expected = sum((x > observed) + (x == observed) / 2 for x in sums) / len(sums) if observed else 1.0
    assert sign_flip(differences) == pytest.approx(expected, abs=1e-12)


def test_weighted_draws_come_near_the_exact_value_and_repeat_with_the_seed():
    differences = [1.0] * 9 + [-0.5] * 5
    weights = [1.0 + i / 7 for i in range(14)]
    steps = [w * d for w, d in zip(weights, differences, strict=True)]
    sums = [sum(s * x for s, x in zip(signs, steps, strict=True)) for signs in itertools.product((1, -1), repeat=14)]
    exact = sum(abs(x) > abs(sum(steps)) - 1e-9 for x in sums) / len(sums)
    drawn = sign_flip(differences, weights, seed=3)
    assert drawn == pytest.approx(exact, abs=0.01)
    assert drawn == sign_flip(differences, weights, seed=3)
    assert drawn != sign_flip(differences, weights, seed=4)


def test_draws_never_give_zero():
    weights = [1.0 + i / 100 for i in range(40)]
    assert sign_flip([1.0] * 40, weights) == pytest.approx(1 / 10_000)


def test_many_trials_with_odd_denominators_are_tested_all_the_same():
    differences = [1 / n for n in (7, 11, 13, 17, 19, 23)] + [0.5]
    assert sign_flip(differences) == pytest.approx(2 * 0.5**8)


def test_tiny_p_values_are_not_lost_in_rounding():
    assert sign_flip([1 / 3] * 70 + [2 / 3] * 70) == pytest.approx(0.5**140, rel=1e-6)


# Values of multipletests with method holm, from statsmodels
@pytest.mark.parametrize(
    ("raw", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005, 0.2], [0.04, 0.09, 0.09, 0.025, 0.2]),
        ([0.5, 0.5, 0.9], [1.0, 1.0, 1.0]),
        ([0.05], [0.05]),
        ([], []),
    ],
)
def test_holm(raw, adjusted):
    assert holm(raw) == pytest.approx(adjusted)


def test_the_smallest_split_that_can_reject():
    assert (smallest_split(), smallest_split(0.05 / 10)) == (5, 8)
    for alpha in (0.05, 0.005):
        needed = smallest_split(alpha)
        assert mcnemar_mid_p(needed, 0) <= alpha < mcnemar_mid_p(needed - 1, 0)
