"""Facts of a log: streamed out of DuckDB, a few numbers for each conversation, no text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llmreplay.mine.signals.signal import ROW
from pytest_llmreplay.mine.signals.sql import literal
from pytest_llmreplay.mine.triage.facts import Dimension, Facts

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound="np.generic")
TOOL = "tool"
METADATA = "metadata."
_BATCH_ROWS = 50_000
_MOST_VALUES = 500
_USER = "CASE WHEN coalesce(user_id::VARCHAR, '') = '' THEN -1 ELSE (hash(user_id) >> 1)::BIGINT END"
_STARTED = "try_cast(started_at::VARCHAR AS TIMESTAMPTZ)"
_DAY = f"coalesce({_STARTED}::DATE, try_cast(left(started_at::VARCHAR, 10) AS DATE)) - DATE '1970-01-01'"
_CALLED = (
    "list_distinct(flatten(list_transform(messages, "
    "lambda m: coalesce(list_transform(m.tool_calls, lambda c: c.name), []))))"
)


class _Column:
    """Collects one dimension's pairs; values are numbered as they are met."""

    def __init__(self, name: str) -> None:
        import numpy as np

        self.name = name
        self._numbers: dict[str, int] = {}
        self._conversation: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        self._value: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]

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

    def dimension(self, everyone: NDArray[np.int32]) -> Dimension:
        """The dimension, with its most frequent values only, when there are very many; nothing stays collected.

        Where each of the conversations, which are `everyone`, has one value, that array is shared.
        """
        import numpy as np

        conversation, value = _emptied(self._conversation), _emptied(self._value)
        texts = np.array(list(self._numbers), object)
        frequent = np.argsort(-np.bincount(value, minlength=len(texts)), kind="stable")[:_MOST_VALUES]
        place = np.full(len(texts), -1, np.int32)
        place[frequent] = np.arange(len(frequent), dtype=np.int32)
        value = place[value]
        if len(frequent) < len(texts):
            conversation, value = conversation[value >= 0], value[value >= 0]
        if np.array_equal(conversation, everyone):
            conversation = everyone
        names = tuple(str(text) for text in texts[frequent])
        return Dimension(self.name, names, names, conversation, value.astype(np.int16))


def read_facts(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    failed: NDArray[np.int64],
    since: datetime | None = None,
) -> Facts:
    """The facts of the relation `log`; days are those of UTC, which is also the zone of times that name none.

    The names of values fill a dictionary and users become numbers (of 63 bits, by their names); of a dimension with
    more than 500 values the most frequent are kept.

    Args:
        connection: the database.
        names: dimensions: `tool`, a canonical column that holds a text, or `metadata.` and a name in the metadata.
        failed: the rows that failed, ascending.
        since: only conversations that began at this time (with its zone) or later; without it all, whether it is known
            when they began or not.
    """
    import numpy as np

    columns = [_Column(name) for name in names]
    rows, days, users = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    did_fail = [np.zeros(0, np.bool_)]
    count = 0
    for batch in connection.sql(_query(names, since)).to_arrow_reader(_BATCH_ROWS):
        row, day, user, *values = batch.columns
        # A view of one column would keep the whole batch in memory, with all its texts.
        rows.append(row.to_numpy().copy())
        days.append(day.fill_null(-1).to_numpy().astype(np.int32))
        users.append(user.to_numpy().copy())
        did_fail.append(_among(rows[-1], failed))
        for column, array in zip(columns, values, strict=True):
            column.add(array, count)
        count += batch.num_rows
    everyone = np.arange(count, dtype=np.int32)
    return Facts(
        row=_emptied(rows),
        failed=_emptied(did_fail),
        day=_emptied(days),
        user=_emptied(users),
        dimensions=tuple(dimension for column in columns if (dimension := column.dimension(everyone)).values),
    )


def count_undated(connection: duckdb.DuckDBPyConnection) -> int:
    """How many conversations of the relation `log` do not say when they began, and are never since a time."""
    [count] = connection.sql(f"SELECT count(*) FROM log WHERE {_STARTED} IS NULL").fetchall()[0]  # noqa: S608 - a constant
    return int(count)


def _emptied(parts: list[NDArray[_Kind]]) -> NDArray[_Kind]:
    """The parts as one array, kept no longer beside it."""
    import numpy as np

    whole = np.concatenate(parts)
    parts.clear()
    return whole


def _among(rows: NDArray[np.int64], some: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the rows are among some ascending ones."""
    import numpy as np

    place = np.searchsorted(some, rows)
    found: NDArray[np.bool_] = np.append(some, -1)[place] == rows
    return found


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
