"""The table of user turns, and the vectors that are kept by content."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmreplay.mine.space import _sizes, space_of
from pytest_llmreplay.mine.turns import UserTurns, user_turns
from pytest_llmreplay.mine.vectors import Vectors, _opened, _written, vectors_of
from pytest_llmreplay.providers.embeddings import unit
from tests.fakes import FakeEmbedder

SAID = {"a": ["one", "two"], "b": ["  ", "three"], "c": [], "d": ["one", "four\u202e"]}


def texts_of(turns):
    return [turn.text for turn in turns.read(range(len(turns)))]


def test_turns_keep_their_place_and_their_number(log, caches):
    path = log(SAID)
    turns = user_turns([path], caches)
    found = [(t.conversation_id, t.row, t.turn, t.text) for t in turns.read(range(len(turns)))]
    assert found == [
        ("a", 0, 1, "one"),
        ("a", 0, 2, "two"),
        ("b", 1, 2, "three"),
        ("d", 3, 1, "one"),
        ("d", 3, 2, SAID["d"][1]),
    ]
    assert turns.conversation.tolist() == [0, 0, 1, 2, 2]
    assert turns.key[0] == turns.key[3]
    assert len(set(turns.key.tolist())) == 4


def test_several_logs_are_one_table_and_the_first_of_one_is_not_the_last_of_the_other(log, caches):
    one, two, empty = (
        log({"a": ["x"]}, "1.parquet"),
        log({"b": ["y"], "c": ["z"]}, "2.parquet"),
        log({"e": []}, "3.parquet"),
    )
    turns = user_turns([one, empty, two], caches)
    assert turns.conversation.tolist() == [0, 1, 2]
    assert texts_of(turns) == ["x", "y", "z"]
    assert [turn.log for turn in turns.read([2, 0])] == [two, one]
    assert texts_of(turns.of_conversations({"c", "a", "nobody"})) == ["x", "z"]


def test_rows_count_on_through_the_logs(log, caches):
    logs = [log(SAID, "1.parquet"), log({"e": []}, "2.parquet"), log({"f": [], "g": ["x", "y"]}, "3.parquet")]
    turns = user_turns(logs, caches)
    assert turns.rows(np.arange(len(turns)), [0, 100, 200]).tolist() == [0, 0, 1, 3, 3, 201, 201]
    assert turns.rows(np.array([2, 6]), [0, 100, 200]).tolist() == [1, 201]
    some = turns.only(turns.turn == 1)
    assert some.rows(np.arange(3), [0, 100, 200]).tolist() == [0, 3, 201]
    assert some.key.tolist() == turns.key[turns.turn == 1].tolist()


def test_the_direction_of_a_conversation_is_that_of_its_weighted_turns(log, caches):
    turns = user_turns([log(SAID)], caches)
    vectors = vectors_of(turns, FakeEmbedder(), caches)
    space = space_of(turns, vectors)
    directions = unit(vectors.unpacked(slice(None)) - space.middle)
    weights = 1 / (1 + (turns.turn - 1) / 4)
    sums = [weights[at] @ directions[at] for at in (slice(3, 5), slice(0, 2), slice(2, 3))]
    assert space.conversations(np.array([2, 0, 1])) == pytest.approx(unit(np.array(sums)), abs=1e-6)
    assert space.part(np.array([0, 2])).conversations(np.array([1, 0])) == pytest.approx(
        unit(np.array(sums[:2])), abs=1e-6
    )


def test_a_table_is_made_once_and_again_when_the_log_changed(log, caches):
    path = log({"a": ["x"]})
    user_turns([path], caches)
    [entry] = caches.entries()
    user_turns([path], caches)
    assert [e.path for e in caches.entries()] == [entry.path]
    log({"a": ["x", "y"]})
    assert texts_of(user_turns([path], caches)) == ["x", "y"]


def test_a_log_with_marks_of_a_pattern_in_its_name(log, caches):
    log({"other": ["no"]}, "b.parquet")
    path = log({"a": ["yes"]}, "[ab]*?.parquet")
    assert texts_of(user_turns([path], caches)) == ["yes"]


def test_only_new_texts_are_embedded_and_each_once(log, caches):
    embedder = FakeEmbedder()
    seen = []
    first = vectors_of(user_turns([log(SAID)], caches), embedder, caches, lambda *told: seen.append(told))
    assert sorted(embedder.asked) == ["four\u202e", "one", "three", "two"]
    assert seen == [(4, 4)]
    more = vectors_of(user_turns([log({**SAID, "e": ["two", "five"]})], caches), embedder, caches)
    assert embedder.asked[4:] == ["five"]
    assert more.unpacked(slice(0, 5)) == pytest.approx(first.unpacked(slice(None)))
    wanted = FakeEmbedder().embed(["one", "two", "three", "one", "four\u202e", "two", "five"])
    assert more.unpacked(slice(None)) == pytest.approx(wanted, abs=0.01)


def test_each_model_has_vectors_of_its_own(log, caches):
    turns = user_turns([log(SAID)], caches)
    vectors_of(turns, FakeEmbedder("one"), caches)
    other = FakeEmbedder("other")
    vectors_of(turns, other, caches)
    assert len(other.asked) == 4


def test_what_was_embedded_before_an_interruption_is_kept(log, caches, monkeypatch):
    monkeypatch.setattr("pytest_llmreplay.mine.vectors._AT_ONCE", 1)
    turns = user_turns([log(SAID)], caches)
    with pytest.raises(KeyboardInterrupt):
        vectors_of(turns, FakeEmbedder(stop_at="four\u202e"), caches)
    embedder = FakeEmbedder()
    vectors_of(turns, embedder, caches)
    assert embedder.asked == ["four\u202e"]


def test_nobody_said_anything(log, caches):
    turns = user_turns([log({"a": []})], caches)
    assert len(vectors_of(turns, FakeEmbedder(), caches)) == 0


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=7, max_size=7), min_size=1, max_size=20))
def test_a_kept_vector_is_off_by_less_than_one_in_a_hundred(tmp_path_factory, rows):
    from pytest_llmreplay.mine.caches import Caches

    vectors = unit(np.array(rows, np.float32))
    caches = Caches(tmp_path_factory.mktemp("kept"), 60.0)
    segment = _written(np.arange(len(rows), dtype=np.uint64), vectors, "kind", caches)
    unpacked = Vectors((segment,), np.zeros(1, np.int64), np.arange(len(rows)), 7).unpacked(slice(None))
    assert np.abs(unpacked - vectors).max() <= 0.5 / 127 + 1e-6
    assert _opened(caches.entries()[0].path).keys.tolist() == list(range(len(rows)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=12), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_sizes_put_together_from_blocks_are_those_of_the_whole(lengths, block, seed):
    rng = np.random.default_rng(seed)
    count = sum(lengths)
    taken = unit(rng.normal(size=(count, 5)).astype(np.float32))
    begins, weights = np.cumsum([0, *lengths])[:-1], rng.random(count).astype(np.float32)
    middle = taken.mean(axis=0)

    class Plain:
        dimensions = 5

        def __len__(self):
            return count

        def unpacked(self, wanted):
            return taken[wanted]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_llmreplay.mine.space._TURNS_AT_ONCE", block)
        distances, sums = _sizes(Plain(), begins, weights, middle)
    directions = unit(taken - middle)
    expected = np.linalg.norm(np.add.reduceat(directions * weights[:, None], begins), axis=1)
    away = np.linalg.norm(taken - middle, axis=1)
    assert distances == pytest.approx(np.where(away > 0, away, 1), rel=1e-4)
    assert sums == pytest.approx(np.where(expected > 0, expected, 1), rel=1e-3, abs=1e-5)


def test_the_middle_of_a_few_turns_is_drawn_to_nothing(log, caches):
    turns = user_turns([log({"a": ["x"]})], caches)
    vectors = vectors_of(turns, FakeEmbedder(), caches)
    assert isinstance(turns, UserTurns)
    assert np.linalg.norm(space_of(turns, vectors).middle) == pytest.approx(1 / 21, rel=0.02)
