"""What triage proposes to promote: few conversations that stand for all that failed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.mine.triage import suggest as module
from pytest_llmreplay.mine.triage.suggest import Pattern, apportioned, patterns_of, suggest
from pytest_llmreplay.providers.embeddings import unit

INTENTS, FAILURES, WELL = (-1, 0, 1), (-1, 0), None


@st.composite
def logs(draw):
    """Failing and passing groups over conversations that are each in one group, and where these lie."""
    labels = draw(st.lists(st.tuples(st.sampled_from(INTENTS), st.sampled_from((*FAILURES, WELL))), max_size=60))
    points = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(len(labels), 3)).astype(np.float32)
    if draw(st.booleans()):
        points = np.round(points)  # some are the same, some lie in the middle
    intent = np.array([intent for intent, _ in labels], np.int64)
    failure = np.array([7 if failure is WELL else failure for _, failure in labels], np.int64)
    failing, passing = patterns_of(intent, failure, np.array([failure is not WELL for _, failure in labels], np.bool_))
    check_patterns(labels, failing, passing)
    return failing, passing, unit(points)


def check_patterns(labels, failing, passing):
    """Every conversation is in the one pattern that it belongs to."""
    known = dict(enumerate(labels))
    told = {int(n): (one.intent, one.failure) for one in failing for n in one.members}
    well = {int(n): one.intent for one in passing for n in one.members}
    assert told == {number: label for number, label in known.items() if label[1] is not WELL}
    assert well == {number: intent for number, (intent, failure) in known.items() if failure is WELL}
    assert all((np.diff(one.members) > 0).all() for one in [*failing, *passing])


def over(points):
    return lambda numbers: points[numbers]


@given(logs(), st.integers(1, 70))
def test_what_is_suggested_stands_for_all_of_its_pattern(log, count):
    failing, passing, points = log
    found = suggest(failing, passing, over(points), count)
    incidents = [one for one in found if one.kind == "incident"]
    controls = [one for one in found if one.kind == "control"]
    assert len(incidents) == min(count, sum(len(group.members) for group in failing))
    assert len(controls) <= len(incidents)
    assert len({one.number for one in found}) == len(found)
    for kind, group in [*(("incident", one) for one in failing), *(("control", one) for one in passing)]:
        key = (kind, group.intent, group.failure)
        mine = [one for one in found if (one.kind, one.intent, one.failure) == key]
        assert {one.number for one in mine} <= set(group.members.tolist())
        assert [one.role for one in mine] == (["representative"] + ["diverse"] * (len(mine) - 1) if mine else [])
        if mine:
            assert sum(one.weight for one in mine) == len(group.members)
            assert all(one.weight >= 1 for one in mine)
    for group in passing:
        wanted = sum(one.intent == group.intent for one in incidents)
        assert sum(one.intent == group.intent for one in controls) == min(wanted, len(group.members))
    assert found == suggest(failing, passing, over(points), count)


@given(st.lists(st.integers(1, 500), max_size=12), st.integers(0, 300))
def test_places_go_by_size(sizes, count):
    sizes = sorted(sizes, reverse=True)
    places = apportioned(sizes, count)
    assert sum(places) == min(count, sum(sizes))
    assert places == sorted(places, reverse=True)
    assert all(place <= size for place, size in zip(places, sizes, strict=True))
    assert all(places) or max(places, default=0) <= 1


def test_webster():
    """Balinski and Young's example (1982), in which Adams, Dean, Hill, Webster and Jefferson all differ."""
    assert apportioned([9061, 7179, 5259, 3319, 1182], 26) == [9, 8, 5, 3, 1]


def test_the_representative_is_the_medoid_and_the_next_is_something_else():
    angles = np.radians([0, 4, 8, 12, 90, 94])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    first, second = suggest([Pattern(0, 0, np.arange(6))], [], over(points), 2)
    cosines = points @ points.T
    assert first.number == int(cosines.sum(axis=1).argmax()) == 3
    assert second.number in (4, 5)
    assert (first.weight, second.weight) == (4, 2)


def test_a_large_group_is_sampled_and_counted_whole(monkeypatch):
    monkeypatch.setattr(module, "_CANDIDATES", 20)
    monkeypatch.setattr(module, "_AT_ONCE", 64)
    points = unit(np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32))
    group = Pattern(0, 0, np.arange(500))
    found = suggest([group], [], over(points), 30, seed=3)
    assert len({one.number for one in found}) == 30
    assert sum(one.weight for one in found) == 500
    assert found == suggest([group], [], over(points), 30, seed=3)
    assert found != suggest([group], [], over(points), 30, seed=4)


@pytest.mark.parametrize("count", [1, 3])
def test_diverse_cases_cover_what_the_representative_does_not(count):
    """Three ways of saying it, of 60, 30 and 10 conversations: three cases stand for one each."""
    rng = np.random.default_rng(5)
    centres = np.eye(3, 8, dtype=np.float32)
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    points = unit(centres[labels] + rng.normal(scale=0.05, size=(100, 8)).astype(np.float32))
    found = suggest([Pattern(0, 0, np.arange(100))], [], over(points), count)
    assert [int(labels[one.number]) for one in found] == [0, 1, 2][:count]
    assert [one.weight for one in found] == ([100] if count == 1 else [60, 30, 10])
    assert math.isclose(sum(one.weight for one in found), 100)
