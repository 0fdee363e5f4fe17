"""One to one, as many as can be: against brute force over every pairing."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.checks import match_calls
from pytest_llmreplay.checks.assignment import (
    NOBODY,
    in_order_assignment,
    longest_common_subsequence,
    maximum_matching,
    positional_assignment,
)
from tests.checks.build import made, wants


@st.composite
def graphs(draw, most=6):
    left, right = draw(st.integers(0, most)), draw(st.integers(0, most))
    rows = st.lists(st.integers(0, right - 1), unique=True, max_size=right).map(sorted) if right else st.just([])
    return draw(st.lists(rows, min_size=left, max_size=left)), right


@st.composite
def grouped_graphs(draw):
    edges, right = draw(graphs(5))
    cuts = sorted(draw(st.sets(st.integers(1, right - 1)))) if right > 1 else []
    bounds = [0, *cuts, right]
    groups = [range(a, b) for a, b in itertools.pairwise(bounds) if b > a]
    return edges, groups, right


def pairings(edges, right):
    """Every way to give each expected index an actual one of its own."""
    for chosen in itertools.permutations(range(right), len(edges)):
        if all(actual in edges[expected] for expected, actual in enumerate(chosen)):
            yield chosen


def most_pairs(edges):
    best, frontier = 0, [(0, frozenset(), 0)]
    while frontier:
        index, used, pairs = frontier.pop()
        best = max(best, pairs)
        if index < len(edges):
            frontier.append((index + 1, used, pairs))
            frontier += [(index + 1, used | {r}, pairs + 1) for r in edges[index] if r not in used]
    return best


@given(graphs())
def test_no_pairing_has_more_pairs(graph):
    edges, right = graph
    found = maximum_matching(edges, right)
    paired = [actual for actual in found if actual != NOBODY]
    assert len(paired) == len(set(paired)) == most_pairs(edges)
    assert all(actual in edges[expected] for expected, actual in enumerate(found) if actual != NOBODY)


@given(grouped_graphs())
def test_in_order_is_found_exactly_when_some_pairing_keeps_the_order_of_the_groups(case):
    edges, groups, right = case
    group_of = {actual: number for number, group in enumerate(groups) for actual in group}
    possible = any(
        all(group_of[a] <= group_of[b] for a, b in itertools.pairwise(chosen)) for chosen in pairings(edges, right)
    )
    found = in_order_assignment(edges, groups)
    assert (found is not None) == possible
    if found is not None:
        assert tuple(found) in set(pairings(edges, right))
        assert all(group_of[a] <= group_of[b] for a, b in itertools.pairwise(found))


@given(grouped_graphs())
def test_strict_is_found_exactly_when_some_pairing_stays_in_its_groups(case):
    edges, groups, right = case
    group_of = {actual: number for number, group in enumerate(groups) for actual in group}
    possible = len(edges) == right and any(
        all(group_of[expected] == group_of[actual] for expected, actual in enumerate(chosen))
        for chosen in pairings(edges, right)
    )
    assert (positional_assignment(edges, groups) is not None) == possible


@given(graphs())
def test_the_longest_common_subsequence_is_the_longest(graph):
    edges, right = graph

    def longest(expected, actual):
        if expected == len(edges) or actual == right:
            return 0
        taken = 1 + longest(expected + 1, actual + 1) if actual in edges[expected] else 0
        return max(taken, longest(expected + 1, actual), longest(expected, actual + 1))

    assert longest_common_subsequence(edges) == longest(0, 0)


VALUES = st.sampled_from([1, 2, "a"])
ARGUMENTS = st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)
PATTERNS = st.dictionaries(
    st.sampled_from("xy"), st.one_of(VALUES, st.just({"any": True, "optional": True})), max_size=2
)


def fits(arguments, pattern):
    known = arguments.keys() <= pattern.keys()
    return known and all(
        isinstance(wanted, dict) or (name in arguments and arguments[name] == wanted)
        for name, wanted in pattern.items()
    )


@given(st.lists(ARGUMENTS, max_size=4), st.lists(PATTERNS, min_size=1, max_size=4))
def test_match_calls_finds_a_pairing_whenever_there_is_one(actual, expected):
    pairs = [
        all(fits(actual[i], pattern) for i, pattern in zip(chosen, expected, strict=True))
        for chosen in itertools.permutations(range(len(actual)), len(expected))
    ]
    result = match_calls([made("f", **a) for a in actual], [wants("f", **e) for e in expected])
    assert result.passed == any(pairs)
    assert len(set(result.assignment.values())) == len(result.assignment)
    assert all(fits(actual[j], expected[i]) for i, j in result.assignment.items())


def test_a_solvable_case_is_not_lost_to_greedy_order__bfcl_deepeval_agentevals():
    """BFCL, DeepEval and agentevals pair the first expected call with the first call that fits, and then fail."""
    loose, tight = wants("f", x={"optional": True}, y=1), wants("f", y=1)
    actual = [made("f", y=1), made("f", x=5, y=1)]
    result = match_calls(actual, {"order": "any_order", "expected": [loose, tight]})
    assert result.passed
    assert dict(result.assignment) == {0: 1, 1: 0}


def test_equal_repeated_calls_count_as_repeated__set_comparison_in_deepeval():
    """Names compared as a set make two refunds one."""
    once, twice = [made("refund", id=1)], [made("refund", id=1)] * 2
    assert not match_calls(once, [wants("refund", id=1)] * 2).passed
    assert match_calls(twice, [wants("refund", id=1)] * 2).passed
    assert not match_calls(twice, {"order": "any_order", "expected": [wants("refund", id=1)]}).passed


def test_many_interchangeable_calls_are_paired_without_trouble():
    actual, expected = [made("f", a=1)] * 600, [wants("f", a=1)] * 600
    assert match_calls(actual, {"order": "any_order", "expected": expected}).passed


def test_a_long_chain_of_displacements_is_followed_to_its_end():
    """Every expected call but the last takes its first choice from the next one: the longest augmenting path."""
    count = 400
    edges = [[i, i + 1] for i in range(count)] + [[0]]
    assert NOBODY not in maximum_matching(edges, count + 1)
