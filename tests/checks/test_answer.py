"""Checks on the answer's text."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model.expectation import parse_expectation
from tests.checks.build import made, says, trial, turn

ANSWER = "We are open from 9am to 5pm.\nCall us!"


def reasons(answer, tools=None, /, **expected):
    expectation = parse_expectation({"answer": expected})
    return check_trajectory(expectation, trial(turn(says(text=answer))), None)


def codes(answer, /, **expected):
    report = reasons(answer, **expected)
    return [reason.code for reason in (*report.failures, *report.unmeasured)]


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"equals": ANSWER}, []),
        ({"equals": "We are open"}, ["answer_differs"]),
        ({"contains_any": ["9am", "9:00"]}, []),
        ({"contains_any": "9am"}, []),
        ({"contains_any": ["8am", "8:00"]}, ["missing_text"]),
        ({"contains_all": ["9am", "5pm"]}, []),
        ({"contains_all": ["9am", "6pm", "7pm"]}, ["missing_text", "missing_text"]),
        ({"not_contains": ["sorry"]}, []),
        ({"not_contains": ["sorry", "Call"]}, ["unwanted_text"]),
        ({"not_contains": "call"}, []),
        ({"not_contains": "call", "text": {"casefold": True}}, ["unwanted_text"]),
        ({"regex": r"\d+am"}, []),
        ({"regex": ["open", "closed"]}, ["missing_text"]),
        ({"regex": "^call", "text": {"casefold": True}}, ["missing_text"]),
        ({"regex": "(?m)^call", "text": {"casefold": True}}, []),
        ({"not_regex": "as an AI"}, []),
        ({"not_regex": r"\bopen\b"}, ["unwanted_text"]),
        ({"max_chars": len(ANSWER)}, []),
        ({"max_chars": 10}, ["too_long"]),
        ({"contains_all": ["5pm. Call"], "text": {"collapse_ws": True}}, []),
        ({"contains_all": ["5pm. Call"]}, ["missing_text"]),
        ({"equals": f"  {ANSWER}\n", "text": {"trim": True}}, []),
        ({"contains_any": ["9am"], "max_chars": 5, "not_regex": "open"}, ["unwanted_text", "too_long"]),
    ],
)
def test_texts(expected, found):
    assert codes(ANSWER, **expected) == found


def test_unicode_compares_in_nfc():
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    assert codes(f"The {decomposed}", contains_any=[composed]) == []
    assert codes(f"The {composed}", contains_all=[decomposed], regex=decomposed, max_chars=8) == []
    assert codes(composed, equals=decomposed) == []
    assert codes(f"The {decomposed}", not_contains=composed) == ["unwanted_text"]


SCHEMA = {"type": "object", "properties": {"hours": {"type": "string"}}, "required": ["hours"]}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"hours": "9-5"}', []),
        ('{"hours": 9}', ["schema_error"]),
        ("{}", ["schema_error"]),
        ("9-5", ["not_json"]),
        ("[" * 100000, ["not_json"]),
    ],
)
def test_json_schema(answer, found):
    assert codes(answer, json_schema=SCHEMA) == found


def test_a_schema_that_cannot_be_followed_is_unmeasured():
    report = reasons("{}", json_schema={"$ref": "https://example.com/x.json"})
    assert not report.failures
    assert [reason.code for reason in report.unmeasured] == ["bad_json_schema"]


@pytest.mark.parametrize("answer", [None, "", "  \n"])
def test_a_turn_that_ended_without_text_fails_also_what_only_forbids__empty_answers_pass_elsewhere(answer):
    """`not contains` on an empty answer passes elsewhere: nothing was said, so nothing was said wrong."""
    assert codes(answer, not_contains=["sorry"]) == ["empty_answer"]
    assert codes(answer, not_regex="x", max_chars=10) == ["empty_answer"]


def test_a_turn_that_ended_in_a_call_has_no_answer():
    expectation = parse_expectation({"answer": {"max_chars": 10}})
    report = check_trajectory(expectation, trial(turn(says(made("f")))), None)
    assert [reason.code for reason in report.failures] == ["empty_answer"]


@pytest.mark.parametrize("stop", ["unrecorded", "max_steps"])
def test_an_answer_that_was_never_given_because_the_replay_stopped_is_unmeasured(stop):
    expectation = parse_expectation({"answer": {"contains_any": ["x"]}})
    for trajectory in (trial(turn(says(made("f"), text="x"), stop=stop)), trial(turn(says(text="x")), failing=2)):
        report = check_trajectory(expectation, trajectory, None)
        assert not report.failures
        assert [reason.code for reason in report.unmeasured] == ["no_answer"]


def test_reasons_say_what_was_looked_for_and_what_was_there():
    (reason,) = reasons(ANSWER, contains_any=["8am", "8:00"]).failures
    assert reason.check == "answer"
    assert reason.path == "contains_any"
    assert reason.expected == "'8am', '8:00'"
    assert reason.actual == repr(ANSWER)
    (reason,) = reasons("x" * 5000 + "\x1b[31m!", equals="x" * 5000 + "?").failures
    assert len(reason.message) < 400
    assert "\\x1b" in reason.message
    assert "\x1b" not in reason.message
