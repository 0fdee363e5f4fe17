"""Text that came from a model or a log, made safe for a terminal."""

from __future__ import annotations

import unicodedata

# Cc: control characters (escape sequences begin with one); Cf: invisible ones, such as those that turn the direction
# of writing; Cs: lone surrogates, which no terminal encoding can write; Zl, Zp: line breaks that are no newline.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text with every control and invisible character but newline and tab written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in _UNSAFE
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def one_line(text: str, longest: int = 100) -> str:
    """The text on one line, safe for a terminal and cut to `longest` characters."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def call_text(name: str, arguments: str, longest: int = 160) -> str:
    """A tool call as people write it: `name(arguments)`."""
    return one_line(f"{name}({'' if arguments.strip() in ('', '{}') else arguments})", longest)
