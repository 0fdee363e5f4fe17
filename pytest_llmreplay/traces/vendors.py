"""Traces read from a vendor's API before any export has run: `langfuse:TRACE_ID` and `langsmith:RUN_ID`.

The addresses and credentials come from the vendors' own environment variables. A trace that belongs to a session brings
the other traces of the session with it, since a conversation is more than its last turn.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import fields
from pytest_llmreplay.traces.json_value import MAX_RECORD_BYTES, parse
from pytest_llmreplay.traces.jsonable import as_float

_SECONDS = 30.0
_PAGES = 100
_ATTEMPTS = 4
_LONGEST_PAUSE = 20.0
_BUSY = (429, 502, 503)
_LANGFUSE_FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
_LANGSMITH_THREADS = ("session_id", "conversation_id", "thread_id")


def fetched(address: str) -> IO[bytes]:
    """A file without a name that holds what the vendor knows of a trace, one JSON value a line.

    Raises:
        UserError: credentials are missing or refused, there is no such trace, or the vendor cannot be reached.
    """
    scheme, _, identifier = address.partition(":")
    if not identifier:
        raise UserError("names no trace", file=address)
    rows = _langfuse(identifier, address) if scheme == "langfuse" else _langsmith(identifier, address)
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the source that reads it
    for row in rows:
        copy.write(json.dumps(row).encode("ascii") + b"\n")
    copy.flush()
    return copy


@dataclass(frozen=True, slots=True)
class _Api:
    """One vendor's API; `headers` hold the credentials, which go nowhere else."""

    name: str
    base: str
    headers: Mapping[str, str]
    variables: str

    def get(self, path: str, **query: str) -> Any:
        """What is there; None when there is nothing (404)."""
        asked = urllib.parse.urlencode(query)
        return self._send(urllib.request.Request(f"{self.base}/{path}" + (f"?{asked}" if asked else "")))  # noqa: S310

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a query."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/{path}", data=data, method="POST")  # noqa: S310
        request.add_header("Content-Type", "application/json")
        return self._send(request)

    def _send(self, request: urllib.request.Request) -> Any:
        for name, value in self.headers.items():
            request.add_unredirected_header(name, value)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with _OPENER.open(request, timeout=_SECONDS) as response:
                    return parse(response.read(MAX_RECORD_BYTES))
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code not in _BUSY or attempt == _ATTEMPTS:
                    raise self._refused(error.code) from error
                time.sleep(_pause(error.headers.get("Retry-After"), attempt))
            except (OSError, ValueError, http.client.HTTPException) as error:
                raise UserError(f"{self.name} cannot be read: {error}", file=self.base) from error
        raise AssertionError("the last attempt returns or raises")

    def _refused(self, status: int) -> UserError:
        if status in (401, 403):
            return UserError(f"{self.name} refused the credentials in {self.variables}", file=self.base)
        return UserError(f"{self.name} answered with status {status}", file=self.base)

    def pages(self, ask: Callable[[Any], Any], cursor: str) -> Iterator[Any]:
        """Page after page: `ask` gets what stands at `cursor` in the page before, None for the first one.

        Raises:
            UserError: there is no end to them.
        """
        following: Any = None
        for _ in range(_PAGES):
            page = ask(following)
            yield page
            following = fields.first(page, cursor)
            if not following:
                return
        raise UserError(f"{self.name} gave more than {_PAGES} pages", file=self.base)


def _pause(retry_after: str | None, attempt: int) -> float:
    """Seconds to wait before asking again: as the server says, else a little longer each time."""
    asked = as_float(retry_after)
    return min(_LONGEST_PAUSE, max(0.0, asked if asked is not None else 2.0**attempt / 2))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Credentials are for the address that was configured, and for no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect())


def _base(*variables: str, default: str) -> str:
    base = next((os.environ[name] for name in variables if os.environ.get(name)), default).rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise UserError("is no web address", key=variables[0], value=base)
    return base


def _secret(name: str, address: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UserError(f"the environment variable {name} is not set", file=address)
    value = value.strip()
    if not (value.isascii() and value.isprintable()):
        raise UserError(f"the environment variable {name} holds characters that no key has", file=address)
    return value


def _langfuse(trace_id: str, address: str) -> Iterator[Any]:
    keys = f"{_secret('LANGFUSE_PUBLIC_KEY', address)}:{_secret('LANGFUSE_SECRET_KEY', address)}"
    headers = {"Authorization": "Basic " + base64.b64encode(keys.encode()).decode()}
    base = _base("LANGFUSE_BASE_URL", "LANGFUSE_HOST", default="https://cloud.langfuse.com")
    api = _Api("Langfuse", f"{base}/api/public", headers, "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
    rows = list(_observations(api, traceId=trace_id))
    session = next((row["sessionId"] for row in rows if row.get("sessionId")), None)
    if session:
        rows = list(_observations(api, sessionId=str(session)))
    if not rows:
        yield from _older_langfuse(api, trace_id, address)
        return
    yield from rows
    for trace in dict.fromkeys(str(row["traceId"]) for row in rows if row.get("traceId")):
        for path in ("v3/scores", "v2/scores"):
            page = api.get(path, traceId=trace, limit="100")
            if page is not None:
                yield from _rows(page, "data")
                break


def _observations(api: _Api, **query: str) -> Iterator[dict[str, Any]]:
    def ask(cursor: Any) -> Any:
        more = {"cursor": str(cursor)} if cursor else {}
        return api.get("v2/observations", fields=_LANGFUSE_FIELDS, limit="1000", **query, **more)

    for page in api.pages(ask, "meta.cursor"):
        yield from _rows(page, "data")


def _older_langfuse(api: _Api, trace_id: str, address: str) -> Iterator[Any]:
    """Servers before version 4 know whole traces, with their observations and scores."""
    trace = api.get(f"traces/{urllib.parse.quote(trace_id, safe='')}")
    if not isinstance(trace, Mapping):
        raise UserError("Langfuse knows no such trace", file=address)
    session = trace.get("sessionId")
    others = api.get(f"sessions/{urllib.parse.quote(str(session), safe='')}") if session else None
    yield trace
    for other in _rows(others, "traces"):
        if other.get("id") and other["id"] != trace_id:
            whole = api.get(f"traces/{urllib.parse.quote(str(other['id']), safe='')}")
            if isinstance(whole, Mapping):
                yield whole


def _langsmith(run_id: str, address: str) -> Iterator[Any]:
    headers = {"x-api-key": _secret("LANGSMITH_API_KEY", address)}
    base = _base("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT", default="https://api.smith.langchain.com")
    api = _Api("LangSmith", base, headers, "LANGSMITH_API_KEY")
    run = api.get(f"runs/{urllib.parse.quote(run_id, safe='')}")
    if not isinstance(run, Mapping):
        raise UserError("LangSmith knows no such run", file=address)
    thread = fields.text(fields.first(run, "extra.metadata"), *_LANGSMITH_THREADS)
    yield from _runs(api, {"trace": run.get("trace_id") or run_id})
    if thread is not None and run.get("session_id"):
        keys = json.dumps(list(_LANGSMITH_THREADS))
        same = f"and(in(metadata_key, {keys}), eq(metadata_value, {json.dumps(thread)}))"
        yield from _runs(api, {"session": [run["session_id"]], "filter": same})


def _runs(api: _Api, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    def ask(cursor: Any) -> Any:
        return api.post("runs/query", {**query, **({"cursor": cursor} if cursor else {})})

    for page in api.pages(ask, "cursors.next"):
        yield from _rows(page, "runs")


def _rows(page: Any, key: str) -> list[dict[str, Any]]:
    rows = page.get(key) if isinstance(page, Mapping) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
