"""Fields that a text spells out although it is no JSON as a whole: malformed JSON, markup, forms, lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pytest_llmreplay.promote.redact.dates import iso_date

_QUOTED = re.compile(
    r"\\*[\"'](?P<key>\w[\w .-]{1,40})\\*[\"']\s*[:=]\s*"
    r"(?:\\*\"(?P<double>[^\"\n\\]{1,200})\\*\"|\\*'(?P<single>[^'\n\\]{1,200})\\*')"
)
_ELEMENT = re.compile(r"<(?:\w+:)?(?P<key>\w[\w.-]{1,40})(?:\s[^<>]*)?>(?P<value>[^<>]{1,200})</")
_ATTRIBUTE = re.compile(
    r"(?<![\w.-])(?P<key>[\w-]{2,40})=(?:\"(?P<double>[^\"<>\n]{1,200})\"|'(?P<single>[^'<>\n]{1,200})')"
)
_FORM = re.compile(r"(?:^|(?<=[?&;\s]))(?P<key>[\w.-]{2,40})=(?P<value>[^&\s;\"'<>]{1,200})")
_LINE = re.compile(r"(?m)^[ \t>*•-]*(?P<key>[^\W\d_][\w .-]{1,30}?)\**\s*:\**[ \t]*(?P<value>\S[^\n]{0,150}?)[ \t,;]*$")
_CELLS = re.compile(r"\|\s*\**(?P<key>[^\W\d_][\w -]{1,30}?)\**\s*\|\s*(?P<value>[^|\n]{1,120}?)\s*(?=\||$)")
_EXACT, _LOOSE = (_QUOTED, _ELEMENT, _ATTRIBUTE), (_FORM, _LINE, _CELLS)
_CAPITALISED = re.compile(r"[^\W\d_a-z][^\W\d_]*(?:['’-][^\W\d_]+)*\.?")


class Field(NamedTuple):
    """A value in a text, `text[start:stop]`, and the kind of personal value that its key is for."""

    start: int
    stop: int
    key: str
    kind: str


def fields_in(text: str, kind_of: Callable[[str], str | None]) -> list[Field]:
    """The values at typed places, in order and without overlaps.

    Args:
        text: any text.
        kind_of: the kind of what stands under a key, or None.
    """
    found: list[Field] = []
    for field in sorted(_all(text, kind_of)):
        if not found or field.start >= found[-1].stop:
            found.append(field)
    return found


def _all(text: str, kind_of: Callable[[str], str | None]) -> Iterator[Field]:
    for pattern in (*_EXACT, *_LOOSE):
        for match in pattern.finditer(text):
            kind = kind_of(match["key"])
            group = next(name for name in match.groupdict() if name != "key" and match[name] is not None)
            if kind is not None and (pattern in _EXACT or _is_such(kind, match[group])):
                yield Field(*match.span(group), match["key"], kind)


def _is_such(kind: str, value: str) -> bool:
    """Whether a value in a looser form is one, and not a remark that begins like a field."""
    words = value.replace("+", " ").split()
    if kind == "name":
        return len(words) <= 4 and all(_CAPITALISED.fullmatch(word) for word in words)
    if kind == "dob":
        return iso_date(value) is not None
    if kind == "secret":
        return len(words) == 1 and len(value) >= 4
    if kind in ("user_id", "session_id"):
        return len(words) == 1 and any(c.isdigit() or c in "_@" for c in value)
    return any(c.isdigit() or c == "@" for c in value)
