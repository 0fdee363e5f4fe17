import json

import pytest

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message, Step, Tool, ToolCall
from pytest_llmreplay.promote import StoppedError, SuiteIndex, bites, production_report, proposals, prove

TOOLS = (Tool("order", parameters='{"type": "object"}'), Tool("search", parameters='{"type": "object"}'))


def case(*turn, expect=None, tools=TOOLS, kind="incident", **columns):
    messages = (Message("user", "where is order 4417?"), *turn)
    return Case("c", "s", kind, "draft", messages, 1, tools=tools, expect=expect or {}, **columns)


def call(name, **arguments):
    return Message("assistant", tool_calls=(ToolCall("1", name, json.dumps(arguments)),))


def result(text):
    return Message("tool", text, tool_call_id="1")


ANSWER = Message("assistant", "It was sent.")


def test_the_expectation_is_checked_on_what_production_did():
    expect = {"calls": {"expected": [{"name": "order", "args": {"id": 1}}]}}
    assert production_report(case(call("search"), result("{}"), ANSWER, expect=expect)).failures
    assert not production_report(case(call("order", id=1), result("{}"), ANSWER, expect=expect)).failures


def test_a_control_may_pass_on_production_and_an_incident_may_not():
    expect = {"answer": {"contains_any": ["sent"]}}
    with pytest.raises(StoppedError, match="guard against nothing"):
        prove(allow_passing=False)(case(ANSWER, expect=expect))
    proven = prove(allow_passing=False)(case(ANSWER, expect=expect, kind="control"))
    assert proven.metadata["proof"]["production"] == {"fails": False}


def test_an_expectation_that_only_a_judge_can_apply_proves_nothing():
    with pytest.raises(StoppedError, match="does not fail on what production did"):
        prove(allow_passing=False)(case(ANSWER, expect={"rubric": {"file": "r.yaml"}}))


@pytest.mark.parametrize(
    ("expect", "survivors"),
    [
        ({"calls": {"order": "strict", "expected": [{"name": "order", "args": {"id": 1}}]}}, ["empty answer"]),
        (
            {"calls": {"expected": [{"name": "order", "args": {"id": {"any": True}}}]}, "answer": {"contains_any": ["sent"]}},
            ["order: id changed", "search added"],
        ),
        ({"calls": {"forbidden": ["search"]}}, ["order added", "empty answer"]),
        ({"answer": {"regex": "^sent$", "max_chars": 9}}, None),
    ],
)  # fmt: skip
def test_survivors_are_the_mutants_that_the_expectation_lets_pass(expect, survivors):
    found = bites(case(ANSWER, expect=expect))
    if survivors is None:
        assert found["no_mutants"]
    else:
        assert found["survivors"] == survivors
        assert found["mutants"] > len(survivors)


@pytest.mark.parametrize(
    ("turn", "columns", "rule"),
    [
        ((call("nothing_such"), result("{}"), ANSWER), {}, "unknown tool"),
        ((call("order"), result('{"error": "timeout"}'), ANSWER), {}, "tool error ignored"),
        ((call("order", id=1), result("{}"), call("order", id=1), result("{}"), ANSWER), {}, "repeated call"),
        ((Message("assistant", " "),), {}, "empty answer"),
        ((call("order"), result('{"success": false}'), ANSWER), {}, "tool error ignored"),
        ((Message("assistant", "I'm sorry, but I cannot help with that."),), {}, "refusal"),
        ((Message("assistant", "Dabei kann ich Ihnen leider nicht helfen."),), {}, "refusal"),
        ((ANSWER,), {"metadata": {"feedback": {"thumb": "down"}}}, "negative feedback"),
        (
            (ANSWER,),
            {"steps": (Step(1, "retrieval", "docs", output="opening hours monday friday morning"),)},
            "retrieved documents ignored",
        ),
    ],
)
def test_a_rule_proposes_a_label_with_its_evidence(turn, columns, rule):
    found = {label.rule: label.evidence for label in proposals(case(*turn, **columns))}
    assert found[rule]


def test_a_schema_error_is_named():
    tools = (Tool("order", parameters='{"type": "object", "required": ["id"]}'),)
    assert [label.rule for label in proposals(case(call("order"), result("{}"), ANSWER, tools=tools))] == [
        "schema error"
    ]


def test_a_conversation_in_which_nothing_went_wrong_gets_no_label():
    assert not list(proposals(case(call("order", id=1), result('{"error": null}'), ANSWER)))


def test_an_error_that_the_answer_speaks_of_is_not_ignored():
    told = Message("assistant", "Leider gab es einen Fehler, ich versuche es gleich noch einmal.")
    assert not list(proposals(case(call("order"), result("HTTP error 503"), told)))


def test_a_duplicate_is_the_same_words_of_the_user_up_to_the_failing_turn():
    index = SuiteIndex.of([case(ANSWER)])
    other = Case("d", "s", "incident", "draft", (Message("user", "Where is ORDER 4417!"), Message("user", "more")), 1)
    assert index.duplicate_of(other) == ("c", "exact", 1.0)
    assert index.duplicate_of(Case("e", "s", "incident", "draft", (Message("user", "good morning"),), 1)) is None
