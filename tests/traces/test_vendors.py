"""`langfuse:` and `langsmith:` against a loopback server that answers as the captured samples do."""

import base64
import contextlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_llmreplay.model.errors import UserError
from tests.shared_data import shared
from tests.traces.problems import read

TRACE = "15a66dae403f752734cf3c2eb6170b22"


class Vendor:
    """A server whose answers a test sets: a function from method, path, query and body to status and JSON."""

    def __init__(self):
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def _answer(self, body):
                url = urllib.parse.urlsplit(self.path)
                vendor.seen.append((self.command, url.path, dict(self.headers)))
                status, value = vendor.answer(self.command, url.path, dict(urllib.parse.parse_qsl(url.query)), body)
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                if status in (301, 302):
                    self.send_header("Location", value)
                if status == 429:
                    self.send_header("Retry-After", "0")
                self.send_header("Content-Length", str(len(data) + vendor.missing_bytes))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self._answer(None)

            def do_POST(self):
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self.seen = []
        self.missing_bytes = 0
        self.answer = lambda *_: (404, {})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def vendor(monkeypatch):
    vendor = Vendor()
    monkeypatch.setenv("LANGFUSE_BASE_URL", vendor.url)
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", vendor.url)
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")
    yield vendor
    vendor.server.shutdown()
    vendor.server.server_close()


def lines(*parts):
    return [json.loads(line) for line in shared("samples", *parts).read_text(encoding="utf-8").splitlines()]


def langfuse_today(observations, scores):
    def answer(method, path, query, body):
        if path == "/api/public/v2/observations":
            rows = [
                row
                for row in observations
                if query.get("traceId", row["traceId"]) == row["traceId"]
                and query.get("sessionId", row["sessionId"]) == row["sessionId"]
            ]
            start = int(query.get("cursor", 0))
            page = [{**row, "input": json.dumps(row["input"])} for row in rows[start : start + 3]]
            following = {"cursor": str(start + 3)} if start + 3 < len(rows) else {}
            return 200, {"data": page, "meta": following}
        if path == "/api/public/v3/scores":
            return 200, {"data": [score for score in scores if score["traceId"] == query["traceId"]], "meta": {}}
        return 404, {}

    return answer


def langfuse_before(traces):
    def answer(method, path, query, body):
        for trace in traces:
            if path == f"/api/public/traces/{trace['id']}":
                return 200, trace
        if path == "/api/public/sessions/sess-7d1f0c52":
            return 200, {"id": "sess-7d1f0c52", "traces": [{"id": trace["id"]} for trace in traces]}
        return 404, {}

    return answer


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

    def answer(method, path, query, body):
        if path == f"/runs/{last['id']}":
            return 200, last
        if path == "/runs/query" and "trace" in body:
            return 200, {"runs": [run for run in runs if run["trace_id"] == body["trace"]], "cursors": {"next": None}}
        if path == "/runs/query":
            assert body["session"] == [last["session_id"]]
            assert 'eq(metadata_value, "sess-7d1f0c52")' in body["filter"]
            start = body.get("cursor", 0)
            following = start + 4 if start + 4 < len(runs) else None
            return 200, {"runs": runs[start : start + 4], "cursors": {"next": following}}
        return 404, {}

    vendor.answer = answer
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
        elsewhere.server.shutdown()
        elsewhere.server.server_close()


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
