"""Damage: bytes that a disk or a network spoils, and structures that a program gets wrong."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import ReadProblem, read_conversations, write_conversations

SECONDS = 20.0
"""Seconds of the processor: a machine that others keep busy, or that sleeps, is not slow reading."""
HOSTILE: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: True,
    lambda: 0,
    lambda: -1,
    lambda: 2**70,
    lambda: 1e308,
    lambda: float("nan"),
    lambda: "",
    lambda: "\ud800",
    lambda: "\x00\x1b[31m\u202e",
    lambda: "x" * 5000,
    lambda: "{",
    lambda: "[]",
    lambda: '{"role": 3}',
    lambda: "9999999999999999999999999",
    lambda: "2026-13-45T99:99:99Z",
    list,
    dict,
    lambda: [None],
    lambda: [[]],
    lambda: {"": None},
    lambda: {"0": {"1": {}}},
    lambda: {"999999999": 1},
    lambda: [{"role": "user", "content": "?"}],
    lambda: {"type": "text"},
    lambda: nested(200),
)


def nested(depth: int) -> Any:
    """A list in a list, and so on."""
    value: Any = "end"
    for _ in range(depth):
        value = [value]
    return value


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one to four places spoilt."""
    spoilt = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        place, length = rng.randrange(len(spoilt) + 1), rng.choice((1, 1, 2, 8, 64, 500))
        kind = rng.randrange(6)
        if kind == 0:
            spoilt[place : place + length] = rng.randbytes(min(length, max(0, len(spoilt) - place)))
        elif kind == 1:
            del spoilt[place : place + length]
        elif kind == 2:
            spoilt[place:place] = rng.randbytes(length)
        elif kind == 3:
            spoilt[place:place] = spoilt[place : place + length]
        elif kind == 4:
            spoilt[place : place + 1] = rng.choice((b"\n", b'"', b"{", b"]", b"\\", b"\x00", b"\xff", b","))
        elif rng.random() < 0.3:
            del spoilt[place:]
    return bytes(spoilt)


def mutated_value(value: Any, rng: random.Random) -> Any:
    """The value with one to three places of its tree made into something else."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        places = list(_places(value, rng))
        if not places:
            return rng.choice(HOSTILE)()
        container, key = rng.choice(places)
        _spoil(container, key, rng)
    return value


def _places(value: Any, rng: random.Random) -> Iterator[tuple[Any, Any]]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        for key in keys:
            yield item, key
            inner = item[key]
            if isinstance(inner, str) and inner[:1] in ("{", "[") and rng.random() < 0.5:
                inner = _decoded(item, key, inner)
            waiting.append(inner)


def _decoded(container: Any, key: Any, text: str) -> Any:
    """JSON inside a text becomes plain data: other writers do that too."""
    try:
        container[key] = json.loads(text)
    except ValueError:
        return text
    return container[key]


def _spoil(container: Any, key: Any, rng: random.Random) -> None:
    kind = rng.randrange(6)
    if kind <= 2:
        container[key] = rng.choice(HOSTILE)()
    elif kind == 3:
        del container[key]
    elif kind == 4 and isinstance(container, list):
        container.insert(rng.randrange(len(container) + 1), container[key])
    elif isinstance(container, dict):
        other = rng.choice(list(container))
        container[other] = container.pop(key)


def mutated_json(text: str, rng: random.Random) -> bytes:
    """A file of JSON lines, or of one value, with one of its values spoilt; lines also move."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        values = [json.loads(line) for line in lines]
    except ValueError:
        return json.dumps(mutated_value(json.loads(text), rng)).encode("utf-8", "surrogatepass")
    place = rng.randrange(len(values))
    values[place] = mutated_value(values[place], rng)
    if rng.random() < 0.2:
        rng.shuffle(values)
    return "\n".join(map(json.dumps, values)).encode("utf-8", "surrogatepass")


def mutated_parquet(path: Path, rng: random.Random) -> bytes:
    """A Parquet file with a spoilt value in a row, where Parquet can still hold it; else spoilt bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = json.loads(json.dumps(pq.read_table(path).slice(0, 3).to_pylist(), default=str))
    rows[rng.randrange(len(rows))] = mutated_value(rows[0], rng)
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(pa.Table.from_pylist(rows), sink)
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError, OverflowError):
        return mutated_bytes(path.read_bytes(), rng)
    spoilt: bytes = sink.getvalue().to_pybytes()
    return spoilt


def check(path: Path, scratch: Path) -> int:
    """Read a spoilt file: conversations that can be written and replayed, or clear errors; how many conversations.

    Raises:
        AssertionError: it took too long, or a problem is not one line with the file's name.
    """
    problems: list[ReadProblem] = []
    began = time.process_time()
    try:
        found = list(read_conversations([str(path)], on_problem=problems.append))
    except UserError as error:
        found, problems = [], [ReadProblem(str(path), None, str(error).removeprefix(f"{path}: "))]
    assert time.process_time() - began < SECONDS, "too slow"
    assert found or problems or not path.read_bytes().strip(), "nothing was read and nothing was said"
    for problem in problems:
        assert str(problem).startswith(str(path)), str(problem)
        assert "\n" not in str(problem), str(problem)
    for conversation in found:
        for message in conversation.messages:
            message.to_openai()
        for tool in conversation.tools or ():
            tool.to_openai()
    write_conversations(scratch, found)
    again = list(read_conversations([str(scratch)], on_problem=problems.append))
    assert len(again) == len(found)
    return len(found)


def samples(folder: Path) -> list[Path]:
    """The files of a format's folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def spoil(path: Path, rng: random.Random) -> bytes:
    """One mutation of a file, of its bytes or of its structure."""
    if rng.random() < 0.5:
        return mutated_bytes(path.read_bytes(), rng)
    if path.suffix == ".parquet":
        return mutated_parquet(path, rng)
    try:
        return mutated_json(path.read_text(encoding="utf-8"), rng)
    except ValueError:
        return mutated_bytes(path.read_bytes(), rng)
