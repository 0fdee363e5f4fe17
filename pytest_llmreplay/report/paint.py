"""Colour on a terminal, and text fitted to its width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tabulate import SEPARATING_LINE, tabulate

from pytest_llmreplay.report.text import one_line, printable

_CODES = {"red": 31, "green": 32, "yellow": 33, "bold": 1, "dim": 2}
_NARROWEST = 40


@dataclass(frozen=True, slots=True)
class Screen:
    """A terminal: how wide it is and whether it shows colour; `verbosity` is −1 for quiet, 1 for everything."""

    width: int = 100
    colour: bool = False
    verbosity: int = 0

    def paint(self, text: str, *styles: str) -> str:
        """The text in these styles, where the terminal has them."""
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(str(_CODES[style]) for style in styles)}m{text}\x1b[0m"

    def line(self, text: str, indent: str = "") -> str:
        """One line, cut at the edge."""
        return indent + one_line(text, max(self.width - len(indent), _NARROWEST))

    def paragraph(self, text: str, indent: str = "", hanging: str = "") -> str:
        """A paragraph, wrapped at the edge; from its second line on it is indented by `hanging` more."""
        width = max(self.width, _NARROWEST)
        return textwrap.fill(
            printable(text),
            width,
            initial_indent=indent,
            subsequent_indent=indent + hanging,
            break_on_hyphens=False,
        )

    def table(self, rows: Sequence[Sequence[str]], headers: Sequence[str], droppable: Sequence[int] = ()) -> str:
        """A table whose first column is text; columns are dropped, in the order given, until it fits."""
        columns = list(range(len(headers)))
        text = _table(rows, headers)
        for column in droppable:
            if len(text.splitlines()[1]) <= self.width:
                break
            columns.remove(column)
            text = _table([[row[index] for index in columns] for row in rows], [headers[index] for index in columns])
        return text


def plural(count: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def most_of(lines: Sequence[str], most: int, rest: str = "more") -> Iterator[str]:
    """The first lines, and how many are left out."""
    yield from lines[:most]
    if len(lines) > most:
        yield f"  (+{len(lines) - most} {rest})"


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    # The headers go in as a row: tabulate makes a column wider by two when it is told of its header.
    align = ["left", *["right"] * (len(headers) - 1)]
    text = tabulate([list(headers), SEPARATING_LINE, *rows], disable_numparse=True, colalign=align)
    return "\n".join(line.rstrip() for line in text.splitlines()[1:-1])
