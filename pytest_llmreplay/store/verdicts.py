"""Verdicts inside of outcomes: their column in Parquet, and how they are read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.model.verdict import Decision, JudgeUsage, Quote, Verdict

if TYPE_CHECKING:
    import pyarrow as pa


def verdict_type() -> pa.DataType:
    """The type of the column `verdict`."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    quote = pa.struct([("text", text), ("found", pa.bool_())])
    decision = pa.struct(
        [
            ("criterion", text),
            ("passed", pa.bool_()),
            ("score", real),
            ("agreement", real),
            ("quotes", pa.list_(quote)),
        ]
    )
    usage = pa.struct(
        [
            ("calls", whole),
            ("live_calls", whole),
            ("input_tokens", whole),
            ("output_tokens", whole),
            ("cost_usd", real),
        ]
    )
    special = {
        "decisions": pa.list_(decision),
        "share": real,
        "votes": pa.list_(text),
        "agreement": real,
        "shown": pa.list_(text),
        "usage": usage,
    }
    return pa.struct([(name, special.get(name, text)) for name in Verdict.__dataclass_fields__])


def verdict_to_record(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain data that JSON can hold."""
    record: dict[str, Any] = _with_lists(asdict(verdict))
    return record


def verdict_from_record(record: Mapping[str, Any]) -> Verdict:
    """What `verdict_to_record` was given; keys of a later version are passed over.

    Raises:
        KeyError, TypeError: the record is not one of a verdict.
    """
    given = _known(record, Verdict)
    for name in ("votes", "shown"):
        given[name] = tuple(given.get(name) or ())
    given["decisions"] = tuple(_decision(decision) for decision in given.get("decisions") or ())
    given["usage"] = JudgeUsage(**_known(given.get("usage") or {}, JudgeUsage))
    return Verdict(**given)


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(inner) for key, inner in value.items()}
    return [_with_lists(inner) for inner in value] if isinstance(value, tuple) else value


def _decision(record: Mapping[str, Any]) -> Decision:
    given = _known(record, Decision)
    given["quotes"] = tuple(Quote(**_known(quote, Quote)) for quote in given.get("quotes") or ())
    return Decision(**given)


def _known(data: Mapping[str, Any], noun: Any) -> dict[str, Any]:
    return {name: data[name] for name in noun.__dataclass_fields__ if name in data}
