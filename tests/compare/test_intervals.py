"""Reference values: the R package ratesci 1.x (vignette "Paired contrasts"), statsmodels 0.15.0, Newcombe 1998."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.compare.intervals import Z, moments_of, paired_interval, rate_interval, tango, wilson

# ratesci: rdpairci(x = c(1, 1, 7, 12)): airway reactivity before and after transplantation, as in Fagerland et al. 2014
AIRWAY = {"gains": 1, "losses": 7, "cases": 21}


def test_tango_with_n_minus_1_is_ratesci_as_n_minus_1():
    assert tango(**AIRWAY) == pytest.approx((-0.5226, -0.0183), abs=5e-5)


def test_tango_as_published_is_ratesci_as_tango():
    assert tango(**AIRWAY, unbiased=False) == pytest.approx((-0.5172, -0.0260), abs=5e-5)


def test_without_discordance_tango_is_z2_over_n_plus_z2():
    for n in (20, 73, 500):
        bound = Z * Z / (n + Z * Z)
        assert tango(0, 0, n, unbiased=False) == pytest.approx((-bound, bound), abs=1e-9)
    assert tango(0, 0, 20) == pytest.approx((-0.1682, 0.1682), abs=5e-5)


def test_a_total_change_reaches_one_and_no_further():
    assert tango(21, 0, 21)[1] == 1.0
    assert tango(0, 21, 21)[0] == -1.0


def test_nothing_is_known_from_one_case():
    assert tango(1, 0, 1) == paired_interval([1.0]) == paired_interval([]) == (-1.0, 1.0)


@given(st.integers(2, 300), st.data())
def test_tango_holds_the_estimate_and_mirrors(cases, data):
    gains = data.draw(st.integers(0, cases))
    losses = data.draw(st.integers(0, cases - gains))
    low, high = tango(gains, losses, cases)
    assert -1 <= low <= (gains - losses) / cases <= high <= 1
    assert low < high
    assert tango(losses, gains, cases) == pytest.approx((-high, -low), abs=1e-8)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=60))
def test_one_unweighted_trial_a_case_is_tango_itself(differences):
    expected = tango(differences.count(1.0), differences.count(-1.0), len(differences))
    assert paired_interval(differences) == pytest.approx(expected, abs=1e-9)
    assert paired_interval(differences, [2.5] * len(differences)) == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(0.01, 1000)),
        min_size=2,
        max_size=40,
    )
)
def test_every_weighted_set_of_differences_has_an_interval_around_its_mean(pairs):
    differences, weights = [d for d, _ in pairs], [w for _, w in pairs]
    low, high = paired_interval(differences, weights)
    assert -1 <= low <= high <= 1
    mean = moments_of(differences, weights).mean
    assert low - 1e-9 <= mean <= high + 1e-9


def test_several_trials_narrow_the_interval_and_weights_widen_it():
    whole = paired_interval([1.0, -1.0] * 10 + [0.0] * 40)
    thirds = paired_interval([1 / 3, -1 / 3] * 10 + [0.0] * 40)
    heavy = paired_interval([1.0, -1.0] * 10 + [0.0] * 40, [10.0, 10.0] * 5 + [1.0] * 50)
    width = [high - low for low, high in (thirds, whole, heavy)]
    assert width == sorted(width)


# statsmodels.stats.proportion.proportion_confint(k, n, method="wilson"); the last four also Newcombe 1998, Table I
WILSON = [
    (23, 50, 0.3296965219222434, 0.5960112860084252),
    (36, 50, 0.5833487630404344, 0.8252582933408876),
    (98, 100, 0.929988209271456, 0.9944980324498376),
    (20, 20, 0.8388748419471804, 1.0),
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
]


@pytest.mark.parametrize(("passed", "cases", "low", "high"), WILSON)
def test_the_interval_of_a_pass_rate_with_one_trial_is_wilsons(passed, cases, low, high):
    tolerance = 5e-5 if low == round(low, 4) else 1e-9
    assert wilson(passed / cases, cases) == pytest.approx((low, high), abs=tolerance)
    assert rate_interval([1.0] * passed + [0.0] * (cases - passed)) == pytest.approx((low, high), abs=tolerance)


def test_trials_of_one_case_that_agree_count_as_one():
    assert rate_interval([1.0] * 8 + [0.0] * 12, trials=5) == pytest.approx(wilson(0.4, 20))


def test_no_case_counts_more_than_its_trials():
    assert rate_interval([0.8] * 20, trials=5) == pytest.approx(wilson(0.8, 100))


def test_an_empty_set_has_the_widest_rate_interval():
    assert rate_interval([]) == (0.0, 1.0)
    assert math.isclose(rate_interval([1.0, 1.0], [1.0, 3.0])[1], 1.0)
