"""What a red test shows: typed reprs, a short difference, at most a screen, nothing that a terminal obeys."""

from __future__ import annotations

import pytest

from pytest_llmreplay.checks import match_calls
from pytest_llmreplay.checks.called import read_calls
from pytest_llmreplay.checks.messages import screen
from pytest_llmreplay.checks.shown import call_text, excerpts, safe, typed
from tests.checks.build import made, wants


def messages(actual, expected):
    return [reason.message for reason in match_calls(actual, expected).failures]


@pytest.mark.parametrize(
    ("actual", "expected", "message"),
    [
        (made("f", id=42), wants("f", id="42"), "f: id is 42 (integer), expected '42'"),
        (made("f", id=True), wants("f", id=1), "f: id is True (boolean), expected 1"),
        (made("f", id="a"), wants("f", id={"one_of": ["b", "c"]}), "f: id is 'a', expected one_of('b', 'c')"),
        (made("f", o={"k": [1, "x"]}), wants("f", o={"k": [1, "y"]}), "f: o.k[1] is 'x', expected 'y'"),
        (made("f"), wants("f", id="42"), "f: id is missing, expected '42'"),
        (made("f", x=1), wants("f"), "f: x is not expected, got 1"),
        (made("f", id="x"), wants("f", id={"regex": "^y"}), "f: id is 'x', expected regex('^y')"),
        (
            made("f", n=5),
            wants("f", n={"equals": 3, "approx": {"abs": 1}}),
            "f: n is 5, expected approx(3, abs=1, rel=0)",
        ),
    ],
)
def test_one_line_says_what_was_and_what_should_have_been(actual, expected, message):
    assert messages([actual], [expected]) == [message]


def test_another_tool():
    assert messages([made("search", q="hours")], [wants("get_hours", day={"any": True})]) == [
        "another tool was called\n  expected get_hours(day=any)\n  actual   search(q='hours')"
    ]


def test_a_missing_call_says_what_was_called_instead():
    (message,) = messages([made("a"), made("b", x=1)], [wants("c", y=2)])
    assert message == "c(y=2) was not called\n  called: a(); b(x=1)"
    assert messages([], [{"name": "c"}]) == ["c(…) was not called\n  nothing was called"]


def test_long_texts_show_the_place_where_they_part():
    left, right = "a" * 3000 + "left" + "z" * 3000, "a" * 3000 + "right" + "z" * 3000
    (message,) = messages([made("f", text=left)], [wants("f", text=right)])
    head, expected, actual = message.split("\n")
    assert head == "f: text differs"
    assert "aright" in expected
    assert "aleft" in actual
    assert max(map(len, (head, expected, actual))) < 120


def test_excerpts_of_a_text_and_its_beginning():
    left, right = excerpts("a" * 500, "a" * 400, 60)
    assert left != right or "…" in left
    assert len(left) <= 60
    assert len(right) <= 60


def test_a_thousand_wrong_calls_fit_on_a_screen():
    actual = [made(f"tool_{i}", text="x" * 500) for i in range(300)]
    expected = {"order": "any_order", "expected": [wants(f"other_{i}", text="y" * 500) for i in range(200)]}
    result = match_calls(actual, expected)
    shown = screen([f"other_{i}()" for i in range(200)], read_calls(actual), result.failures)
    lines = shown.split("\n")
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 130
    assert "more" in lines[-1]
    assert len(result.failures) == 200 + 300


def test_nothing_that_a_terminal_obeys_comes_through():
    hostile = "x\x1b[2J\u202e\r\n\x07\ud800"
    actual = [made(hostile, **{hostile: hostile})]
    result = match_calls(
        actual, {"order": "strict", "expected": [wants("f", a=1)], "schema": True}, tools=[{"name": "g"}]
    )
    shown = screen(["f(a=1)"], read_calls(actual), [*result.failures, *result.unmeasured])
    assert all(line.isprintable() for line in shown.split("\n"))
    assert "\\x1b" in shown
    shown.encode("utf-8")


def test_typed_and_safe():
    assert typed("42") == "'42'"
    assert typed(42) == "42"
    assert typed(10**5000).startswith("<int: ")
    assert safe("plain name") == "plain name"
    assert safe("a\x00b") == "a\\x00b"
    assert call_text("f", {"a": "x", "b": None}) == "f(a='x', b=None)"
    assert call_text("f", "raw") == "f('raw')"
    assert call_text("f", None) == "f()"
