"""Intents: the same wishes in one cluster, under a name and an id that stay."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import homogeneity_score

from pytest_llmreplay.mine.intents import _z, extended, find_intents
from pytest_llmreplay.mine.intents_file import read_intents, write_intents
from pytest_llmreplay.mine.space import space_of
from pytest_llmreplay.mine.turns import UserTurns, user_turns
from pytest_llmreplay.mine.vectors import vectors_of
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.providers.embeddings import static_embedder

WISHES = {
    "refund": [
        "I want my money back for {o}",
        "please refund the order {o}",
        "I was charged twice, refund order {o}",
        "when does the refund of {o} arrive",
    ],
    "password": [
        "I cannot log in, my password is wrong",
        "reset my password please",
        "I forgot the password of my account",
        "the login page refuses my password",
    ],
    "delivery": [
        "where is my parcel {o}",
        "the parcel {o} has not been delivered",
        "track the parcel for order {o}",
        "my delivery {o} is late, where is the parcel",
    ],
}
SOUP = [
    "do you have vegetarian soup",
    "is the soup made with cream",
    "which soup of the day is there",
    "a bowl of soup",
]
EMBEDDER = static_embedder().identity


def conversations(count, seed, wishes=WISHES):
    rng = random.Random(seed)
    said, labels = {}, []
    for number in range(count):
        wish = rng.choice(sorted(wishes))
        labels.append(wish)
        text = rng.choice(wishes[wish]).format(o=rng.randint(1000, 9999))
        said[f"{seed}-{number}"] = [
            f"{text}, says Zebulon" if number % 5 == 0 else text,
            rng.choice(["thanks", "ok bye", "great"]),
        ]
    return said, labels


@pytest.fixture
def seen(log, caches):
    def seen(said, middle=None, name="log.parquet"):
        turns = user_turns([log(said, name)], caches)
        return turns, space_of(turns, vectors_of(turns, static_embedder(), caches), middle)

    return seen


GERMAN = {
    "refund": ["ich habe das doppelt bezahlt und will es erstattet haben", "das ist nicht erstattet, bitte erstatten"],
    "password": ["ich kann mich nicht anmelden, das ist vergessen", "wie kann ich das vergessene neu setzen, anmelden"],
    "delivery": [
        "es ist noch nicht geliefert, wann wird es zugestellt",
        "wann wird das denn nun zugestellt und geliefert",
    ],
}


def test_words_that_a_language_shares_name_nothing_where_it_is_spoken(seen):
    said, _ = conversations(240, 1, GERMAN)
    turns, space = seen(said)
    words = {term for intent in find_intents(turns, space, EMBEDDER).found for term in intent.terms}
    assert words & {"geliefert", "zugestellt"}
    assert words & {"erstattet", "bezahlt"}
    assert not words & {"ich", "das", "ist", "nicht", "mich", "noch", "wird", "kann"}


def test_a_word_that_other_languages_share_may_name_an_intent(seen):
    said, _ = conversations(240, 1, {"van": ["rent a van", "a van to rent"], "hat": ["a hat of wool", "woollen hat"]})
    turns, space = seen(said)
    assert {"van", "hat"} <= {term for intent in find_intents(turns, space, EMBEDDER).found for term in intent.terms}


def test_wishes_are_told_apart_named_by_their_words_and_no_customer(seen):
    said, labels = conversations(240, 1)
    turns, space = seen(said)
    intents = find_intents(turns, space, EMBEDDER)
    numbers = intents.of_conversations(space)
    assert homogeneity_score(labels, numbers) > 0.9
    words = {term for intent in intents.found for term in intent.terms}
    assert {"refund", "password", "parcel"} <= words
    assert not any("zebulon" in intent.name.lower() for intent in intents.found)
    assert [i.size for i in intents.found] == sorted((i.size for i in intents.found), reverse=True)
    assert 0 < intents.stability <= 1


def test_the_words_of_all_intents_are_read_at_once(seen, monkeypatch):
    turns, space = seen(conversations(240, 1)[0])
    readings, texts = [], UserTurns.texts
    monkeypatch.setattr(UserTurns, "texts", lambda self, positions: readings.append(1) or texts(self, positions))
    intents = find_intents(turns, space, EMBEDDER)
    assert len(intents.found) > 1
    assert readings == [1]


def test_the_same_seed_finds_the_same(seen):
    turns, space = seen(conversations(120, 1)[0])
    assert find_intents(turns, space, EMBEDDER).found == find_intents(turns, space, EMBEDDER).found


def test_tomorrow_an_intent_has_the_id_of_today(seen, tmp_path):
    turns, space = seen(conversations(240, 1)[0])
    path = tmp_path / "intents.parquet"
    write_intents(path, find_intents(turns, space, EMBEDDER))
    intents = read_intents(path, embedder=EMBEDDER)
    said, labels = conversations(90, 2)
    _, later = seen(said, intents.middle, "later.parquet")
    numbers = intents.of_conversations(later)
    assert homogeneity_score(labels, numbers) > 0.8
    by_name = {label: intents.found[number].terms for label, number in zip(labels, numbers, strict=True) if number >= 0}
    assert "password" in by_name["password"]


def test_what_no_intent_reaches_becomes_a_new_one_and_the_old_ids_stay(seen):
    turns, space = seen(conversations(240, 1)[0])
    intents = find_intents(turns, space, EMBEDDER)
    said = {**conversations(60, 2)[0], **conversations(60, 3, {"soup": SOUP})[0]}
    both, later = seen(said, intents.middle, "later.parquet")
    assert (intents.of_conversations(later)[60:] < 0).mean() > 0.8
    more = extended(intents, both, later)
    assert [i.intent_id for i in more.found[: len(intents.found)]] == [i.intent_id for i in intents.found]
    assert any("soup" in intent.terms for intent in more.found[len(intents.found) :])
    assert (more.of_conversations(later)[60:] < 0).mean() < 0.2
    assert extended(intents, turns, space) == intents


def test_a_handful_of_conversations_is_one_intent(seen):
    turns, space = seen(conversations(5, 1)[0])
    intents = find_intents(turns, space, EMBEDDER)
    assert len(intents.found) == 1


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (
            {
                "bill": ["請求書を送ってください", "請求書がまだ届きません", "先月の請求書を見たい"],
                "router": ["ルーターが再起動します", "新しいルーターが欲しい", "ルーターの電源が入らない"],
            },
            {"請求", "ルーター"},
        ),
        (
            {
                "refund": ["我要退款", "请给我退款", "退款什么时候到账"],
                "parcel": ["我的包裹在哪里", "包裹还没有到", "查询包裹 {o}"],
            },
            {"退款", "包裹"},
        ),
        (
            {
                "refund": ["أريد استرداد المبلغ", "متى يصل استرداد المال", "طلب استرداد {o}"],
                "parcel": ["أين طرد الخاص بي", "لم يصل طرد حتى الآن", "تتبع طرد {o}"],
            },
            {"استرداد", "طرد"},
        ),
    ],
    ids=["Japanese", "Chinese", "Arabic"],
)
def test_scripts_without_capitals_give_names_too(seen, wishes, words):
    turns, space = seen(conversations(120, 1, wishes)[0])
    found = find_intents(turns, space, EMBEDDER).found
    assert all(intent.terms for intent in found)
    assert words <= {term for intent in found for term in intent.terms}


def test_what_is_said_word_for_word_belongs_to_its_intent(seen):
    texts = [text.format(o="4417") for wishes in (*WISHES.values(), SOUP) for text in wishes]
    turns, space = seen({f"c{n}": [texts[n % len(texts)]] for n in range(640)})
    intents = find_intents(turns, space, EMBEDDER)
    assert (intents.of_conversations(space) >= 0).all()


@pytest.mark.filterwarnings("error")
def test_a_log_in_which_all_say_the_same_is_one_intent_without_a_warning(seen):
    turns, space = seen({f"c{n}": ["where is my parcel"] for n in range(60)})
    assert len(find_intents(turns, space, EMBEDDER).found) == 1


def test_the_file_comes_back_as_it_was_and_refuses_others(seen, tmp_path):
    turns, space = seen(conversations(60, 1)[0])
    intents = find_intents(turns, space, EMBEDDER)
    path = tmp_path / "intents.parquet"
    write_intents(path, intents)
    again = read_intents(path, embedder=EMBEDDER)
    assert again.found == intents.found
    assert np.array_equal([i.centre for i in again.found], [i.centre for i in intents.found])
    assert again.middle == pytest.approx(intents.middle)
    assert [p.name for p in tmp_path.iterdir() if "intents" in p.name] == ["intents.parquet"]
    with pytest.raises(UserError, match="found with the embeddings 'wordllama"):
        read_intents(path, embedder="openai/other")
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UserError, match="holds no intents"):
        read_intents(path, embedder=EMBEDDER)
    path.write_text("x")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        read_intents(path, embedder=EMBEDDER)


def test_the_weight_of_a_word_is_the_published_one():
    # Log odds over its standard error, worked out by hand: (log(10.5/90.5) - log(5.5/195.5)) / sqrt(1/10.5 + 1/5.5)
    assert _z(10, 100, 5, 200) == pytest.approx((-2.1539745 + 3.5708122) / 0.5263613, abs=1e-5)
    assert _z(5, 100, 5, 100) == 0
