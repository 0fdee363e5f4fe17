"""JSON in files as they come: one value a line, one big array, one object, or many printed one after the other."""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from pytest_llmreplay.traces.json_value import MAX_RECORD_BYTES, parse, safe
from pytest_llmreplay.traces.reading import UnreadableError
from pytest_llmreplay.traces.sources import Source

_CHUNK = 1 << 20
_SNIFFED_LINES = 20


@dataclass(frozen=True, slots=True)
class Record:
    """One value of a file and its number: the line in a file of lines, else its place, from 1.

    `error` says why there is no value. `offset` is where its line starts, in bytes, None when there are no lines.
    """

    number: int
    value: Any = None
    error: str | None = None
    offset: int | None = None


def read_records(source: Source, *, whole_list: Callable[[Any], bool] = lambda _: False) -> Iterator[Record]:
    """Every value of a JSON file, one at a time.

    A file that is one array counts as its elements, unless `whole_list` says of its first element that the array is
    one value.

    Raises:
        UnreadableError: the file cannot be opened or decompressed.
    """
    try:
        with source.open() as stream:
            if _has_lines(stream):
                stream.close()
                with source.open() as lines:
                    yield from _flattened(_lines(lines), whole_list)
            else:
                stream.close()
                with source.open() as text:
                    yield from _stream(text, whole_list)
    except OSError as error:
        raise UnreadableError(f"reading stopped: {error}") from error


def _has_lines(stream: BinaryIO) -> bool:
    """Whether the file holds one value a line; a damaged first line does not hide the others.

    A long array on one line is read element by element, so that it is never in memory as a whole.
    """
    for _ in range(_SNIFFED_LINES):
        line = stream.readline(_CHUNK)
        if not line:
            break
        text = line.strip().removeprefix(codecs.BOM_UTF8)
        if not text:
            continue
        whole = line.endswith(b"\n") or len(line) < _CHUNK
        if text in (b"[", b"{", b"[{") or (text.startswith(b"[") and not whole):
            return False
        if not whole:
            text += stream.readline(MAX_RECORD_BYTES - _CHUNK).strip()
        try:
            if isinstance(parse(text), (dict, list)):
                return True
        except ValueError:
            continue
    return False


def _lines(stream: BinaryIO) -> Iterator[Record]:
    number = offset = 0
    while line := stream.readline(MAX_RECORD_BYTES):
        number += 1
        start, offset = offset, offset + len(line)
        if len(line) == MAX_RECORD_BYTES and not line.endswith(b"\n"):
            offset += _skip_line(stream)
            yield Record(number, error=_too_long(), offset=start)
            continue
        text = line.strip().removeprefix(codecs.BOM_UTF8)
        if text:
            yield _parsed(text, number, start)


def _parsed(text: bytes, number: int, offset: int) -> Record:
    try:
        return Record(number, parse(text), offset=offset)
    except ValueError as error:
        return Record(number, error=str(error), offset=offset)


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while chunk := stream.readline(_CHUNK):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped


def _too_long() -> str:
    return f"longer than {MAX_RECORD_BYTES >> 20} MB"


def _flattened(records: Iterator[Record], whole_list: Callable[[Any], bool]) -> Iterator[Record]:
    """The records, but a file that is one array on one line counts as its elements."""
    first = next(records, None)
    second = next(records, None)
    if first is not None and second is None and isinstance(first.value, list) and _is_many(first.value, whole_list):
        for number, value in enumerate(first.value, start=1):
            yield Record(number, value)
        return
    yield from (record for record in (first, second) if record is not None)
    yield from records


def _is_many(values: list[Any], whole_list: Callable[[Any], bool]) -> bool:
    return not (values and whole_list(values[0]))


class _Text:
    """A window on a long text that grows at its end and is cut at its start."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self.ended = False

    def grow(self) -> None:
        """Read as much again as there is, at least one chunk.

        Raises:
            ValueError: the bytes are not UTF-8.
        """
        self._text, self._at = self._text[self._at :], 0
        data = self._stream.read(max(_CHUNK, len(self._text)))
        self.ended = not data
        self._text += self._decoder.decode(data, final=self.ended)

    def peek(self, blank: re.Pattern[str]) -> str:
        """Pass over what is blank; the first character after it, or an empty text at the end."""
        while True:
            match = blank.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text) or self.ended:
                return self._text[self._at : self._at + 1]
            self.grow()

    def step(self) -> None:
        """Pass over one character."""
        self._at += 1

    def value(self) -> tuple[Any, int]:
        """Take one JSON value from the start; the value and its length in characters.

        Raises:
            ValueError: it is damaged, cut off or too long.
        """
        while True:
            reason = "cut off"
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                reason = f"not JSON ({error.msg} at character {error.pos - self._at + 1} of the record)"
            except RecursionError as error:
                raise ValueError("JSON nested too deeply") from error
            else:
                if end < len(self._text) or self.ended:
                    taken, self._at = self._text[self._at : end], end
                    return safe(value, taken), len(taken)
            if self.ended:
                raise ValueError(reason)
            if len(self._text) - self._at > MAX_RECORD_BYTES:
                raise ValueError(f"{_too_long()}, or {reason}")
            self.grow()


_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_BETWEEN_VALUES = re.compile(r"[ \t\r\n\x1e]*")
_BETWEEN_ELEMENTS = re.compile(r"[ \t\r\n,]*")


def _stream(stream: BinaryIO, whole_list: Callable[[Any], bool]) -> Iterator[Record]:
    """Values one after the other; what follows damage cannot be found again, so it ends there."""
    text = _Text(stream)
    number = 0
    try:
        while start := text.peek(_BETWEEN_VALUES):
            values = _elements(text, whole_list) if start == "[" else iter((text.value()[0],))
            for value in values:
                number += 1
                yield Record(number, value)
    except ValueError as error:
        yield Record(number + 1, error=f"{error}; what follows it cannot be read")


def _elements(text: _Text, whole_list: Callable[[Any], bool]) -> Iterator[Any]:
    """The elements of the array that starts here, or the array itself when it is one value."""
    text.step()
    whole: list[Any] | None = None
    size = 0
    for count in itertools.count():
        start = text.peek(_BETWEEN_ELEMENTS)
        if start in ("", "]"):
            break
        value, length = text.value()
        if count == 0 and whole_list(value):
            whole = []
        if whole is None:
            yield value
            continue
        whole.append(value)
        size += length
        if size > MAX_RECORD_BYTES:
            raise ValueError(_too_long())
    if not start:
        raise ValueError("the array is cut off")
    text.step()
    if whole:
        yield whole
