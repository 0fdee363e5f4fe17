"""Mining at size: signals, expressions and search over one generated log, as ratios and rates within one run.

    python benchmarks/mine.py [--text 1GB] [--log FILE.parquet]... [--like] [--times 3]

The log is generated (see make_logs.py), or canonical ones that exist. Every figure is the median of some repetitions,
in CPU seconds of the process (all threads, user and system), which what else the machine does changes least; MB/s is
text of messages by the clock.

* bare: a DuckDB query that reads the same columns and the ids, and touches them (the length of the main texts, the sum
  of numbers), on a database opened in the same way. Outliers are judged by the figures of the whole log, which are
  read first, so that their bare query is one of the figures and one of all columns. The ratio of a signal is its CPU
  time over that of the bare query of its columns.
* Python signals are looked for on the rows that their condition selects, of the first 20,000 conversations: the rates
  are conversations of the log, and those looked at, a CPU second.
* memory is the most that the process ever held.
* --like: the first search turns every user turn into a vector, the second finds them kept.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tabulate import tabulate

from benchmarks.make_logs import bytes_of, shop_conversations, up_to
from benchmarks.signals import known_signals
from pytest_llmreplay.mine.signals import Signal, scan
from pytest_llmreplay.mine.signals.figures import FIGURES
from pytest_llmreplay.model.conversation import Conversation
from pytest_llmreplay.traces import (
    CANONICAL_COLUMNS,
    LogTable,
    TableFile,
    canonical_conversation,
    open_table,
    parse_expression,
    write_conversations,
)

TOUCHED = {
    "messages": "sum(list_sum(list_transform(messages, lambda m: strlen(m.content) + strlen(m.role) + "
    "coalesce(list_sum(list_transform(m.tool_calls, lambda c: strlen(c.name) + strlen(c.arguments))), 0))))",
    "tools": "sum(list_sum(list_transform(tools, lambda t: strlen(t.name) + strlen(t.parameters))))",
    "steps": "sum(list_sum(list_transform(steps, lambda s: strlen(s.kind) + strlen(s.output))))",
}
NUMBERS = ("latency_s", "input_tokens", "output_tokens", "cost_usd")
IN_PYTHON = 20_000
EXPRESSIONS = (
    "len(list_filter(messages, lambda m: m.role = 'user')) >= 3",
    "regexp_matches(list_aggregate(list_transform(messages, lambda m: m.content), 'string_agg', ' '), 'refund')",
    "latency_s > 3 AND model = 'gpt-4.1'",
)


def seconds(work: Callable[[], Any], times: int) -> tuple[float, float]:
    """The medians of some repetitions: CPU seconds, and seconds by the clock."""
    worked, taken = [], []
    for _ in range(times):
        began, cpu = time.perf_counter(), time.process_time()
        work()
        worked.append(time.process_time() - cpu)
        taken.append(time.perf_counter() - began)
    return sorted(worked)[times // 2], sorted(taken)[times // 2]


def bare(table: LogTable, columns: Sequence[str]) -> Callable[[], Any]:
    """The queries that only read these columns."""
    real = ["conversation_id", *(name for name in columns if name in CANONICAL_COLUMNS)]
    queries = [f"SELECT {', '.join(map(touched, real))} FROM log"]
    figures = [FIGURES[name] for name in columns if name in FIGURES]
    queries += [f"SELECT sum({figure}), {touched('model')} FROM whole_log" for figure in figures]
    return lambda: [table.connection.execute(query).fetchall() for query in queries]


def touched(column: str) -> str:
    """An aggregate for which the column is read; a maximum would come from the file's statistics."""
    return TOUCHED.get(column, f"sum({column})" if column in NUMBERS else f"sum(strlen({column}))")


def looked_for(table: LogTable, signals: Sequence[Signal]) -> int:
    """How many conversations show one of the signals."""
    return sum(1 for _ in scan(table.connection, signals, canonical_conversation, CANONICAL_COLUMNS))


def in_python_rates(table: LogTable, signal: Signal) -> tuple[str, int, int, int, float, float]:
    """Conversations of the log, those looked at in Python and those that show it; the first two a CPU second."""
    read = 0

    def counted(row: Mapping[str, Any]) -> Conversation:
        nonlocal read
        read += 1
        return canonical_conversation(row)

    began = time.process_time()
    found = sum(1 for _ in scan(table.connection, [signal], counted, CANONICAL_COLUMNS))
    worked, count = time.process_time() - began, table.size()
    return signal.name, count, read, found, count / worked, read / worked


def first_of(log: Path, count: int, path: Path) -> Path:
    """The first conversations of a log in a file of their own."""
    batches = pq.ParquetFile(log).iter_batches(1000)
    tables = pa.Table.from_batches(islice(batches, count // 1000))
    pq.write_table(tables, path, row_group_size=1000)
    return path


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(files: Sequence[TableFile], times: int) -> None:
    in_sql = [signal for signal in known_signals().values() if signal.find is None]
    with open_table(files) as table:
        [(size,)] = table.connection.execute(
            "SELECT sum(list_sum(list_transform(messages, lambda m: strlen(coalesce(m.content, ''))))) FROM log"
        ).fetchall()
        count = table.size()
        print(f"{count:,} conversations, {size / 1e6:,.0f} MB of text, {os.cpu_count()} cores\n")
        rows = []
        together = sorted({column for signal in in_sql for column in signal.columns})
        for name, group in (*((signal.name, [signal]) for signal in in_sql), ("all of these", in_sql)):
            columns = together if len(group) > 1 else group[0].columns
            reading, _ = seconds(bare(table, columns), times)
            looking, taken = seconds(lambda group=group: looked_for(table, group), times)
            ratio, rate = looking / reading, size / 1e6 / taken
            rows.append((name, ", ".join(columns)[:40], reading, looking, ratio, size / 1e6 / looking, rate))
        headers = ("signal in SQL", "columns", "bare CPU s", "CPU s", "ratio", "MB a CPU s", "MB/s")
        print(tabulate(rows, headers=headers, floatfmt=("", "", ".3f", ".3f", ".2f", ",.0f", ",.0f")))
        counting, _ = seconds(lambda: table.connection.execute("SELECT sum(len(messages)) FROM log").fetchall(), times)
        print(f"a query that only counts messages: {counting:.3f} CPU s; memory so far: {memory_mb():,.0f} MB\n")
    rows = []
    for where in EXPRESSIONS:

        def filtered(where: str = where) -> None:
            with open_table(files, parse_expression(where)) as filtered_table:
                filtered_table.connection.execute("SELECT llmreplay_row FROM log").fetchall()

        worked, taken = seconds(filtered, times)
        rows.append((where[:70], worked, size / 1e6 / worked, size / 1e6 / taken))
    headers = ("find --where", "CPU s", "MB a CPU s", "MB/s")
    print("\n" + tabulate(rows, headers=headers, floatfmt=("", ".3f", ",.0f", ",.0f")))
    print(f"memory at most: {memory_mb():,.0f} MB")


def measure_in_python(log: Path, scratch: Path) -> None:
    signals = [signal for signal in known_signals().values() if signal.find is not None]
    with open_table([TableFile(first_of(log, IN_PYTHON, scratch / "first.parquet"))]) as table:
        rows = [in_python_rates(table, signal) for signal in signals]
    headers = ("signal in Python", "conversations", "looked at", "found", "of the log a CPU s", "looked at a CPU s")
    print("\n" + tabulate(rows, headers=headers, floatfmt=",.0f", intfmt=","))


def measure_like(paths: Sequence[Path], scratch: Path) -> None:
    from pytest_llmreplay.mine.caches import Caches
    from pytest_llmreplay.mine.search import search_like
    from pytest_llmreplay.mine.turns import user_turns
    from pytest_llmreplay.providers.embeddings import static_embedder

    caches = Caches(scratch / "caches", 86400.0)
    embedder = static_embedder()
    for which in ("first", "second"):
        began, cpu = time.perf_counter(), time.process_time()
        turns = user_turns([path.resolve() for path in paths], caches)
        search_like(turns, "I want to talk to a person", embedder, caches, limit=50)
        taken, worked = time.perf_counter() - began, time.process_time() - cpu
        print(
            f"{which} --like over {len(turns):,} user turns: {taken:.1f} s, {worked:.1f} CPU s, "
            f"{len(turns) / worked:,.0f} turns a CPU s"
        )
    print(f"memory at most: {memory_mb():,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=bytes_of, default=bytes_of("1GB"), help="how much text of messages to generate")
    parser.add_argument("--log", type=Path, action="append", help="a canonical log that exists; repeatable")
    parser.add_argument("--like", action="store_true", help="search by meaning too")
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = arguments.log or [Path(folder) / "log.parquet"]
        if not arguments.log:
            write_conversations(paths[0], up_to(shop_conversations(1), arguments.text))
        measure([TableFile(path) for path in paths], arguments.times)
        measure_in_python(paths[0], Path(folder))
        if arguments.like:
            measure_like(paths, Path(folder))


if __name__ == "__main__":
    main()
