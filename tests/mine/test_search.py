"""`--like` and `--like-trace`: who said the same, however they put it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from pytest_llmreplay.mine.search import search_like, search_like_trace
from pytest_llmreplay.mine.turns import user_turns
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.providers.embeddings import static_embedder
from tests.fakes import FakeEmbedder
from tests.shared_data import shared

SAID = {
    "refund-1": ["I was charged twice, give me my money back"],
    "person-1": ["this robot is useless", "let me talk to a human being"],
    "person-2": ["can I speak with a real agent please"],
    "hours-1": ["when do you open on Sunday", "and on Monday?"],
    "refund-2": ["hello", "please return the payment for order 17"],
    "food-1": ["do you have soup without meat"],
}


def found(matches):
    return [match.conversation_id for match in matches]


def test_those_who_said_the_same_come_first_with_turn_score_and_reason(log, caches):
    turns, embedder = user_turns([log(SAID)], caches), static_embedder()
    matches = search_like(
        turns, "I would like to speak to somebody, not to a machine", embedder, caches, limit=3, words=embedder
    )
    assert set(found(matches[:2])) == {"person-1", "person-2"}
    one = next(match for match in matches if match.conversation_id == "person-1")
    assert (one.turn, one.text, one.row) == (2, "let me talk to a human being", 1)
    assert one.score == pytest.approx((one.whole + one.nearest) / 2, abs=1e-3)
    assert one.why.startswith("turn 2: ")
    assert "talk" in one.why
    assert [m.score for m in matches] == sorted((m.score for m in matches), reverse=True)


def test_a_trace_finds_its_like_and_not_itself(log, caches):
    turns = user_turns([log(SAID)], caches)
    matches = search_like_trace(turns, "refund-1", static_embedder(), caches, limit=10)
    assert found(matches)[0] == "refund-2"
    assert len(matches) == 5
    assert matches[0].score == matches[0].whole


def test_only_the_chosen_conversations_are_searched_and_embedded(log, caches):
    embedder = FakeEmbedder()
    turns = user_turns([log(SAID)], caches).of_conversations(["hours-1"])
    assert found(search_like(turns, "opening", embedder, caches, limit=5)) == ["hours-1"]
    assert sorted(embedder.asked) == ["and on Monday?", "opening", "when do you open on Sunday"]


def test_without_a_judge_of_words_the_shared_ones_are_named(log, caches):
    turns = user_turns([log(SAID)], caches)
    [match] = search_like(turns, "soup, no meat", FakeEmbedder(), caches, limit=1)
    assert match.why == "turn 1: soup, meat"


def test_equal_conversations_keep_the_order_of_the_log(log, caches):
    turns = user_turns([log({name: ["the same"] for name in "cab"})], caches)
    assert found(search_like(turns, "same", FakeEmbedder(), caches, limit=9)) == ["c", "a", "b"]
    assert found(search_like(turns, "same", FakeEmbedder(), caches, limit=2)) == ["c", "a"]


def test_a_question_without_words_and_an_unknown_trace_are_refused(log, caches):
    turns = user_turns([log(SAID)], caches)
    with pytest.raises(UserError, match="--like: there is nothing to search for in it"):
        search_like(turns, " ", static_embedder(), caches, limit=1)
    with pytest.raises(UserError, match="--like-trace: no conversation with this id"):
        search_like_trace(turns, "refund-9", FakeEmbedder(), caches, limit=1)


def test_a_log_in_which_nobody_said_anything_has_no_matches(log, caches):
    assert search_like(user_turns([log({"a": []})], caches), "help", FakeEmbedder(), caches, limit=3) == []


def test_the_second_search_reads_neither_log_nor_model(log, caches):
    path = log(SAID)
    first = search_like(user_turns([path], caches), "money back", static_embedder(), caches, limit=3)
    embedder = FakeEmbedder(static_embedder().identity)
    embedder.embed = lambda texts: (
        static_embedder().embed(texts) if texts == ["money back"] else pytest.fail("embedded")
    )
    assert search_like(user_turns([path], caches), "money back", embedder, caches, limit=3) == first


def test_on_annotated_conversations_it_beats_each_simpler_way(monkeypatch, tmp_path):
    data = shared("data", "traces_sgd.parquet").parent
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    for name in ("search", "search_questions"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import search

    where = search.collection("sgd", data, tmp_path, static_embedder())
    questions = [q for q in search.HELD_OUT if q[0] == "sgd"]
    maps = {
        name: np.mean([search.precision_and_recall(method(q), where.relevant(intent))[0] for _, intent, q in questions])
        for name, method in where.methods.items()
    }
    assert maps["--like"] > max(maps["BM25"], maps["mean of the turns"], maps["best turn"]) + 0.05
