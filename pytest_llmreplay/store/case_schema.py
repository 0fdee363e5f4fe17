"""The Arrow schema of golden cases."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pytest_llmreplay.model.case import SCHEMA_VERSION
from pytest_llmreplay.store.parquet import footer_of

if TYPE_CHECKING:
    import pyarrow as pa

CASES = b"cases"

ROW_GROUP_ROWS = 512
"""Few enough that loading one case of a large file is cheap; the footer, which is kept, takes 80 KB for each group."""


@cache
def message_type() -> pa.DataType:
    """The Arrow type of one chat message."""
    import pyarrow as pa

    text = pa.string()
    call = pa.struct([("id", text), ("name", text), ("arguments", text)])
    return pa.struct(
        [
            ("role", text),
            ("content", text),
            ("content_parts", text),
            ("tool_calls", pa.list_(call)),
            ("tool_call_id", text),
            ("name", text),
            ("refusal", text),
        ]
    )


@cache
def tool_type() -> pa.DataType:
    """The Arrow type of one offered tool."""
    import pyarrow as pa

    return pa.struct([(name, pa.string()) for name in ("name", "description", "parameters", "effect")])


@cache
def step_type() -> pa.DataType:
    """The Arrow type of one step beside the chat."""
    import pyarrow as pa

    text = pa.string()
    texts = [(name, text) for name in ("kind", "name", "input", "output")]
    return pa.struct([("turn", pa.int64()), *texts, ("document_ids", pa.list_(text)), ("status", text)])


@cache
def case_schema() -> pa.Schema:
    """The schema of `golden/*.parquet`, with the metadata of its footer."""
    import pyarrow as pa

    text, whole = pa.string(), pa.int64()
    result = pa.struct([("turn", whole), *((n, text) for n in ("name", "arguments", "result", "source"))])
    origin = ("format", "model", "prompt_version", "promoted_at", "promoted_by", "redactor_version")
    provenance = pa.struct(
        [
            *((name, text) for name in ("trace_id", "source_file", "source_sha256")),
            ("row", whole),
            *((name, text) for name in origin),
            ("correlation_ids", pa.map_(text, text)),
        ]
    )
    flat = ("case_id", "content_digest", "title", "suite", "kind", "status", "severity", "failure_category")
    return pa.schema(
        [
            *((name, text) for name in (*flat, "failure_stage", "intent")),
            ("tags", pa.list_(text)),
            *((name, text) for name in ("summary", "owner", "due")),
            ("messages", pa.list_(message_type())),
            ("turn", whole),
            ("tools", pa.list_(tool_type())),
            ("vars", text),
            ("occurred_at", text),
            ("steps", pa.list_(step_type())),
            ("recorded_results", pa.list_(result)),
            ("expect", text),
            ("weight", pa.float64()),
            ("metadata", text),
            ("provenance", provenance),
            ("expires_at", text),
            ("schema_version", whole),
        ],
        metadata=footer_of(CASES, SCHEMA_VERSION),
    )
