"""Numbers as people and programs write them: every plausible reading, and which of them were heard before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

_SPACES = " \u00a0\u202f"
_RUN = re.compile(rf"\d+(?:[.,'’{_SPACES}-]\d+)*")
_PART = re.compile(rf"(?<!\d)\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,'’]\d+)*")
_ENGLISH = re.compile(r"(?<![\w.,])\d+(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?")
_DECIMAL = re.compile(r"(\d+)[.,](\d+)")
_GROUPED = re.compile(
    rf"(\d{{1,3}}(?P<group>[.,'’{_SPACES}])\d{{3}}(?:(?P=group)\d{{3}})*)(?:(?!(?P=group))[.,](\d+))?"
)
_INDIAN = re.compile(r"(\d{1,2}(?:,\d\d)+,\d{3})(?:\.(\d+))?")
_TELEPHONE_LIKE = re.compile(rf"\d+(?:[{_SPACES}-]\d+)+")
_NOT_DIGIT = re.compile(r"\D")
_PERCENT = re.compile(rf"[{_SPACES}]?[%٪％]")
_FEWEST_DIGITS = 2
_LONGEST_TERM = 12
_LONGEST_SUM = 15


class Said(NamedTuple):
    """The numbers of a text in every reading, those to reckon with in hundredths, and the digits of runs with gaps."""

    numbers: frozenset[str]
    hundredths: frozenset[int]
    squashed: frozenset[str]


class Heard:
    """The numbers that were said so far, and what a sum of two of them would be."""

    def __init__(self) -> None:
        self._numbers: set[str] = set()
        self._hundredths: set[int] = set()
        self._squashed: set[str] = set()

    def add(self, text: str) -> None:
        """Somebody said this."""
        told = said(text)
        self._numbers |= told.numbers
        self._hundredths |= told.hundredths
        self._squashed |= told.squashed

    def unheard(self, text: str, taken: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Where numbers of two digits or more stand, outside of what is taken, that nobody said in any reading."""
        for run in _RUN.finditer(text):
            if _TELEPHONE_LIKE.fullmatch(run.group()) and self._was_said(_squashed(run.group())):
                continue
            for part in _PART.finditer(text, *run.span()):
                yield from self._unheard_part(text, part, taken)

    def _unheard_part(
        self, text: str, part: re.Match[str], taken: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int]]:
        whole = _readings(part.group())
        if any(map(self._has, whole)) or (_PERCENT.match(text, part.end()) and any(map(self._has_hundredth, whole))):
            return
        for number in _ENGLISH.finditer(text, *part.span()):
            start, stop = number.span()
            plain = _normal(number.group())
            digits = len(plain.replace(".", ""))
            if digits < _FEWEST_DIGITS or any(a < stop and start < b for a, b in taken) or self._has(plain):
                continue
            yield part.span() if whole else number.span()
            return

    def _has(self, number: str) -> bool:
        return self._was_said(number) or self._follows(number)

    def _has_hundredth(self, number: str) -> bool:
        return _normal(f"{Decimal(number).scaleb(-2):f}") in self._numbers

    def _was_said(self, number: str) -> bool:
        return number in self._numbers or number in self._squashed

    def _follows(self, number: str) -> bool:
        """Whether it is a sum or difference of two numbers, or a small multiple of one; in hundredths."""
        if len(number.partition(".")[0]) > _LONGEST_SUM:
            return False
        wanted, known = round(float(number) * 100), self._hundredths
        return any(
            wanted - one in known or wanted + one in known or (wanted % one == 0 and wanted // one < 10)
            for one in known
            if one
        )


@lru_cache(maxsize=256)
def said(text: str) -> Said:
    """The numbers of a text; system prompts and results repeat."""
    found: set[str] = set()
    squashed: set[str] = set()
    for match in _RUN.finditer(text):
        run = match.group()
        if run.isdecimal():
            found.add(_normal(run))
            continue
        found.update(_normal(number.group()) for number in _ENGLISH.finditer(text, *match.span()))
        found.update(*map(_readings, _PART.findall(run)))
        if _TELEPHONE_LIKE.fullmatch(run):
            squashed.add(_squashed(run))
    hundredths = {round(float(one) * 100) for one in found if _FEWEST_DIGITS <= len(one) <= _LONGEST_TERM}
    return Said(frozenset(found), frozenset(hundredths), frozenset(squashed))


def in_english(text: str) -> Iterator[str]:
    """The numbers of a text, read with a point as decimal mark and commas between thousands."""
    return map(_normal, _ENGLISH.findall(text))


@lru_cache(maxsize=4096)
def _readings(part: str) -> frozenset[str]:
    """What one number may mean; nothing where it can be no single number, as a date or a list."""
    if part.isdecimal():
        return frozenset((_normal(part),))
    matches = (pattern.fullmatch(part) for pattern in (_DECIMAL, _GROUPED, _INDIAN))
    return frozenset(_decimal(match[1], match[match.re.groups] or "") for match in matches if match)


def _squashed(run: str) -> str:
    return _decimal(run, "")


def _decimal(whole: str, part: str) -> str:
    return _normal(f"{_NOT_DIGIT.sub('', whole)}.{part}")


def _normal(number: str) -> str:
    whole, _, part = number.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{part}" if part else "")
