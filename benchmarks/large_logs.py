"""Large logs: how much memory reading takes, however large the log is.

    python benchmarks/large_logs.py [--megabytes 500] [--limit 400] [SHAPE…]

Writes a log of every shape (one conversation a line, all of them in one array on one line, Parquet, compressed, calls
that have to be put together, batches of spans, and standard input) and reads it in a process of its own. Exit code 1: a
process held more than --limit MB, or a conversation is missing.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The peak that getrusage knows is never less than what the process that started this one held.
READ = """
import re, sys
from pytest_llmreplay.traces import read_conversations
def complain(problem):
    raise SystemExit(str(problem))
count = sum(1 for _ in read_conversations([sys.argv[1]], on_problem=complain))
print(count, int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024)
"""
WORDS = ["order", "parcel", "refund", "person", "account", "street", "invoice", "tomorrow", "broken", "thanks"]


def rows() -> Iterator[dict[str, Any]]:
    """Conversations of about 10 KB without end, always the same ones."""
    rng = random.Random(5)
    pool = [" ".join(rng.choices(WORDS, k=350)) for _ in range(100)]
    for number in itertools.count(1):
        roles = ("user", "assistant", "user", "assistant")
        messages = [
            {"role": role, "content": f"{number} {text}"} for role, text in zip(roles, rng.sample(pool, 4), strict=True)
        ]
        yield {"id": f"c-{number}", "messages": messages}


def plain_lines(row: dict[str, Any]) -> str:
    return json.dumps(row) + "\n"


def call_lines(row: dict[str, Any]) -> str:
    """Two calls, of which the second repeats the first."""
    said = row["messages"]
    lines = []
    for turn in (1, 2):
        request = {"model": "m", "messages": said[: 2 * turn - 1]}
        response = {"choices": [{"message": said[2 * turn - 1]}]}
        lines.append(json.dumps({"conversation_id": row["id"], "request": request, "response": response}))
    return "\n".join(lines) + "\n"


def span_lines(row: dict[str, Any]) -> str:
    """A batch with the conversation's last call."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.conversation.id": row["id"],
        "gen_ai.input.messages": json.dumps(row["messages"][:-1]),
        "gen_ai.output.messages": json.dumps(row["messages"][-1:]),
    }
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    ids = {"traceId": f"{int(row['id'][2:]):032x}", "spanId": f"{int(row['id'][2:]):016x}"}
    span = {**ids, "name": "chat", "startTimeUnixNano": "1700000000000000000", "attributes": pairs}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n"


def write_text(path: Path, size: int, line: Callable[[dict[str, Any]], str], compressed: bool = False) -> int:
    """Write lines until so many bytes are reached; how many conversations."""
    count = written = 0
    with gzip.open(path, "wt", compresslevel=1) if compressed else path.open("w") as file:
        for row in rows():
            written += file.write(line(row))
            count += 1
            if written >= size:
                return count
    raise AssertionError


def write_array(path: Path, size: int) -> int:
    count = written = 0
    with path.open("w") as file:
        file.write("[")
        for row in rows():
            written += file.write(("," if count else "") + json.dumps(row))
            count += 1
            if written >= size:
                break
        file.write("]")
    return count


def write_parquet(path: Path, size: int) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = written = 0
    schema = pa.schema([("id", pa.string()), ("messages", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        batch: list[dict[str, str]] = []
        for row in rows():
            batch.append({"id": row["id"], "messages": json.dumps(row["messages"])})
            count, written = count + 1, written + len(batch[-1]["messages"])
            if len(batch) == 1000 or written >= size:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                batch = []
            if written >= size:
                break
    return count


SHAPES: dict[str, Callable[[Path, int], int]] = {
    "lines": lambda path, size: write_text(path, size, plain_lines),
    "array": write_array,
    "parquet": write_parquet,
    "gzip": lambda path, size: write_text(path, size, plain_lines, compressed=True),
    "calls": lambda path, size: write_text(path, size, call_lines),
    "spans": lambda path, size: write_text(path, size, span_lines),
    "stdin": lambda path, size: write_text(path, size, plain_lines),
}


def measure(shape: str, path: Path, megabytes: int) -> dict[str, Any]:
    """Write a log of this shape and read it in a process of its own."""
    count = SHAPES[shape](path, megabytes << 20)
    began = time.monotonic()
    name = "-" if shape == "stdin" else str(path)
    with path.open("rb") as file:
        command = [sys.executable, "-c", READ, name]
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{shape}: {done.stderr}")
    found, memory = map(int, done.stdout.split())
    seconds = round(time.monotonic() - began, 1)
    return {"shape": shape, "MB": megabytes, "conversations": count, "read": found, "s": seconds, "peak MB": memory}


def main() -> int:
    """Measure all shapes, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--limit", type=int, default=400)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for shape in options.shapes or SHAPES:
            path = Path(folder) / "log"
            row = measure(shape, path, options.megabytes)
            path.unlink()
            print(row, flush=True)
            failed |= row["read"] != row["conversations"] or row["peak MB"] > options.limit
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
