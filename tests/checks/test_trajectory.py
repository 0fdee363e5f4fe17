"""Scopes, and replays that stopped before their end."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model.conversation import Message, calls_of
from pytest_llmreplay.model.expectation import parse_expectation
from tests.checks.build import made, result, says, tool, trial, turn, wants

A, B, C, D = made("a"), made("b"), made("c"), made("d")


def check(trajectory, tools=None, **calls):
    return check_trajectory(parse_expectation({"calls": calls}), trajectory, tools)


def codes(report):
    return [r.code for r in report.failures], [r.code for r in report.unmeasured]


def expects(*names, **more):
    return {"expected": [wants(name) for name in names], **more}


def test_scope_step_is_the_first_assistant_message_of_the_failing_turn():
    trajectory = trial(turn(says(A, B), result(), result(), says(C), result(), says(text="done")))
    assert codes(check(trajectory, **expects("a", "b", order="any_order", scope="step"))) == ([], [])
    assert codes(check(trajectory, **expects("c", scope="step"))) == (["missing_call"], [])


def test_scope_turn_is_the_failing_turn_whatever_other_turns_were_replayed():
    trajectory = trial(turn(says(A)), turn(says(B), says(C), number=2), turn(says(D), number=3), failing=2)
    assert codes(check(trajectory, **expects("b", "c", order="strict"))) == ([], [])
    assert codes(check(trajectory, **expects("a"))) == (["missing_call"], [])


def test_scope_conversation_is_history_and_every_replayed_turn():
    history = (Message("user", "hi"), says(A, B), result(), result(), says(text="ok"))
    trajectory = trial(
        turn(says(C), number=2, history=history), turn(says(D), number=3), failing=2, recorded=calls_of(history)
    )
    expected = expects("a", "b", "c", "d", order="strict", scope="conversation")
    assert codes(check(trajectory, **expected)) == ([], [])
    # The recorded calls keep their messages, so those that were parallel stay unordered.
    swapped = expects("b", "a", "c", "d", order="strict", scope="conversation")
    assert codes(check(trajectory, **swapped)) == ([], [])
    assert codes(check(trajectory, **swapped, parallel="ordered")) == (["wrong_order"], [])


def test_worked_examples_before_the_history_are_no_recorded_calls():
    examples = (Message("user", "example"), says(D), says(A))
    history = (*examples, Message("user", "hi"), says(A), result())
    trajectory = trial(turn(says(C), number=2, history=history), failing=2, recorded=calls_of([says(A)]))
    expected = expects("a", "c", order="strict", scope="conversation")
    assert codes(check(trajectory, **expected)) == ([], [])


def test_recorded_calls_that_the_history_does_not_show_are_taken_one_by_one():
    trajectory = trial(turn(says(C), number=2), failing=2, recorded=calls_of([says(A, B)]))
    assert codes(check(trajectory, **expects("a", "b", "c", order="strict", scope="conversation"))) == ([], [])
    wrong = check(trajectory, **expects("b", "a", "c", order="strict", scope="conversation"))
    assert codes(wrong) == (["wrong_order"], [])


def test_parallel_calls_are_those_of_one_message():
    together, apart = trial(turn(says(B, A))), trial(turn(says(B), result(), says(A)))
    expected = expects("a", "b", order="strict")
    assert codes(check(together, **expected)) == ([], [])
    assert codes(check(apart, **expected)) == (["wrong_order"], [])


def test_matched_says_for_every_expected_call_whether_one_was_assigned():
    report = check(trial(turn(says(A, C))), **expects("a", "b", "c"))
    assert report.matched == (True, False, True)
    assert report.diagnostics["recall"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("stop", ["unrecorded", "max_steps"])
def test_stopped_at_an_expected_call_what_is_missing_is_unmeasured(stop):
    trajectory = trial(turn(says(A), stop=stop))
    report = check(trajectory, **expects("a", "b"))
    assert codes(report) == ([], ["not_reached"])
    assert report.unmeasured[0].path == "expected[1]"
    assert report.matched == (True, False)


@pytest.mark.parametrize("stop", ["unrecorded", "max_steps"])
def test_stopped_at_a_call_that_nobody_expected_what_is_missing_has_failed(stop):
    trajectory = trial(turn(says(A), result(), says(C), stop=stop))
    failures, unmeasured = codes(check(trajectory, **expects("a", "b")))
    assert failures == ["wrong_name"]
    assert unmeasured == []


def test_stopped_with_everything_expected_passes():
    assert codes(check(trial(turn(says(A), stop="unrecorded")), **expects("a"))) == ([], [])


def test_the_same_turn_that_ended_by_itself_fails():
    assert codes(check(trial(turn(says(A), result(), says(text="done"))), **expects("a", "b"))) == (
        ["missing_call"],
        [],
    )


def test_of_parallel_calls_only_those_that_nothing_answered_stopped_the_replay():
    stopped = turn(says(A, C), stop="unrecorded")
    assert codes(check(trial(stopped, unrecorded=[A]), **expects("a", "b"))) == ([], ["not_reached"])
    assert codes(check(trial(stopped, unrecorded=[C]), **expects("a", "b")))[0] == ["wrong_name"]
    assert codes(check(trial(stopped), **expects("a", "b")))[0] == ["wrong_name"]


def test_stopped_with_an_extra_call_before_fails_only_where_extra_calls_do():
    trajectory = trial(turn(says(C), result(), says(A), stop="unrecorded"))
    assert codes(check(trajectory, **expects("a", "b"))) == ([], ["not_reached"])
    assert codes(check(trajectory, **expects("a", "b", order="any_order"))) == (["extra_call"], ["not_reached"])
    assert codes(check(trajectory, **expects("a", "b", order="in_order"))) == ([], ["not_reached"])


def test_a_call_of_the_same_tool_that_may_be_there_is_no_failed_attempt_while_the_right_one_may_still_come():
    attempts = says(made("a", n=9)), result(), says(made("a", n=1))
    expected = [wants("a", n=1), wants("a", n=2)]
    stopped = check(trial(turn(*attempts, stop="unrecorded")), expected=expected)
    assert codes(stopped) == ([], ["not_reached"])
    ended = check(trial(turn(*attempts, result(), says(text="done"))), expected=expected)
    assert codes(ended) == (["value_error"], [])


def test_strict_stopped_is_a_prefix_or_a_failure():
    prefix = trial(turn(says(A), stop="unrecorded"))
    assert codes(check(prefix, **expects("a", "b", order="strict"))) == ([], ["not_reached"])
    later = trial(turn(says(B), stop="unrecorded"))
    assert codes(check(later, **expects("a", "b", order="strict"))) == (["wrong_order"], ["not_reached"])


def test_stopped_at_a_call_with_other_arguments_fails():
    trajectory = trial(turn(says(made("a", n=2)), stop="unrecorded"))
    report = check(trajectory, expected=[wants("a", n=1)])
    assert codes(report) == (["value_error"], [])


def test_a_tool_that_must_be_called_is_an_expected_call_too():
    trajectory = trial(turn(says(A), stop="unrecorded"))
    assert codes(check(trajectory, called={"a": 2})) == ([], ["not_reached"])
    assert codes(check(trajectory, called={"b": 1})) == (["too_few_calls"], [])
    assert codes(check(trajectory, called={"a": {"max": 0}})) == (["too_many_calls"], [])


def test_forbidden_and_unexpected_writes_fail_also_when_the_replay_stopped_there():
    tools = [tool("a", "read"), tool("b", "read"), tool("c", "write")]
    stopped = trial(turn(says(A), result(), says(C), stop="unrecorded"))
    assert codes(check(stopped, tools, **expects("a"), forbidden=["c"])) == (["forbidden_call"], [])
    assert codes(check(stopped, tools, **expects("a"))) == (["unexpected_write"], [])


def test_scope_step_is_whole_wherever_the_replay_stopped():
    trajectory = trial(turn(says(A), stop="unrecorded"))
    assert codes(check(trajectory, **expects("a", "b", scope="step"))) == (["missing_call"], [])
    nothing = trial(turn(stop="unrecorded"))
    assert codes(check(nothing, **expects("a", scope="step"))) == ([], ["not_reached"])


@pytest.mark.parametrize("scope", ["step", "turn"])
@pytest.mark.parametrize("calls", [expects("a"), {"order": "none"}, {"forbidden": ["a"]}])
def test_a_failing_turn_that_was_never_reached_is_unmeasured_and_not_green(scope, calls):
    report = check(trial(turn(says(B), stop="unrecorded"), failing=2), **calls, scope=scope)
    assert codes(report) == ([], ["not_reached"])
    assert report.matched == (False,) * len(calls.get("expected", ()))


def test_a_conversation_that_stopped_early_is_judged_by_its_calls():
    stopped = trial(turn(says(A), stop="unrecorded"), failing=2)
    assert codes(check(stopped, **expects("a", "b", scope="conversation"))) == ([], ["not_reached"])
    ended = trial(turn(says(A), says(text="bye")), failing=2)
    assert codes(check(ended, **expects("a", "b", scope="conversation"))) == (["missing_call"], [])
    assert codes(check(trial(failing=1), **expects("a", scope="conversation"))) == ([], ["not_reached"])


def test_stale_beside_what_still_can_be_said():
    tools = [tool("a")]
    trajectory = trial(turn(says(A), says(text="I am sorry")))
    expectation = parse_expectation({"calls": expects("gone"), "answer": {"not_contains": "sorry"}})
    report = check_trajectory(expectation, trajectory, tools)
    assert codes(report) == (["unwanted_text"], ["stale_tool"])


def test_writes_after_the_first_step_are_counted_though_not_judged():
    tools = [tool("a", "read"), tool("c", "write")]
    trajectory = trial(turn(says(A), result(), says(C), says(text="done")))
    report = check(trajectory, tools, **expects("a", scope="step"))
    assert codes(report) == ([], [])
    assert report.diagnostics["writes_outside_scope"] == 1.0


def test_a_rubric_alone_is_left_to_the_judge():
    report = check_trajectory(parse_expectation({"rubric": {"file": "r.yaml"}}), trial(turn(says(text="x"))), None)
    assert report.failures == report.unmeasured == report.matched == ()


def test_everything_is_told_at_once():
    expectation = parse_expectation(
        {"calls": expects("a"), "answer": {"contains_any": ["x"], "max_chars": 1}, "limits": {"tool_calls": 0}}
    )
    report = check_trajectory(expectation, trial(turn(says(B), says(text="yy"))), None)
    assert [(r.check, r.code) for r in report.failures] == [
        ("calls", "wrong_name"),
        ("answer", "missing_text"),
        ("answer", "too_long"),
        ("limits", "limit_exceeded"),
    ]
