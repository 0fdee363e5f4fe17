"""A coarse guard; `benchmarks/checks.py` measures."""

from __future__ import annotations

from benchmarks.checks import rate, small_pairs, with_tools


def test_small_pairs_are_compared_in_well_under_a_millisecond():
    lines = small_pairs(1500, distinct=True)
    assert rate(lines, rounds=3) > 4000
    assert rate(with_tools(lines), rounds=3) > 4000


def test_the_pairs_that_are_measured_are_compared_and_some_fail():
    from pytest_llmreplay.checks.batch import Batch

    batch = Batch()
    for lines in (small_pairs(300, distinct=True), with_tools(small_pairs(300, distinct=False))):
        statuses = [batch.check(line, "lines:1").status for line in lines]
        assert set(statuses) == {"passed", "failed"}
        assert 0.02 < statuses.count("failed") / len(statuses) < 0.3
