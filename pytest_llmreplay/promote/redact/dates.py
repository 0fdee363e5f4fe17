"""Dates in the ways people write them."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)


def iso_date(written: str) -> str | None:
    """The date as YYYY-MM-DD where it can be read, else None; 04/05/1990 is read month first."""
    text = written.strip().casefold()
    if match := re.match(r"(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})(?!\d)", text):
        return _iso(int(match[1]), int(match[2]), int(match[3]))
    month = next((i for i, name in enumerate(_MONTHS, start=1) if re.search(rf"\b{name[:3]}[a-z]*", text)), None)
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    if month is not None and len(numbers) >= 2:
        day, year = sorted(numbers[:2])
        return _iso(year, month, day)
    if len(numbers) == 3:
        first, second, year = numbers
        year += 0 if year > 99 else 1900 if year > 30 else 2000
        return _iso(year, first, second) or _iso(year, second, first)
    return None


def date_pattern(iso: str) -> str:
    """A regular expression for the spellings of a date."""
    year, month, day = iso.split("-")
    name = _MONTHS[int(month) - 1]
    m, d = rf"0?{int(month)}", rf"0?{int(day)}"
    y = rf"(?:{year}|{year[2:]})"
    word = rf"(?:{name}|{name[:3]}\.?|{name[:4]}\.?)"
    forms = (
        rf"{year}[-/. ]?{m}[-/. ]?{d}",
        rf"{m}[-/. ]{d}[-/. ]{y}",
        rf"{d}[-/. ]{m}[-/. ]{y}",
        rf"{word}\s+{d}(?:st|nd|rd|th)?,?\s+{year}",
        rf"{d}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?{word},?\s+{year}",
        rf"{m.replace('?', '')}{d.replace('?', '')}{year}",
    )
    return rf"(?<!\d)(?:{'|'.join(forms)})(?!\d)"


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
