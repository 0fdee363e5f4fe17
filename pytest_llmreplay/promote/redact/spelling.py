"""One value in all its spellings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_llmreplay.promote.redact.dates import date_pattern, iso_date
from pytest_llmreplay.promote.redact.found import Found
from pytest_llmreplay.promote.redact.phones import international
from pytest_llmreplay.promote.redact.plain import plain, plain_text
from pytest_llmreplay.promote.redact.words import Words

TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam", "herr", "frau", "jr", "sr"})
_GAP = r"[\s().\-/\xa0]*"
_SHORTEST = 4
_GLUED = 8
_LONGEST_ADDRESS = 8


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is looked for in every text of a case.

    `needle` must be in a text, lower case, for the pattern to be tried; `digits` in its digits.
    """

    kind: str
    pattern: re.Pattern[str]
    needle: str = ""
    digits: str = ""

    def find(self, text: str, folded: str, digits: str) -> list[Found]:
        """Where it stands in a text, given the text in lower case and its digits."""
        if self.needle not in folded or self.digits not in digits:
            return []
        return [Found(match.start(), match.end(), self.kind) for match in self.pattern.finditer(text)]


def known_in(text: str, values: Sequence[Known]) -> list[Found]:
    """Where the values stand in a text, also in disguise."""
    bare = plain(text)
    found = _found(text, values)
    return found if bare is None else found + [bare.back(one) for one in _found(bare.text, values)]


def _found(text: str, values: Sequence[Known]) -> list[Found]:
    folded, digits = text.casefold(), "".join(c for c in text if c.isdigit())
    return [one for known in values for one in known.find(text, folded, digits)]


def address_windows(text: str) -> Iterator[str]:
    """Runs of words that may be an address: they begin with a number, or end in one."""
    words = re.findall(r"[^\s,]+", text)
    for start in range(len(words)):
        for stop in range(start + 2, min(start + _LONGEST_ADDRESS, len(words)) + 1):
            window = words[start:stop]
            if window[0][0].isdigit() or window[-1][0].isdigit():
                yield " ".join(window).rstrip(".;:!?")


def canonical(kind: str, written: str, regions: Sequence[str]) -> str:
    """The spelling that all spellings of a value share."""
    written = plain_text(written)
    if kind == "phone":
        return international(written, regions)
    if kind in ("card", "iban", "national_id"):
        return re.sub(r"[^A-Za-z0-9]", "", written).upper()
    if kind == "dob":
        return iso_date(written) or _folded(written)
    if kind == "email":
        written = re.sub(r"\s+", "", _plain_email(written))
    elif kind == "address":
        written = re.sub(r"[,.]", " ", written)
    return _folded(written)


def known_values(kind: str, written: str, words: Words, regions: Sequence[str]) -> list[Known]:
    """How to find a value wherever it is said again; nothing for one too short to be told from other text."""
    written = plain_text(written).strip()
    if kind == "name":
        return _names(written, words)
    if kind == "phone":
        return _phone(written, regions)
    if kind in ("card", "iban", "national_id"):
        return _grouped(kind, written)
    iso = iso_date(written) if kind == "dob" else None
    if iso is not None:
        return [Known("dob", re.compile(date_pattern(iso), re.IGNORECASE), digits=iso[2:4])]
    if sum(c.isalnum() for c in written) < _SHORTEST or (kind in ("user_id", "session_id") and words.is_word(written)):
        return []
    return [_email(written) if kind == "email" else _spelt_out(kind, written)]


def _spelt_out(kind: str, written: str) -> Known:
    if kind == "address" and " " in written:
        parts = [part for part in re.split(r"[\s,.]+", written) if part]
        return _bounded(kind, r"[\s,.]+".join(map(re.escape, parts)), parts[0].casefold())
    return _bounded(kind, re.escape(written), written.casefold())


def _bounded(kind: str, pattern: str, needle: str) -> Known:
    return Known(kind, re.compile(rf"(?<![^\W_]){pattern}(?![^\W_])", re.IGNORECASE), needle)


def _email(written: str) -> Known:
    local, _, domain = _plain_email(written).partition("@")
    at = r"\s*(?:@|\(at\)|\[at\]|\{at\}|\s+at\s+)\s*" if domain else ""
    dot = r"\s*(?:\.|\(dot\)|\[dot\]|\s+dot\s+)\s*"
    spelt = at.join(dot.join(re.escape(bit) for bit in part.split(".")) for part in (local, domain) if part)
    return Known("email", re.compile(rf"(?i)(?<![\w.+-]){spelt}(?![\w-])"), re.split(r"[.]", local)[0].casefold())


def _plain_email(written: str) -> str:
    plain = re.sub(r"(?i)\s*(?:\(at\)|\[at\]|\{at\}|\s+at\s+)\s*", "@", written.strip(), count=1)
    return re.sub(r"(?i)\s*(?:\(dot\)|\[dot\]|\{dot\}|\s+dot\s+)\s*", ".", plain)


def _grouped(kind: str, written: str) -> list[Known]:
    plain = re.sub(r"[^A-Za-z0-9]", "", written)
    if len(plain) < 6:
        return []
    joined = _GAP.join(plain)
    return [
        Known(kind, re.compile(rf"(?i)(?<![^\W_]){joined}(?![^\W_])"), digits="".join(c for c in plain if c.isdigit()))
    ]


def _phone(written: str, regions: Sequence[str]) -> list[Known]:
    import phonenumbers

    whole = international(written, regions)
    digits = whole.lstrip("+")
    code = ""
    if whole.startswith("+"):
        parsed = phonenumbers.parse(whole)
        code, digits = str(parsed.country_code), phonenumbers.national_significant_number(parsed)
    if len(digits) < 6:
        return []
    prefix = rf"(?:(?:\+|00)?{_GAP}{code}{_GAP})?(?:\(?0\)?{_GAP})?\(?" if code else r"\+?\(?"
    return [Known("phone", re.compile(rf"(?<![^\W_]){prefix}{_GAP.join(digits)}(?!\d)"), digits=digits)]


def _names(written: str, words: Words) -> list[Known]:
    parts = [part for part in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", written) if part.casefold() not in TITLES]
    known = []
    if len(parts) > 1 and len(parts) <= 6:
        for order in (parts, parts[::-1]):
            # Glued together they are told from other text by their length only.
            gap = r"[\s,._+-]*" if sum(map(len, parts)) >= _GLUED else r"[\s,._+-]+"
            known.append(_bounded("name", gap.join(map(_spelt_name, order)), order[0].casefold()[:1]))
    if len(parts) > 4 or any(c.isdigit() for c in written):
        return known or [_bounded("name", re.escape(written), written.casefold())]
    for part in parts:
        if len(part) < 2:
            continue
        spelt = _spelt_name(part)
        if words.may_name(part) or "-" in part:
            known.append(_bounded("name", spelt, re.split(r"['’-]", part)[0].casefold()))
            continue
        # A common word is the name where it is written as one or introduced as one.
        cased = "|".join(dict.fromkeys(re.escape(form) for form in (part.capitalize(), part.upper()) if len(part) > 1))
        said = rf"(?:(?<=\bis )|(?<=\bam )|(?<=\bI'm ))(?i:{spelt})"
        introduced = re.compile(rf"(?:(?<![^\W_])(?:{cased})|{said})(?![^\W_])")
        known.append(Known("name", introduced, part.casefold()))
    return known


def _spelt_name(part: str) -> str:
    """A part of a name; a hyphen or an apostrophe in it may be left out."""
    return r"[\s'’-]?".join(map(re.escape, re.split(r"['’-]", part)))


def _folded(written: str) -> str:
    return " ".join(written.split()).casefold()
