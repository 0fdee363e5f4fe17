"""Facts of a log: streamed out of DuckDB, a few numbers for each conversation, no text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.signals.signal import ROW
from pytest_llmreplay.mine.signals.sql import literal
from pytest_llmreplay.mine.triage.facts import Dimension, Facts

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

TOOL = "tool"
METADATA = "metadata."
_BATCH_ROWS = 50_000
_MOST_VALUES = 500
_NO_USER = 0
_USER = f"CASE WHEN coalesce(user_id::VARCHAR, '') = '' THEN {_NO_USER}::UBIGINT ELSE hash(user_id) END"
_STARTED = "try_cast(started_at::VARCHAR AS TIMESTAMPTZ)"
_DAY = f"coalesce({_STARTED}::DATE, try_cast(left(started_at::VARCHAR, 10) AS DATE)) - DATE '1970-01-01'"
_CALLED = (
    "list_distinct(flatten(list_transform(messages, "
    "lambda m: coalesce(list_transform(m.tool_calls, lambda c: c.name), []))))"
)


class _Column:
    """Collects one dimension's pairs; values are numbered as they are met."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._numbers: dict[str, int] = {}
        self._conversation: list[NDArray[np.int32]] = []
        self._value: list[NDArray[np.int32]] = []

    def add(self, array: Any, first: int) -> None:
        """Add a batch, whose first conversation has this place."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        place = np.arange(first, first + len(array), dtype=np.int32)
        if pa.types.is_list(array.type):
            place, array = place[pc.list_parent_indices(array).to_numpy()], pc.list_flatten(array)
        known = pc.is_valid(array).to_numpy(zero_copy_only=False)
        encoded = array.filter(pa.array(known)).dictionary_encode()
        numbers = [self._numbers.setdefault(text, len(self._numbers)) for text in encoded.dictionary.to_pylist()]
        self._conversation.append(place[known])
        self._value.append(np.array(numbers, np.int32)[encoded.indices.to_numpy()] if numbers else place[:0])

    def dimension(self) -> Dimension:
        """The dimension, with its most frequent values only, when there are very many; nothing stays collected."""
        import numpy as np

        conversation, value = _emptied(self._conversation), _emptied(self._value)
        texts = np.array(list(self._numbers), object)
        frequent = np.argsort(-np.bincount(value, minlength=len(texts)), kind="stable")[:_MOST_VALUES]
        place = np.full(len(texts), -1, np.int32)
        place[frequent] = np.arange(len(frequent), dtype=np.int32)
        value = place[value]
        if len(frequent) < len(texts):
            conversation, value = conversation[value >= 0], value[value >= 0]
        names = tuple(str(text) for text in texts[frequent])
        return Dimension(self.name, names, names, conversation, value)


def read_facts(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    failed: NDArray[np.int64],
    since: datetime | None = None,
) -> Facts:
    """The facts of the relation `log`; days are those of UTC, which is also the zone of times that name none.

    The names of values fill a dictionary and users become numbers; of a dimension with more than 500 values the most
    frequent are kept.

    Args:
        connection: the database.
        names: dimensions: `tool`, a canonical column that holds a text, or `metadata.` and a name in the metadata.
        failed: the rows that failed, ascending.
        since: only conversations that began at this time (with its zone) or later; without it all, whether it is known
            when they began or not.
    """
    import numpy as np

    columns = [_Column(name) for name in names]
    rows, days, users = [], [], []
    count = 0
    for batch in connection.sql(_query(names, since)).to_arrow_reader(_BATCH_ROWS):
        row, day, user, *values = batch.columns
        rows.append(row.to_numpy())
        days.append(day.fill_null(-1).to_numpy())
        users.append(user.to_numpy())
        for column, array in zip(columns, values, strict=True):
            column.add(array, count)
        count += batch.num_rows
    row = np.concatenate([np.zeros(0, np.int64), *rows])
    return Facts(
        row=row,
        failed=np.isin(row, failed, kind="sort"),
        day=np.concatenate([np.zeros(0, np.int32), *days]).astype(np.int32),
        user=_numbered(np.concatenate([np.zeros(0, np.uint64), *users])),
        dimensions=tuple(dimension for column in columns if (dimension := column.dimension()).values),
    )


def _emptied(parts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    """The parts as one array, kept no longer beside it."""
    import numpy as np

    whole = np.concatenate([np.zeros(0, np.int32), *parts])
    parts.clear()
    return whole


def _numbered(users: NDArray[np.uint64]) -> NDArray[np.int64]:
    import numpy as np

    known, number = np.unique(users, return_inverse=True)
    first = int(len(known) > 0 and known[0] == _NO_USER)
    return number.astype(np.int64) - first


def _query(names: Sequence[str], since: datetime | None) -> str:
    """Rows in the log's order, which DuckDB keeps."""
    values = "".join(f", {_value(name)} AS v{number}" for number, name in enumerate(names))
    condition = "" if since is None else f" WHERE {_STARTED} >= TIMESTAMPTZ '{since.isoformat()}'"
    return f"SELECT {ROW}, {_DAY} AS day, {_USER} AS u{values} FROM log{condition}"  # noqa: S608 - names of columns, and literals


def _value(name: str) -> str:
    if name == TOOL:
        return _CALLED
    if name.startswith(METADATA):
        key = name.removeprefix(METADATA).replace('"', '\\"')
        path = f'$."{key}"'
        return f"CASE WHEN json_valid(metadata) THEN nullif(json_extract_string(metadata, {literal(path)}), '') END"
    return f"nullif({name}::VARCHAR, '')"
