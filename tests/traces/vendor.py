"""A loopback server that answers as the APIs of Langfuse and LangSmith do."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.shared_data import shared

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

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def serving_vendor(monkeypatch) -> Iterator[Vendor]:
    """A server that the vendors' own environment variables name."""
    vendor = Vendor()
    monkeypatch.setenv("LANGFUSE_BASE_URL", vendor.url)
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", vendor.url)
    monkeypatch.setenv("LANGSMITH_API_KEY", "key")
    try:
        yield vendor
    finally:
        vendor.close()


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


def langsmith(runs):
    def answer(method, path, query, body):
        for run in runs:
            if path == f"/runs/{run['id']}":
                return 200, run
        if path == "/runs/query" and "trace" in body:
            return 200, {"runs": [run for run in runs if run["trace_id"] == body["trace"]], "cursors": {"next": None}}
        if path == "/runs/query":
            assert body["session"] == [runs[0]["session_id"]]
            assert 'eq(metadata_value, "sess-7d1f0c52")' in body["filter"]
            start = body.get("cursor", 0)
            following = start + 4 if start + 4 < len(runs) else None
            return 200, {"runs": runs[start : start + 4], "cursors": {"next": following}}
        return 404, {}

    return answer
