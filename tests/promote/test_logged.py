import pytest

from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.promote import Promotion, logged_intent, promote
from pytest_llmreplay.promote.logged import correlation_ids, logged_tags, negative_feedback


def talk(turns=3, **columns):
    messages = tuple(m for i in range(turns) for m in (Message("user", f"q{i}"), Message("assistant", f"a{i}")))
    return Conversation("c-1", messages, **columns)


def case_of(conversation, kind="incident", turn=None):
    [case] = promote([conversation], Promotion("s", kind, "2026-01-01", turn=turn), [])
    return case


@pytest.mark.parametrize(
    ("scores", "turn"),
    [
        ([{"name": "thumb", "value": 0, "turn": 2}], 2),
        ([{"name": "thumb", "value": "down", "turn": 2}, {"name": "thumb", "value": -1, "turn": 1}], 1),
        ([{"name": "thumb", "value": 1, "turn": 1}], 3),
        ([{"name": "thumb", "value": 0}], 3),
        ([{"name": "thumb", "value": 0, "turn": 7}], 3),
        ([{"name": "toxicity", "value": 0.0, "turn": 1}], 3),
        ("odd", 3),
    ],
)
def test_the_failing_turn_is_the_one_that_was_complained_of_else_the_last(scores, turn):
    assert case_of(talk(metadata={"scores": scores})).turn == turn


def test_a_list_of_feedback_says_its_turn_too():
    assert case_of(talk(feedback={"feedback": [{"name": "stars", "score": -1, "turn": 1}]})).turn == 1


def test_a_named_turn_wins_and_a_control_is_about_its_last_turn():
    complained = talk(metadata={"scores": [{"name": "thumb", "value": 0, "turn": 2}]})
    assert case_of(complained, turn=3).turn == 3
    assert case_of(complained, kind="control").turn == 3


@pytest.mark.parametrize(
    ("metadata", "intent"),
    [
        ({"intent": "refund"}, "refund"),
        ({"app.intent": "refund", "tags": ["intent:other"]}, "refund"),
        ({"tags": ["prod", "Intent: refund"]}, "refund"),
        ({"request_tags": ["intent=refund"]}, "refund"),
        ({"intent": {"name": "refund"}}, None),
        ({"intentional": "yes", "tags": "intent:refund"}, None),
    ],
)
def test_the_intent_is_read_from_what_the_log_keeps(metadata, intent):
    assert logged_intent(metadata) == intent
    assert case_of(talk(metadata=metadata)).intent == intent


def test_tags_ids_and_template_variables_of_the_log_are_those_of_the_case():
    metadata = {
        "tags": ["prod", "intent:refund"],
        "request_id": "req_9",
        "trace_ids": ["a", "b"],
        "plan_id": "x",
        "vars": {"shop": "north"},
    }
    case = case_of(talk(metadata=metadata))
    assert case.tags == logged_tags(metadata) == ("prod",)
    assert case.provenance.correlation_ids == correlation_ids(metadata) == {"request_id": "req_9", "trace_ids": "a b"}
    assert case.vars == {"shop": "north"}
    assert "vars" not in case.metadata


def test_every_negative_score_is_named():
    feedback = {"thumb": -1, "stars": 4, "list": [{"name": "mood", "value": "bad"}], "toxicity": 0, "ok": False}
    assert list(negative_feedback(feedback)) == ["thumb: -1", 'mood: "bad"', "ok: false"]
