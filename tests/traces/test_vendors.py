"""`langfuse:` and `langsmith:` against a loopback server that answers as the captured samples do."""

import base64
import contextlib

import pytest

from pytest_llmreplay.model.errors import UserError
from tests.shared_data import shared
from tests.traces.problems import read
from tests.traces.vendor import TRACE, Vendor, langfuse_before, langfuse_today, langsmith, lines, serving_vendor


@pytest.fixture
def vendor(monkeypatch):
    with serving_vendor(monkeypatch) as vendor:
        yield vendor


@pytest.mark.parametrize("age", ["today", "before"])
def test_langfuse_gives_the_whole_session(vendor, age):
    if age == "today":
        (scores,) = lines("langfuse", "posted_scores.jsonl")
        vendor.answer = langfuse_today(lines("langfuse", "observations.jsonl"), scores)
    else:
        vendor.answer = langfuse_before(lines("langfuse", "traces.jsonl"))
    (expected,), _ = read(shared("samples", "langfuse", "traces.jsonl"))
    (conversation,), problems = read(f"langfuse:{TRACE}")
    assert problems == []
    assert conversation.messages == expected.messages
    assert (conversation.conversation_id, conversation.feedback) == ("sess-7d1f0c52", {"user_thumb": 0.0})
    credentials = "Basic " + base64.b64encode(b"pk:sk").decode()
    assert {headers["Authorization"] for _, _, headers in vendor.seen} == {credentials}


def test_langsmith_gives_the_whole_thread(vendor):
    runs = lines("langsmith_wrap", "runs.jsonl")
    last = next(run for run in reversed(runs) if run["run_type"] == "llm")

    vendor.answer = langsmith(runs)
    (expected,), _ = read(shared("samples", "langsmith_wrap", "runs.jsonl"))
    (conversation,), problems = read(f"langsmith:{last['id']}")
    assert problems == []
    assert conversation.messages == expected.messages
    assert conversation.input_tokens == expected.input_tokens
    assert {headers["X-Api-Key"] for _, _, headers in vendor.seen} == {"key"}


@pytest.mark.parametrize("address", ["langfuse:x", "langsmith:x"])
def test_what_goes_wrong_is_one_sentence(vendor, address, monkeypatch):
    with pytest.raises(UserError, match="knows no such"):
        read(address)
    vendor.answer = lambda *_: (401, {})
    with pytest.raises(UserError, match="refused the credentials in LANG"):
        read(address)
    vendor.answer = lambda *_: (500, {})
    with pytest.raises(UserError, match="answered with status 500"):
        read(address)
    for name in ("LANGFUSE_SECRET_KEY", "LANGSMITH_API_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(UserError, match=r"the environment variable LANG\w+ is not set"):
        read(address)
    with pytest.raises(UserError, match="names no trace"):
        read(address[:-1])


def test_a_vendor_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")
    with pytest.raises(UserError, match="LangSmith cannot be read") as caught:
        read("langsmith:x")
    assert "key" not in str(caught.value)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "file:///etc/passwd")
    with pytest.raises(UserError, match="is no web address"):
        read("langsmith:x")


@pytest.mark.parametrize("address", ["langfuse:x", "langsmith:x"])
def test_credentials_do_not_follow_a_redirect(vendor, address):
    elsewhere = Vendor()
    try:
        vendor.answer = lambda *_: (302, elsewhere.url)
        with pytest.raises(UserError, match="answered with status 302"):
            read(address)
        assert elsewhere.seen == []
    finally:
        elsewhere.close()


def test_a_busy_vendor_is_asked_again(vendor):
    whole = langfuse_before(lines("langfuse", "traces.jsonl"))
    busy = iter([429, 503, 429])

    def answer(*asked):
        status = next(busy, None)
        return (status, {}) if status else whole(*asked)

    vendor.answer = answer
    (conversation,), _ = read(f"langfuse:{TRACE}")
    assert conversation.conversation_id == "sess-7d1f0c52"
    vendor.answer = lambda *_: (429, {})
    before = len(vendor.seen)
    with pytest.raises(UserError, match="answered with status 429"):
        read(f"langfuse:{TRACE}")
    assert len(vendor.seen) - before == 4


HOSTILE = [
    *(b"", b"<html>", b"[", b"\xff\xfe", b"[" * 100_000, b"null", b"3", b"[]", b"[[[]]]", b'"text"'),
    *({"data": 3}, {"data": [3, None, []], "meta": []}, {"data": [{}], "meta": {"cursor": {}}}, {"runs": [[]]}),
    *({"id": [], "extra": {"metadata": []}, "trace_id": {}}, {"cursors": 3}, {"cursors": ["next"], "runs": {"a": 1}}),
    {"data": [{"sessionId": {"a": []}, "traceId": []}], "observations": 3, "sessionId": [3]},
]


@pytest.mark.parametrize("address", ["langfuse:x", "langsmith:x"])
@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_are_one_sentence_or_nothing(vendor, address, body):
    vendor.answer = lambda *_: (200, body)
    said = []
    with contextlib.suppress(UserError):
        said += read(address)[0]
    assert said == []


@pytest.mark.parametrize("address", ["langfuse:x", "langsmith:x"])
def test_an_answer_that_breaks_off_is_said(vendor, address):
    vendor.answer, vendor.missing_bytes = (lambda *_: (200, b'{"id": "x", "da')), 10
    with pytest.raises(UserError, match="cannot be read"):
        read(address)


@pytest.mark.parametrize("address", ["langfuse:x", "langsmith:x"])
def test_pages_without_end_are_left(vendor, address):
    page = {"id": "x", "data": [{"id": "o"}], "meta": {"cursor": "on"}, "runs": [], "cursors": {"next": "on"}}
    vendor.answer = lambda *_: (200, page)
    with pytest.raises(UserError, match="gave more than 100 pages"):
        read(address)


@pytest.mark.parametrize("name", ["LANGFUSE_SECRET_KEY", "LANGSMITH_API_KEY"])
def test_a_key_with_a_line_break_in_it_is_not_shown(vendor, monkeypatch, name):
    monkeypatch.setenv(name, "top\nsecret")
    with pytest.raises(UserError, match=f"{name} holds characters that no key has") as caught:
        read("langfuse:x" if "FUSE" in name else "langsmith:x")
    assert "secret" not in str(caught.value).replace("SECRET", "")
    assert vendor.seen == []
