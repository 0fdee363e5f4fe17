import pytest

from pytest_llmreplay.compare import compare_many
from pytest_llmreplay.model.errors import UserError


def outcomes(**passes):
    """One-trial outcomes of 60 cases: each variant passes the first so many."""
    return [
        {"case_id": f"c{i:02}", "variant": name, "trial": 1, "status": "passed" if i < passed else "failed"}
        for name, passed in passes.items()
        for i in range(60)
    ]


def test_all_other_variants_are_compared_with_the_baseline_and_corrected_for_their_number():
    several = compare_many(outcomes(v1=30, v2=36, v3=30, v4=40), baseline="v1")
    assert [c.candidate for c in several.comparisons] == ["v2", "v3", "v4"]
    raw = {c.candidate: c.p_value for c in several.comparisons}
    assert raw == pytest.approx({"v2": 0.5**6, "v3": 1.0, "v4": 0.5**10})
    assert several.p_holm == pytest.approx({"v4": 3 * 0.5**10, "v2": 2 * 0.5**6, "v3": 1.0})


def test_the_best_is_named_when_it_beats_every_other():
    several = compare_many(outcomes(v1=20, v2=32, v3=48), baseline="v1")
    assert several.best == "v3"
    assert several.sentence == "v3 is significantly better than every other variant."


def test_the_baseline_can_be_the_best():
    assert compare_many(outcomes(v1=50, v2=30), baseline="v1").best == "v1"


def test_no_best_is_named_when_one_other_is_as_good():
    several = compare_many(outcomes(v1=20, v2=40, v3=42), baseline="v1")
    assert several.best is None
    assert several.sentence == "No variant is significantly better than all others."


def test_the_best_has_to_stand_the_correction_for_all_pairs():
    assert compare_many(outcomes(v1=30, v2=35), baseline="v1").best == "v2"
    assert compare_many(outcomes(v1=30, v2=35, v3=30, v4=30), baseline="v1").best is None


def test_the_candidates_can_be_chosen():
    several = compare_many(outcomes(v1=30, v2=35, v3=60), baseline="v1", candidates=["v2"])
    assert [c.candidate for c in several.comparisons] == ["v2"]
    assert several.best == "v2"


def test_one_variant_alone_is_refused():
    with pytest.raises(UserError, match="there is no variant to compare with 'v1'"):
        compare_many(outcomes(v1=30), baseline="v1")
