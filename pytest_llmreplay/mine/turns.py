"""What users said, turn by turn: one flat table a log, kept, so that a second search does not read the log again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.model.canonical import digest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

Reading = Callable[[int, Callable[[], float]], AbstractContextManager[None]]
"""Entered while a log of so many conversations is read, with what says which share of it has been, from 0 to 1."""

_KIND = "turns"
_LAYOUT = 1
_LONGEST = 4000
_ROW_GROUP = 50_000
_TEXTS_AT_ONCE = 16_384
_FLATTEN = """
WITH said AS (
  SELECT file_row_number AS row, conversation_id,
    list_transform(list_filter(messages, lambda m: m.role = 'user'), lambda m: coalesce(m.content, '')) AS texts
  FROM read_parquet($log, file_row_number = true, hive_partitioning = false)),
turns AS (SELECT row, conversation_id, unnest(range(1, len(texts) + 1)) AS turn, unnest(texts) AS text FROM said)
SELECT row, conversation_id, turn::INTEGER AS turn, md5_number_lower(text) AS key, left(text, $longest) AS text
FROM turns WHERE trim(text) <> ''
"""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """One user turn with a text: the conversation it is in, that one's row (from 0) in its log, its number (from 1)."""

    conversation_id: str
    log: Path
    row: int
    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class UserTurns:
    """The user turns of some logs, or some of them, in the logs' order; all arrays have one element a turn.

    `position` is a turn's place among all turns of the logs, ascending; `conversation` numbers the conversations,
    ascending; `key` is 64 bits of the text's MD5, under which its vector is kept. The texts stay in the `tables`, of
    which the n-th holds the positions from `starts[n]` on and belongs to the n-th of `logs`.
    """

    logs: tuple[Path, ...]
    tables: tuple[Path, ...]
    starts: NDArray[np.int64]
    position: NDArray[np.int32]
    conversation: NDArray[np.int32]
    turn: NDArray[np.int32]
    key: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.position)

    def only(self, chosen: NDArray[np.bool_]) -> UserTurns:
        """The turns for which `chosen` is true."""
        return replace(
            self,
            position=self.position[chosen],
            conversation=self.conversation[chosen],
            turn=self.turn[chosen],
            key=self.key[chosen],
        )

    def of_conversations(self, ids: Collection[str]) -> UserTurns:
        """The turns of the conversations with these ids."""
        import numpy as np

        return self.only(np.isin(self.position, self._positions_of(ids)))

    def texts(self, positions: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int64], list[str]]]:
        """The texts at ascending positions, some thousands at once, each time with their places in `positions`."""
        import numpy as np
        import pyarrow.parquet as pq

        for table, start in zip(self.tables, self.starts, strict=True):
            first = int(start)
            with pq.ParquetFile(table) as file:
                for batch in file.iter_batches(_TEXTS_AT_ONCE, columns=["text"]):
                    # Numbers of another type would make a copy of all positions for each batch.
                    ends = np.array([first, first + batch.num_rows], positions.dtype)
                    low, high = np.searchsorted(positions, ends)
                    if high > low:
                        yield np.arange(low, high), batch.column(0).take(positions[low:high] - first).to_pylist()
                    first += batch.num_rows

    def read(self, places: Sequence[int]) -> list[UserTurn]:
        """The turns at some places of these arrays, in the order of `places`."""
        import numpy as np
        import pyarrow.parquet as pq

        found: dict[int, UserTurn] = {}
        for number, (table, start) in enumerate(zip(self.tables, self.starts, strict=True)):
            end = self.starts[number + 1] if number + 1 < len(self.starts) else np.iinfo(np.int64).max
            here = {int(self.position[p] - start): p for p in places if start <= self.position[p] < end}
            if here:
                with pq.ParquetFile(table) as file:
                    for at, row in _rows(file, sorted(here)):
                        found[here[at]] = UserTurn(log=self.logs[number], **row)
        return [found[place] for place in places]

    def rows(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each of some places the number of its log among `logs`, and its conversation's row (from 0) there."""
        import numpy as np
        import pyarrow.parquet as pq

        position = self.position[places]
        rows = np.concatenate([pq.read_table(table, columns=["row"])["row"].to_numpy() for table in self.tables])
        return np.searchsorted(self.starts, position, side="right") - 1, rows[position].astype(np.int64)

    def _positions_of(self, ids: Collection[str]) -> NDArray[np.int64]:
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        wanted = pa.array(sorted(ids), pa.string())
        found = []
        for table, start in zip(self.tables, self.starts, strict=True):
            column = pq.read_table(table, columns=["conversation_id"])["conversation_id"]
            found.append(np.flatnonzero(pc.is_in(column, wanted).to_numpy()) + start)
        return np.concatenate(found)


def _unwatched(_total: int, _share: Callable[[], float]) -> AbstractContextManager[None]:
    return nullcontext()


def user_turns(logs: Sequence[Path], caches: Caches, reading: Reading = _unwatched) -> UserTurns:
    """The user turns with a text in canonical Parquet files; empty turns have none.

    Args:
        logs: the files.
        caches: where the turns are kept.
        reading: shows how far the reading of a log is that is not kept yet.

    Raises:
        UserError: the cache cannot be written.
    """
    import numpy as np
    import pyarrow.parquet as pq

    tables = tuple(_table(Path(log).resolve(), caches, reading) for log in logs)
    read = [pq.read_table(table, columns=["row", "turn", "key"]) for table in tables]
    rows = [table["row"].to_numpy() for table in read]
    begins = [np.diff(row, prepend=-1) != 0 for row in rows]
    return UserTurns(
        logs=tuple(Path(log) for log in logs),
        tables=tables,
        starts=np.cumsum([0, *map(len, rows)])[:-1],
        position=np.arange(sum(map(len, rows)), dtype=np.int32),
        conversation=np.cumsum(np.concatenate(begins), dtype=np.int32) - np.int32(1),
        turn=np.concatenate([table["turn"].to_numpy() for table in read]),
        key=np.concatenate([table["key"].to_numpy() for table in read]),
    )


def _table(log: Path, caches: Caches, reading: Reading) -> Path:
    about = log.stat()
    key = digest([_LAYOUT, str(log), about.st_size, about.st_mtime_ns])
    return caches.find(_KIND, key) or caches.write(_KIND, key, lambda target: _flatten(log, target, reading))


def _flatten(log: Path, target: Path, reading: Reading) -> None:
    import duckdb
    import pyarrow.parquet as pq

    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_progress_bar_print = false")  # it would draw on what is piped
        connection.execute("SET enable_progress_bar = true")
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}, USE_TMP_FILE false"
        values = {"log": _literally(log), "longest": _LONGEST, "target": str(target)}
        with reading(pq.read_metadata(log).num_rows, lambda: connection.query_progress() / 100):
            connection.execute(f"COPY ({_FLATTEN}) TO $target ({options})", values)


def _rows(file: pq.ParquetFile, wanted: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows with these ascending numbers, reading no more row groups than hold them."""
    first = 0
    for group in range(file.num_row_groups):
        end = first + file.metadata.row_group(group).num_rows
        here = [number - first for number in wanted if first <= number < end]
        if here:
            table = file.read_row_group(group, columns=["conversation_id", "row", "turn", "text"]).take(here)
            yield from zip((first + number for number in here), table.to_pylist(), strict=True)
        first = end


def _literally(path: Path) -> str:
    """The path as DuckDB's globbing takes it for itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))
