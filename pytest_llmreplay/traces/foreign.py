"""Rows of Parquet as the JSON records that other formats have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.traces.jsonable import jsonable, without_nulls
from pytest_llmreplay.traces.loose import loosened
from pytest_llmreplay.traces.plain import open_parquet, parquet_rows
from pytest_llmreplay.traces.records import Record
from pytest_llmreplay.traces.sources import Source

_CONTAINERS = frozenset(
    {
        *(
            "request",
            "response",
            "request_body",
            "response_body",
            "chunks",
            "inputs",
            "outputs",
            "extra",
            "input",
            "output",
        ),
        *(
            "conversation",
            "conversations",
            "attributes",
            "context",
            "events",
            "observations",
            "model_parameters",
            "metadata",
        ),
        *("scores", "usageDetails", "costDetails", "modelParameters", "span_data", "feedback_stats"),
    }
)


def foreign_records(source: Source) -> Iterator[Record]:
    """The rows of a Parquet file; JSON in text columns that usually hold structures is decoded.

    Raises:
        UnreadableError: the file is damaged.
    """
    for row in parquet_rows(open_parquet(source)):
        if row.error is not None:
            yield Record(row.number, error=row.error)
        else:
            yield Record(row.number, _record(row.values))


def _record(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = without_nulls(jsonable(values))
    return {name: loosened(value) if name in _CONTAINERS else value for name, value in plain.items()}
