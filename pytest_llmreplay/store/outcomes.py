"""Outcomes as plain records, for the journal and for sockets, and as rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome, OutcomeStatus, Reason
from pytest_llmreplay.model.trajectory import Divergence, ToolAnswer
from pytest_llmreplay.store.draft import Draft
from pytest_llmreplay.store.parquet import footer_of, open_of_kind, plain_rows, reading, table_of, write_tables
from pytest_llmreplay.store.verdicts import verdict_from_record, verdict_to_record, verdict_type

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES = b"outcomes"
OUTCOMES_VERSION = 1

NEEDED = ("case_id", "variant", "trial", "status")
"""The fields that no outcome can do without."""

# A run is sealed when its process is largest, and a row group is written from memory.
_ROW_GROUP_ROWS = 2048
# Rows as Python objects take many times the memory of the table that is made of them.
_BATCH_ROWS = 256
_FIELDS = tuple(Outcome.__dataclass_fields__)


@cache
def outcome_schema() -> pa.Schema:
    """The schema of `outcomes.parquet`, with the metadata of its footer."""
    import pyarrow as pa

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    call = pa.struct([("name", text), ("arguments", text)])
    answer = pa.struct([("turn", whole), ("name", text), ("arguments", text), ("source", text)])
    divergence = pa.struct([("turn", whole), ("step", whole), ("recorded", text), ("actual", text)])
    special = {
        "trial": whole,
        "reasons": pa.list_(pa.struct([(name, text) for name in Reason.__dataclass_fields__])),
        "calls": pa.list_(call),
        "matched": pa.list_(pa.bool_()),
        "steps": whole,
        "input_tokens": whole,
        "output_tokens": whole,
        "cost_usd": real,
        "latency_s": real,
        "live_share": real,
        "recorded_share": real,
        "tool_answers": pa.list_(answer),
        "divergence": divergence,
        "diagnostics": pa.map_(text, real),
        "tags": pa.list_(text),
        "weight": real,
        "verdict": verdict_type(),
        "judge_calls": whole,
        "judge_live_calls": whole,
        "judge_input_tokens": whole,
        "judge_output_tokens": whole,
        "judge_cost_usd": real,
    }
    return pa.schema(
        [(name, special.get(name, text)) for name in _FIELDS],
        metadata=footer_of(OUTCOMES, OUTCOMES_VERSION),
    )


def outcome_to_record(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain data that JSON can hold."""
    record: dict[str, Any] = {name: getattr(outcome, name) for name in _FIELDS}
    record["reasons"] = [_plain(reason) for reason in outcome.reasons]
    record["calls"] = [{"name": name, "arguments": arguments} for name, arguments in outcome.calls]
    record["matched"] = list(outcome.matched)
    record["tool_answers"] = [_plain(answer) for answer in outcome.tool_answers]
    record["divergence"] = None if outcome.divergence is None else _plain(outcome.divergence)
    record["diagnostics"] = dict(outcome.diagnostics)
    record["tags"] = list(outcome.tags)
    record["verdict"] = None if outcome.verdict is None else verdict_to_record(outcome.verdict)
    return record


def outcome_from_record(record: Mapping[str, Any]) -> Outcome:
    """What `outcome_to_record` was given; keys of a later version are passed over, missing ones have their default.

    Raises:
        ValueError: the record is not one of an outcome.
    """
    given = {name: record[name] for name in _FIELDS if record.get(name) is not None}
    if given.get("status") not in get_args(OutcomeStatus):
        raise ValueError(f"an outcome has the status {given.get('status')!r}")
    try:
        given["reasons"] = tuple(Reason(**_known(reason, Reason)) for reason in given.get("reasons", ()))
        given["calls"] = tuple((call["name"], call["arguments"]) for call in given.get("calls", ()))
        given["matched"] = tuple(given.get("matched", ()))
        given["tool_answers"] = tuple(ToolAnswer(**_known(a, ToolAnswer)) for a in given.get("tool_answers", ()))
        if "divergence" in given:
            given["divergence"] = Divergence(**_known(given["divergence"], Divergence))
        given["diagnostics"] = dict(given.get("diagnostics", ()))
        given["tags"] = tuple(given.get("tags", ()))
        if "verdict" in given:
            given["verdict"] = verdict_from_record(given["verdict"])
        return Outcome(**given)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"a record is not one of an outcome: {error}") from error


def trial_id_of(record: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What tells the trial of a record from another: case, variant, trial."""
    return record.get("case_id"), record.get("variant"), record.get("trial")


def write_outcome_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write outcomes to a Parquet file, atomically: one record a trial; they are taken a batch at a time.

    Raises:
        UserError: the file cannot be written.
    """
    rows = map(_row, records)
    batches = iter(lambda: list(islice(rows, _BATCH_ROWS)), [])
    tables = (table_of(batch, outcome_schema()) for batch in batches)
    write_tables(path, tables, outcome_schema(), group_rows=_ROW_GROUP_ROWS)


def outcomes_draft(folder: Path) -> Draft:
    """What `write_outcome_records` would write, while records come."""
    return Draft(folder, outcome_schema, _row, batch_rows=_BATCH_ROWS, group_rows=_ROW_GROUP_ROWS)


def read_outcomes(path: Path) -> list[Outcome]:
    """The outcomes in a Parquet file; of two of one trial the later one counts.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    try:
        outcomes = map(outcome_from_record, read_outcome_records(path))
        return list({outcome.trial_id: outcome for outcome in outcomes}.values())
    except ValueError as error:
        raise UserError(str(error), file=str(path)) from error


def read_outcome_records(path: Path, columns: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
    """The outcomes in a Parquet file as records, read a few at a time.

    Args:
        path: the file.
        columns: the fields that are read; None for all.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    import pyarrow as pa

    file = open_of_kind(path, OUTCOMES, holds="outcomes", schema="outcome", version=OUTCOMES_VERSION)
    wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
    with reading(path):
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted, use_threads=False):
            for row in plain_rows(pa.Table.from_batches([batch])):
                yield {**row, "diagnostics": dict(row.get("diagnostics") or ())}


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "diagnostics": list((record.get("diagnostics") or {}).items())}


def _plain(noun: Any) -> dict[str, Any]:
    return {name: getattr(noun, name) for name in noun.__dataclass_fields__}


def _known(data: Mapping[str, Any], noun: Any) -> dict[str, Any]:
    return {name: data[name] for name in noun.__dataclass_fields__ if name in data}
