import pytest

from pytest_llmreplay.compare.power import cases_for_margin, cases_to_detect, minimum_detectable


def test_the_published_example_of_connors_formula():
    # powerandsamplesize.com, after Connor 1987: p01 = 0.45, p10 = 0.05, 5 %, 80 % power: 23 pairs
    assert cases_to_detect(0.40, churn=0.50 - 0.40) == 23


@pytest.mark.parametrize(("margin", "cases"), [(0.05, 73), (0.02, 189)])
def test_cases_for_a_margin_without_any_churn_are_those_that_silence_needs(margin, cases):
    assert cases_for_margin(margin) == cases


def test_cases_for_a_margin_grow_with_churn():
    assert cases_for_margin(0.05) < cases_for_margin(0.05, 0.02) < cases_for_margin(0.05, 0.2)


@pytest.mark.parametrize("cases", [20, 60, 300, 1000])
@pytest.mark.parametrize("churn", [0.0, 0.05, 0.3])
def test_the_detectable_difference_and_the_cases_it_needs_are_inverse(cases, churn):
    smallest = minimum_detectable(cases, churn)
    assert 0 < smallest < 1
    assert cases_to_detect(smallest, churn) in (cases, cases + 1)
    assert cases_to_detect(-smallest, churn) == cases_to_detect(smallest, churn)


def test_more_cases_and_less_churn_detect_less():
    assert minimum_detectable(200) < minimum_detectable(50) < minimum_detectable(50, 0.1)
    assert minimum_detectable(50, 0.02, 1 / 3) < minimum_detectable(50, 0.02, 1.0)


def test_too_few_cases_detect_nothing():
    assert minimum_detectable(3) == minimum_detectable(0) == 1.0


@pytest.mark.parametrize("difference", [0.0, 1.5])
def test_an_impossible_difference_is_refused(difference):
    with pytest.raises(ValueError, match="a difference to detect"):
        cases_to_detect(difference)


@pytest.mark.parametrize("margin", [0.0, 1.0])
def test_an_impossible_margin_is_refused(margin):
    with pytest.raises(ValueError, match="a margin is between"):
        cases_for_margin(margin)
