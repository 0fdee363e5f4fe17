"""What triage suggests to promote, as people read it and as `promote --ids` takes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pytest_llmreplay.model.case import FailureCategory, FailureStage, Kind
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

KIND_KEY, KIND = b"llmreplay.kind", b"suggestions"
_WORDS = {"kind": get_args(Kind), "category": get_args(FailureCategory), "stage": get_args(FailureStage)}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A conversation worth promoting.

    `role` is `representative` or `diverse`, `weight` how many conversations it stands for, itself included, `intent`
    the intent's name (None: none) and `failure` the signal that it is suggested for, with its `category` and `stage`;
    None for a control. `turn` (from 1) is the failing turn, None where the signal is about the whole; `text` what the
    user said.
    """

    conversation_id: str
    kind: Kind
    role: str
    weight: int
    intent: str | None
    failure: str | None
    category: FailureCategory | None
    stage: FailureStage | None
    turn: int | None
    text: str

    def as_row(self) -> dict[str, Any]:
        """What `triage --suggest --json` prints of it, and a row of the file."""
        return asdict(self)


_NAMES = tuple(field.name for field in fields(Suggestion))


def write_suggestions(path: Path, suggestions: Sequence[Suggestion]) -> None:
    """Write them as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([one.as_row() for one in suggestions], _schema())
    pq.write_table(table, path, compression="zstd")


def read_suggestions(path: Path) -> list[Suggestion] | None:
    """The suggestions in a file: what `write_suggestions` wrote, or their rows as a JSON list; None in any other.

    Raises:
        UserError: it says that it holds suggestions, and does not.
    """
    import pyarrow as pa

    try:
        with path.open("rb") as file:
            begins = file.read(4)
        rows = _rows_of_parquet(path) if begins == b"PAR1" else _rows_of_json(path) if begins[:1] == b"[" else None
        return None if rows is None else [_suggestion(row) for row in rows]
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise UserError(f"cannot be read as suggestions: {error}", file=str(path)) from error


def _rows_of_parquet(path: Path) -> list[dict[str, Any]] | None:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as read:
        if (read.schema_arrow.metadata or {}).get(KIND_KEY) != KIND:
            return None
        rows: list[dict[str, Any]] = read.read([*_NAMES]).to_pylist()
        return rows


def _rows_of_json(path: Path) -> list[dict[str, Any]] | None:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None  # whoever reads ids in it says what is wrong
    return rows if rows and all(isinstance(row, dict) and set(row) == set(_NAMES) for row in rows) else None


def _suggestion(row: dict[str, Any]) -> Suggestion:
    for name, allowed in _WORDS.items():
        if row[name] not in (allowed if name == "kind" else (*allowed, None)):
            raise ValueError(f"{name} is {row[name]!r}")
    if not isinstance(row["conversation_id"], str) or not isinstance(row["weight"], int) or row["weight"] < 1:
        raise ValueError("a conversation without an id or a weight")
    if row["turn"] is not None and not isinstance(row["turn"], int):
        raise ValueError(f"turn is {row['turn']!r}")
    return Suggestion(**row)


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    numbers = ("weight", "turn")
    return pa.schema(
        [(name, number if name in numbers else text) for name in _NAMES],
        metadata={KIND_KEY: KIND, b"llmreplay.schema_version": b"1"},
    )
