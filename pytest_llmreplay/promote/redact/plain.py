"""A text without its disguises: escapes decoded, look-alike characters folded, invisible ones left out."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from pytest_llmreplay.promote.redact.found import Found

_KEPT_TEXTS = 4096
_ESCAPED = re.compile(
    r"&(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,10});|(?:%[0-9a-fA-F]{2})+|\\u[0-9a-fA-F]{4}|\\[nrt/]"
    r"|\[[.@]\]|\([.@]\)"
)
_BACKSLASHED = {"n": "\n", "r": "\r", "t": "\t", "/": "/"}


class Plain(NamedTuple):
    """The plain text, and for each of its characters where it begins and ends in the text as it was written."""

    text: str
    starts: Sequence[int]
    stops: Sequence[int]

    def back(self, found: Found) -> Found:
        """A finding in the plain text as one in the text as it was written."""
        return Found(self.starts[found.start], self.stops[found.stop - 1], found.kind)


@lru_cache(maxsize=_KEPT_TEXTS)
def plain(text: str) -> Plain | None:
    """The text without disguises; None where it has none.

    HTML entities, percent and JSON escapes and `[.]` are decoded; digits, letters, dashes and spaces of any script
    become those of ASCII where Unicode says that they are the same; accents, zero-width characters and soft hyphens are
    left out.
    """
    if text.isascii() and not _ESCAPED.search(text):
        return None
    characters: list[str] = []
    starts: list[int] = []
    stops: list[int] = []

    def add(made: str, start: int, stop: int) -> None:
        for character in made:
            for folded in _folded(character):
                characters.append(folded)
                starts.append(start)
                stops.append(stop)

    done = 0
    for match in _ESCAPED.finditer(text):
        for index in range(done, match.start()):
            add(text[index], index, index + 1)
        add(_decoded(match.group()), *match.span())
        done = match.end()
    for index in range(done, len(text)):
        add(text[index], index, index + 1)
    folded = "".join(characters)
    return None if folded == text else Plain(folded, starts, stops)


def plain_text(text: str) -> str:
    """The text without disguises."""
    made = plain(text)
    return text if made is None else made.text


def _decoded(escape: str) -> str:
    if escape[0] == "&":
        return html.unescape(escape)
    if escape[0] == "%":
        decoded = unquote(escape, errors="replace")
        return escape if "\N{REPLACEMENT CHARACTER}" in decoded else decoded
    if escape[0] == "\\":
        return chr(int(escape.removeprefix("\\u"), 16)) if escape[1] == "u" else _BACKSLASHED[escape[1]]
    return escape[1]


@lru_cache(maxsize=_KEPT_TEXTS)
def _folded(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category in ("Cf", "Mn"):
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    return "".join(c for c in unicodedata.normalize("NFKD", character) if unicodedata.category(c) != "Mn")
