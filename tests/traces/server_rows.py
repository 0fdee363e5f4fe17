"""What a vendor's server makes of the spans that its SDK sent: rows of its API and of its data frame."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

from pytest_llmreplay.traces.formats import otlp
from pytest_llmreplay.traces.spans import Place

_INDEX = re.compile(r"^(.*?)\.(\d+)(?:\.(.*))?$")


def spans_of(text: str) -> Iterator[otlp.RawSpan]:
    """The spans in a file of OTLP lines."""
    for line in filter(None, text.splitlines()):
        for item in otlp.unread(json.loads(line)):
            span = otlp.raw(item, Place("x", "x", 1))
            assert isinstance(span, otlp.RawSpan)
            yield span


def iso(seconds: float | None) -> str | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def phoenix_rows(text: str) -> list[dict[str, Any]]:
    """Spans as the client of Phoenix lists them."""
    return [
        {
            "name": span.name,
            "context": {"trace_id": span.trace_id, "span_id": span.span_id},
            "span_kind": span.attributes.get("openinference.span.kind", "UNKNOWN"),
            "parent_id": span.parent_id,
            "start_time": iso(span.started),
            "end_time": iso(span.ended),
            "status_code": span.status_code,
            "status_message": span.status_message or "",
            "attributes": {k: v for k, v in span.attributes.items() if k != "openinference.span.kind"},
            "events": [{"name": n, "timestamp": iso(t), "attributes": dict(a)} for n, t, a in span.events],
        }
        for span in spans_of(text)
    ]


def phoenix_frame(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same as rows of its data frame: a column an attribute, lists of structs whose keys keep their dots."""
    found = [
        {
            **{key: row[key] for key in ("name", "span_kind", "parent_id", "start_time", "end_time")},
            **{key: row[key] for key in ("status_code", "status_message", "events")},
            **{f"context.{key}": value for key, value in row["context"].items()},
            "attributes.openinference.span.kind": row["span_kind"],
            **{f"attributes.{key}": value for key, value in _listed(row["attributes"]).items()},
        }
        for row in rows
    ]
    columns = dict.fromkeys(key for row in found for key in row)
    return [dict.fromkeys(columns) | row for row in found]


def _listed(flat: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lists: dict[str, dict[int, dict[str, Any]]] = {}
    for key, value in flat.items():
        indexed = _INDEX.match(key)
        if indexed is None:
            found[key] = value
        else:
            name, index, rest = indexed.groups()
            lists.setdefault(name, {}).setdefault(int(index), {})[rest] = value
    for name, items in lists.items():
        found[name] = [_listed(items[index]) for index in sorted(items)]
    return found


def langfuse_observations(text: str) -> list[dict[str, Any]]:
    """Spans as Langfuse's API lists observations, the last one first."""
    rows = [_langfuse_observation(span) for span in spans_of(text)]
    return sorted(rows, key=lambda row: row["startTime"], reverse=True)


def _langfuse_observation(span: otlp.RawSpan) -> dict[str, Any]:
    def said(name: str) -> Any:
        value = span.attributes.get(f"langfuse.observation.{name}")
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value

    return {
        "id": span.span_id,
        "traceId": span.trace_id,
        "startTime": iso(span.started),
        "endTime": iso(span.ended),
        "parentObservationId": span.parent_id,
        "type": str(said("type") or "span").upper(),
        "name": span.name,
        "level": said("level") or "DEFAULT",
        "statusMessage": said("status_message"),
        "userId": span.attributes.get("user.id"),
        "sessionId": span.attributes.get("session.id"),
        "input": said("input"),
        "output": said("output"),
        "metadata": {},
        "model": said("model.name"),
        "modelParameters": said("model.parameters") or {},
        "usageDetails": said("usage_details") or {},
        "costDetails": {},
        "latency": (span.ended or 0) - (span.started or 0),
        "tags": span.attributes.get("langfuse.trace.tags") or [],
    }


def langfuse_traces(text: str) -> list[dict[str, Any]]:
    """The same as whole traces, whose observations no longer say whose they are."""
    traces: dict[str, dict[str, Any]] = {}
    for row in langfuse_observations(text):
        trace = traces.setdefault(row["traceId"], {"id": row["traceId"], "name": "chat", "observations": []})
        trace |= {"sessionId": row["sessionId"], "userId": row["userId"], "tags": row["tags"], "htmlPath": "/x"}
        trace["timestamp"] = row["startTime"]
        inner = {key: row[key] for key in row if key not in ("sessionId", "userId", "tags")}
        trace["observations"].append(inner)
    return list(traces.values())


def langsmith_runs(text: str) -> list[dict[str, Any]]:
    """Posted batches as LangSmith lists runs, the last one first: each patch is merged into its post."""
    runs: dict[str, dict[str, Any]] = {}
    for line in filter(None, text.splitlines()):
        batch = json.loads(line)
        for run in (*batch.get("post", ()), *batch.get("patch", ())):
            known = runs.setdefault(run["id"], {"session_id": "the project", "session_name": "support-bot"})
            known |= {key: value for key, value in run.items() if value is not None}
    for run in runs.values():
        run["status"] = "error" if run.get("error") else "success"
    return sorted(runs.values(), key=lambda run: run["start_time"], reverse=True)
