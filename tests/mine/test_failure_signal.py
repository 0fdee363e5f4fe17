"""What shows the failure of a case."""

import pytest

from pytest_llmreplay.mine.failure_signal import FailureSignal, case_text, failure_signal
from pytest_llmreplay.mine.signals import Evidence
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import UserError
from tests.mine.conftest import bot, result, user

MISROUTED = (
    user("how do I talk to a person?"),
    bot(None, ("search", "{}")),
    result("nothing"),
    bot("I found nothing."),
)


def incident(*messages, turn=1, **fields):
    return Case("c", "s", "incident", "open", messages or MISROUTED, turn, **fields)


def calls(**fields):
    return {"expect": {"calls": fields}}


@pytest.mark.parametrize(
    ("expected", "called", "missing", "in_words"),
    [
        ({"expected": [{"name": "human"}]}, ["search"], ["human"], "calls search and does not call human"),
        ({"expected": [{"name": "human"}], "forbidden": ["search"]}, ["search"], [], "calls search"),
        ({"forbidden": ["search", "other"]}, ["search"], [], "calls search"),
        ({"called": {"search": 0}}, ["search"], [], "calls search"),
        ({"called": {"human": {"min": 1}}}, ["search"], ["human"], "calls search and does not call human"),
        ({"order": "none"}, ["search"], [], "calls search"),
        ({"order": "at_most", "expected": []}, ["search"], [], "calls search"),
        ({"order": "strict", "expected": [{"name": "human"}]}, ["search"], ["human"], None),
    ],
)
def test_the_calls_come_first(signals, expected, called, missing, in_words):
    found = failure_signal(incident(**calls(**expected)), [Evidence("refusal", 1, "no", 3)], signals)
    assert (found.source, list(found.called), list(found.missing)) == ("calls", called, missing)
    assert in_words in (None, found.in_words)


def test_where_production_called_nothing_the_missing_call_is_the_sign(signals):
    silent = incident(user("a person please"), bot("No."), **calls(expected=[{"name": "human"}]))
    found = failure_signal(silent, [], signals)
    assert found == FailureSignal("calls", missing=("human",))
    assert found.in_words == "does not call human"


def test_only_the_failing_turn_counts_unless_the_expectation_says_otherwise(signals):
    talk = (user("hello"), bot(None, ("greet", "{}")), user("a person"), bot(None, ("search", "{}")))
    expected = {"expected": [{"name": "human"}]}
    assert failure_signal(incident(*talk, turn=2, **calls(**expected)), [], signals).called == ("search",)
    whole = failure_signal(incident(*talk, turn=2, **calls(scope="conversation", **expected)), [], signals)
    assert (whole.called, whole.anywhere) == (("greet", "search"), True)


def test_a_wrong_argument_says_nothing_of_other_conversations_so_the_signals_do(signals):
    case = incident(**calls(expected=[{"name": "search", "args": {"q": "x"}}]))
    told = [
        Evidence("asks_for_person", 1, "a person", 0),
        Evidence("repeated_call", 1, "again", 1),
        Evidence("negative_feedback", None, "bad"),
        Evidence("frustration", 2, "!!!", 4),
        Evidence("refusal", 2, "no", 5),
    ]
    longer = incident(*MISROUTED, user("bad!!!"), bot("no"), expect=case.expect)
    found = failure_signal(longer, told, signals)
    assert found == FailureSignal("signals", signals=("negative_feedback", "repeated_call"))
    assert found.in_words == "negative_feedback or repeated_call"
    assert failure_signal(longer, [told[0], told[3], told[4]], signals).signals == ("frustration",)


def test_else_the_label_and_else_nothing(signals):
    told = [Evidence("asks_for_person", 1, "a person", 0)]
    found = failure_signal(incident(failure_category="quality", failure_stage="guardrail"), told, signals)
    assert found == FailureSignal("label", signals=("refusal",))
    assert failure_signal(incident(failure_category="security", failure_stage="retrieval"), told, signals) is None
    assert failure_signal(incident(), told, signals) is None


def test_a_mistake_in_the_expectation_is_told(signals):
    with pytest.raises(UserError, match="forbiden"):
        failure_signal(incident(**calls(forbiden=["x"])), [], signals)


def test_calls_show_in_the_similar_turns_only():
    sign = FailureSignal("calls", called=("search",), missing=("human",))
    once = (user("shoes?"), bot(None, ("search", "{}")), user("a person"), bot(None, ("human", "{}")))
    assert not sign.shows_in(once, {2}, [])
    assert sign.shows_in(once, {1, 2}, [])
    assert not FailureSignal("calls", called=("search",), missing=("human",), anywhere=True).shows_in(once, {1}, [])
    corrected = (user("a person"), bot(None, ("search", "{}"), ("human", "{}")))
    assert not sign.shows_in(corrected, {1}, [])


def test_signals_show_in_the_similar_turn_as_a_whole_or_in_what_the_user_says_later():
    sign = FailureSignal("signals", signals=("refusal", "frustration", "negative_feedback"))
    messages = (user("a person!!!"), bot("no"), user("!!!"), bot("no"))
    assert sign.shows_in(messages, {1}, [Evidence("refusal", 1, "no", 1)])
    assert not sign.shows_in(messages, {1}, [Evidence("refusal", 2, "no", 3)])
    assert not sign.shows_in(messages, {1}, [Evidence("frustration", 1, "!!!", 0)])
    assert sign.shows_in(messages, {1}, [Evidence("frustration", 2, "!!!", 2)])
    assert sign.shows_in(messages, {1}, [Evidence("negative_feedback", None, "bad")])
    assert not sign.shows_in(messages, {1}, [Evidence("truncated", 1, "x", 1)])


def test_the_text_is_the_failing_turns_with_the_ones_before_a_short_one_and_without_marks():
    case = incident(user("my phone [PHONE_3f6e6c3f] is broken"), bot("Oh."), user("Why, please?"), bot("So."), turn=2)
    assert case_text(case) == "my phone phone is broken Why, please?"
    assert case_text(
        incident(user("first thing"), bot("x"), user("let me talk to [NAME_00112233]"), bot("y"), turn=2)
    ) == ("let me talk to name")
    assert case_text(incident(user(None), bot("x"))) == ""
