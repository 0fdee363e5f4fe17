"""Cohen's kappa against published figures, statsmodels and a simulation."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.judge.kappa import cohen_kappa, cohen_kappa_by_item

# statsmodels 0.15.0, statsmodels.stats.inter_rater.cohens_kappa: kappa, std_kappa, kappa_low, kappa_upp.
STATSMODELS = [
    ([[20, 5], [10, 15]], 0.3999999999999999, 0.12699606293110033, 0.151092290476661, 0.6489077095233389),
    ([[45, 15], [25, 15]], 0.13043478260869554, 0.0986615376234396, -0.06293827779258965, 0.3238078430099807),
    ([[118, 5], [2, 1]], 0.19672131147541122, 0.18682102996042055, -0.16944117880169152, 0.562883801752514),
    ([[81, 3], [4, 12]], 0.7328244274809163, 0.09555351608224076, 0.5455429773635555, 0.920105877598277),
    ([[10, 10], [0, 0]], 0.0, 0.0, 0.0, 0.0),
    (
        [[53, 5, 2], [11, 14, 5], [1, 6, 3]],
        0.4285714285714285,
        0.0759588315346638,
        0.27969485445574205,
        0.5774480026871149,
    ),
    (
        [[44, 5, 1], [7, 20, 3], [9, 5, 6]],
        0.49152542372881347,
        0.07212745929334068,
        0.35015820121748686,
        0.6328926462401401,
    ),
    (
        [[88, 14, 18], [10, 40, 10], [2, 6, 12]],
        0.49152542372881347,
        0.05100181557607786,
        0.3915637020535469,
        0.59148714540408,
    ),
]

counts = st.integers(0, 60)
tables = st.tuples(counts, counts, counts, counts)


def items_of(hits, misses, alarms, rejections):
    return [
        [cell]
        for cell, n in (((0, 0), hits), ((0, 1), misses), ((1, 0), alarms), ((1, 1), rejections))
        for _ in range(n)
    ]


@pytest.mark.parametrize(("table", "value", "error", "low", "high"), STATSMODELS)
def test_kappa_its_error_and_its_interval_are_those_of_statsmodels(table, value, error, low, high):
    found = cohen_kappa(table)
    assert (found.value, found.error) == pytest.approx((value, error), abs=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_the_published_example_of_statpsych():
    """D. Bonett's R package statpsych, `ci.kappa(.05, 31, 12, 4, 58)`: 0.6756757, 0.07344761, 0.5317210, 0.8196303."""
    found = cohen_kappa([[31, 12], [4, 58]])
    assert (found.value, found.error, found.low, found.high) == pytest.approx(
        (0.6756757, 0.07344761, 0.5317210, 0.8196303), abs=5e-8
    )


def test_the_interval_stays_within_the_range_of_kappa():
    """statsmodels gives (-1.2049, -0.7336) for this table."""
    found = cohen_kappa([[0, 7], [9, 0]])
    assert found.low == -1
    assert found.high == pytest.approx(-0.7335784998595611, abs=1e-12)


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[9, 0], [0, 0]], [[0, 0], [0, 4]]])
def test_kappa_is_not_defined_without_items_or_with_one_class_only(table):
    assert cohen_kappa(table) is None


def test_agreement_on_all_items_is_not_taken_for_certain():
    """Wilson's lower limit of 20 of 20 is 0.8389; half of the agreement is due to chance."""
    found = cohen_kappa([[10, 0], [0, 10]])
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx((0.8388747 - 0.5) / 0.5, abs=1e-6)
    assert cohen_kappa([[1, 0], [0, 1]]).low < 0


@given(tables)
def test_one_rating_an_item_gives_the_same_by_item(table):
    hits, misses, alarms, rejections = table
    plain = cohen_kappa([[hits, misses], [alarms, rejections]])
    by_item = cohen_kappa_by_item(items_of(*table))
    if plain is None:
        assert by_item is None
    else:
        assert by_item.value == pytest.approx(plain.value)
        assert (by_item.low, by_item.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


@given(tables)
def test_swapping_the_raters_changes_nothing(table):
    hits, misses, alarms, rejections = table
    one, other = (
        cohen_kappa([[hits, misses], [alarms, rejections]]),
        cohen_kappa([[hits, alarms], [misses, rejections]]),
    )
    assert (one is None) == (other is None)
    if one is not None:
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=1e-9)


@given(tables)
def test_the_interval_holds_kappa_and_stays_within_its_range(table):
    hits, misses, alarms, rejections = table
    found = cohen_kappa([[hits, misses], [alarms, rejections]])
    if found is not None:
        assert -1 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1


def test_ratings_copied_within_their_items_do_not_narrow_the_interval_by_item():
    once = cohen_kappa_by_item(items_of(40, 10, 8, 42))
    twice = cohen_kappa_by_item([[*cells, *cells] for cells in items_of(40, 10, 8, 42)])
    assert twice.error == pytest.approx(once.error)
    assert cohen_kappa([[80, 20], [16, 84]]).error == pytest.approx(once.error / math.sqrt(2))


def test_the_interval_by_item_covers_where_two_ratings_share_an_item():
    """60 items with two verdicts each that mostly repeat each other: 95 % nominal, 500 draws, seed 1."""
    generator = random.Random(1)
    agree, repeat = 0.8, 0.7
    truth = 2 * agree - 1
    covered = plain_covered = 0
    for _ in range(500):
        items = []
        for _ in range(60):
            label = generator.random() < 0.5
            first = label if generator.random() < agree else not label
            second = first if generator.random() < repeat else (label if generator.random() < agree else not label)
            items.append([(int(not label), int(not first)), (int(not label), int(not second))])
        found = cohen_kappa_by_item(items)
        covered += found.low <= truth <= found.high
        table = [[0, 0], [0, 0]]
        for label, verdict in (cell for cells in items for cell in cells):
            table[label][verdict] += 1
        plain = cohen_kappa(table)
        plain_covered += plain.low <= truth <= plain.high
    assert 0.92 <= covered / 500 <= 0.98
    assert plain_covered / 500 < 0.9
