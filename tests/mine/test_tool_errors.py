"""Which results of tools say that the call failed."""

from dataclasses import replace

import pytest

from pytest_llmreplay.model.conversation import ToolCall
from tests.mine.conftest import bot, result, talk, user


def called(returned):
    return talk(user("Where is it?"), bot(None, ("order", "{}")), result(returned), bot("I could not find out."))


@pytest.mark.parametrize(
    "returned",
    [
        '{"status": 404, "order": null}',
        '{"status":"503"}',
        '{"status": "404 Not Found"}',
        '{"status_code": 500}',
        '{"statusCode": "429"}',
        '{"http_status": 400}',
        '{"is_error": true}',
        '{"content": [], "isError":true}',
        "HTTP 503 Service Unavailable",
        "HTTP/1.1 404 Not Found",
        "http status code: 500",
        "[HTTP 429] Too many requests",
    ],
)
def test_a_result_with_a_status_or_mark_of_an_error_is_one(told, returned):
    assert list(told("tool_error", called(returned))) == ["a"]


@pytest.mark.parametrize(
    "returned",
    [
        '{"status": 4041}',
        '{"status": 200}',
        '{"status": "in 404 days"}',
        '{"status": "shipped", "number": 404}',
        '{"order_status": 404}',
        '{"is_error": false}',
        '{"is_error": null}',
        '{"is_error_prone": true}',
        "HTTP 200 OK",
        "HTTP 4041",
        "Our page on HTTP 404",
    ],
)
def test_a_result_that_only_looks_like_an_error_is_none(told, returned):
    assert told("tool_error", called(returned)) == {}


def test_a_result_that_the_log_marks_as_an_error_is_one(told):
    calls = bot(None, ("order", "{}"), ("page", "{}"))
    marked = {"failed_tool_calls": ["c1"]}
    one = talk(user("?"), calls, result("ok", "c0"), result("no such page", "c1"), bot("Done."), metadata=marked)
    for name in ("tool_error", "tool_error_ignored"):
        [found] = told(name, one)["a"]
        assert (found.message, found.text) == (3, "no such page")


def test_a_mark_of_an_error_elsewhere_in_the_metadata_is_none(told):
    noted = {"note": "failed_tool_calls", "failed_tool_calls": [], "more": {"failed_tool_calls": ["c0"]}}
    one = talk(user("?"), bot(None, ("order", "{}")), result("ok"), bot("Done."), metadata=noted)
    assert told("tool_error", one) == {}


def test_a_call_that_the_log_marks_as_failed_was_corrected_by_another_tool(told):
    calls = (
        bot(None, ("order", "{}")),
        result("denied"),
        replace(bot(None), tool_calls=(ToolCall("c1", "page", "{}"),)),
    )
    calls += (result('{"page": 1}', "c1"),)
    one = talk(user("?"), *calls, bot("Here it is."), metadata={"failed_tool_calls": ["c0"]})
    assert told("corrected_tool", talk(user("?"), *calls, bot("Here it is."))) == {}
    [found] = told("corrected_tool", one)["a"]
    assert found.call.name == "order"
