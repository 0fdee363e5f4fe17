"""What triage suggests to promote, as people read it and as `promote --ids` takes it."""

from __future__ import annotations

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


def write_suggestions(path: Path, suggestions: Sequence[Suggestion]) -> None:
    """Write them as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([one.as_row() for one in suggestions], _schema())
    pq.write_table(table, path, compression="zstd")


def read_suggestions(path: Path) -> list[Suggestion] | None:
    """The suggestions in a file; None where it is no file of suggestions.

    Raises:
        UserError: it says that it is one, and is not.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":
                return None
        read = pq.ParquetFile(path)
        if (read.schema_arrow.metadata or {}).get(KIND_KEY) != KIND:
            return None
        rows = read.read([field.name for field in fields(Suggestion)]).to_pylist()
        return [_suggestion(row) for row in rows]
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise UserError(f"cannot be read as suggestions: {error}", file=str(path)) from error


def _suggestion(row: dict[str, Any]) -> Suggestion:
    for name, allowed in _WORDS.items():
        if row[name] not in (allowed if name == "kind" else (*allowed, None)):
            raise ValueError(f"{name} is {row[name]!r}")
    if not isinstance(row["conversation_id"], str) or not row["weight"] or row["weight"] < 1:
        raise ValueError("a conversation without an id or a weight")
    return Suggestion(**row)


def _schema() -> pa.Schema:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    numbers = ("weight", "turn")
    return pa.schema(
        [(field.name, number if field.name in numbers else text) for field in fields(Suggestion)],
        metadata={KIND_KEY: KIND, b"llmreplay.schema_version": b"1"},
    )
