"""What users said, turn by turn: one flat table a log, kept, so that a second search does not read the log again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llmreplay.mine.caches import Caches
from pytest_llmreplay.model.canonical import digest

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.parquet as pq
    from numpy.typing import NDArray

_Number = TypeVar("_Number", bound="np.number[Any]")
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
    """The user turns of some logs, or some of them, in the logs' order.

    `position` is each turn's place among all turns of the logs, ascending. All else stays in the `tables`, of which the
    n-th holds the positions from `starts[n]` on and belongs to the n-th of `logs`; what a property gives is read from
    them every time, one element a turn.
    """

    logs: tuple[Path, ...]
    tables: tuple[Path, ...]
    starts: NDArray[np.int64]
    position: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.position)

    @property
    def conversation(self) -> NDArray[np.int32]:
        """The numbers of the turns' conversations, from 0, ascending."""
        import numpy as np

        numbers, met = np.empty(len(self), np.int32), 0
        for here, rows in self._read("row", np.int32, self.position):
            if len(rows):
                numbers[here] = np.cumsum(np.diff(rows, prepend=rows[:1]) != 0, dtype=np.int32)
                numbers[here] += np.int32(met)
                met = int(numbers[here.stop - 1]) + 1
        return numbers

    @property
    def turn(self) -> NDArray[np.int32]:
        """The turns' numbers in their conversations, from 1."""
        import numpy as np

        return self._column("turn", np.int32)

    @property
    def key(self) -> NDArray[np.uint64]:
        """64 bits of each text's MD5, under which its vector is kept."""
        import numpy as np

        return self._column("key", np.uint64)

    def only(self, chosen: NDArray[np.bool_]) -> UserTurns:
        """The turns for which `chosen` is true."""
        return replace(self, position=self.position[chosen])

    def of_conversations(self, ids: Collection[str]) -> UserTurns:
        """The turns of the conversations with these ids."""
        import numpy as np

        return self.only(np.isin(self.position, self._positions_of(ids)))

    def of_first(self, id_: str) -> UserTurns:
        """The turns of the first conversation with this id; ids may repeat over logs."""
        every = self.of_conversations([id_])
        return every.only(every.conversation == 0)

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

    def rows(self, places: NDArray[np.integer], first_rows: Sequence[int]) -> NDArray[np.int64]:
        """The row of the conversation at each of some ascending places.

        Args:
            places: of turns in these arrays.
            first_rows: the number of the first row of each of `logs`; the rows of a log count on from it.
        """
        import numpy as np

        position = self.position[places]
        rows = np.empty(len(position), np.int64)
        for (here, values), first_row in zip(self._read("row", np.int32, position), first_rows, strict=True):
            rows[here] = values
            rows[here] += first_row
        return rows

    def _column(self, name: str, kind: type[_Number]) -> NDArray[_Number]:
        """A column of numbers of the tables."""
        import numpy as np

        values = np.empty(len(self), kind)
        for here, part in self._read(name, kind, self.position):
            values[here] = part
        return values

    def _read(
        self, name: str, kind: type[_Number], positions: NDArray[np.int32]
    ) -> Iterator[tuple[slice, NDArray[_Number]]]:
        """A column of each table at those of some ascending positions that it holds, and which these are."""
        import numpy as np

        # Numbers of another type would make a copy of all positions.
        starts = self.starts.astype(positions.dtype)
        edges = [*np.searchsorted(positions, starts).tolist(), len(positions)]
        for table, start, (low, high) in zip(self.tables, starts, itertools.pairwise(edges), strict=True):
            yield slice(low, high), _column(table, name, kind)[positions[low:high] - start]

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
    edges = np.cumsum([0, *(pq.read_metadata(table).num_rows for table in tables)])
    position = np.arange(edges[-1], dtype=np.int32)
    return UserTurns(tuple(Path(log) for log in logs), tables, edges[:-1], position)


def _column(table: Path, name: str, kind: type[_Number]) -> NDArray[_Number]:
    """A column of numbers, beside which no more than a batch is in memory."""
    import numpy as np
    import pyarrow.parquet as pq

    first = 0
    with pq.ParquetFile(table) as file:
        values = np.empty(file.metadata.num_rows, kind)
        for batch in file.iter_batches(columns=[name]):
            values[first : first + batch.num_rows] = batch.column(0).to_numpy()
            first += batch.num_rows
    return values


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
