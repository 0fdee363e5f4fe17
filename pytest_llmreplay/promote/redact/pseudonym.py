"""Pseudonyms: equal for equal values under one key, and without the key of no use to find the value."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

PSEUDONYM = re.compile(r"\[[A-Z][A-Z_]*_[0-9a-f]{8}\]")

_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Makes `[EMAIL_3fa9c01d]`, or with `fake` a value of the same form that belongs to nobody.

    `key` gives the key when the first pseudonym is made. `made` collects the fakes, so that the second scan knows them.
    """

    key: Callable[[], bytes]
    fake: bool = False
    made: set[str] = field(default_factory=set)

    def of(self, kind: str, canonical: str, written: str) -> str:
        """What stands for a value of this kind.

        Args:
            kind: its kind.
            canonical: the value in the spelling that all its spellings share.
            written: as it is written here; a fake keeps that form.
        """
        digest = hmac.new(self.key(), f"{kind}\0{canonical}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        if not self.fake:
            return f"[{kind.upper()}_{digest.hex()[:8]}]"
        made = _fake(kind, canonical, written, digest)
        if made.casefold() == written.casefold():  # there was nothing in it to change
            made = f"[{kind.upper()}_{digest.hex()[:8]}]"
        self.made.add(made)
        return made


def _fake(kind: str, canonical: str, written: str, digest: bytes) -> str:
    special: dict[str, Callable[[str, str, bytes], str]] = {
        "email": lambda _c, _w, d: f"{_word(d)}.{d.hex()[:6]}@example.com",
        "name": lambda _c, w, d: _cased_like(w, _word(d)),
        "card": _card,
        "iban": _iban,
        "ip": _machine,
        "phone": _phone,
        "dob": _birth,
        "url": lambda _c, _w, d: f"https://example.com/{d.hex()[:12]}",
        "address": _house,
    }
    make = special.get(kind)
    return make(canonical, written, digest) if make is not None else _same_shape(written, digest)


def _numbers(digest: bytes, count: int) -> list[int]:
    """`count` digits drawn from a digest, however many."""
    stream = b"".join(hashlib.sha256(digest + bytes([i])).digest() for i in range(count // 32 + 1))
    return [byte % 10 for byte in stream[:count]]


def _word(digest: bytes) -> str:
    """A word that can be said and names nobody: four syllables, so that two values seldom share one."""
    pairs = zip(digest[:4], digest[4:8], strict=True)
    return "".join(_CONSONANTS[a % len(_CONSONANTS)] + _VOWELS[b % len(_VOWELS)] for a, b in pairs)


def _cased_like(written: str, word: str) -> str:
    letters = [c for c in written if c.isalpha()]
    if len(letters) > 1 and all(c.isupper() for c in letters):
        return word.upper()
    return word.capitalize() if letters and letters[0].isupper() else word


def _filled(written: str, digits: list[int]) -> str:
    """`written` with its digits, from the right, replaced by `digits`."""
    left = list(digits)
    out = [str(left.pop()) if c.isdigit() and left else c for c in reversed(written)]
    return "".join(reversed(out))


def _card(_canonical: str, written: str, digest: bytes) -> str:
    count = sum(c.isdigit() for c in written)
    digits = [4, *_numbers(digest, max(count - 2, 1))]
    doubled = (d * 2 if i % 2 == 0 else d for i, d in enumerate(reversed(digits)))
    digits.append(-sum(d - 9 if d > 9 else d for d in doubled) % 10)
    return _filled(written, digits)


def _iban(canonical: str, _written: str, digest: bytes) -> str:
    country = canonical[:2].upper() if canonical[:2].isalpha() else "DE"
    body = "".join(map(str, _numbers(digest, max(len(canonical) - 4, 11))))
    check = 98 - int("".join(str(int(c, 36)) for c in f"{body}{country}00")) % 97
    return f"{country}{check:02}{body}"


def _machine(canonical: str, _written: str, digest: bytes) -> str:
    return f"2001:db8::{digest.hex()[:4]}" if ":" in canonical else f"198.51.100.{digest[0] % 254 + 1}"


def _phone(_canonical: str, written: str, digest: bytes) -> str:
    """The same country and groups; the area becomes 555, which North America gives to nobody."""
    digits = sum(c.isdigit() for c in written)
    kept = 7 if digits >= 10 else 4
    numbers = _numbers(digest, kept)
    return _filled(written, [5, 5, 5, *numbers] if digits >= 10 else numbers)


def _birth(canonical: str, written: str, digest: bytes) -> str:
    day = date(1950, 1, 1) + timedelta(days=int.from_bytes(digest[:4]) % 18250)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", canonical) and re.search(r"[a-zA-Z]", written):
        return f"{day:%B} {day.day}, {day.year}"
    if re.match(r"\d{4}", written):
        separator = written[4] if len(written) > 4 and not written[4].isdigit() else ""
        return day.strftime(f"%Y{separator}%m{separator}%d")
    separator = next((c for c in written if not c.isalnum()), "/")
    return day.strftime(f"%m{separator}%d{separator}%Y")


def _house(_canonical: str, written: str, digest: bytes) -> str:
    if re.fullmatch(r"[\d\s-]+|[A-Za-z\d]{2,4}\s?[A-Za-z\d]{3}", written.strip()):
        return _same_shape(written, digest)
    return f"{int.from_bytes(digest[8:10]) % 900 + 100} {_word(digest).capitalize()} Street"


def _same_shape(written: str, digest: bytes) -> str:
    """Each letter by a letter and each digit by a digit."""
    stream = b"".join(hashlib.sha256(digest + bytes([i])).digest() for i in range(len(written) // 32 + 1))
    out = []
    for character, byte in zip(written, stream, strict=False):
        if character.isdigit():
            out.append(str(byte % 10))
        elif character.isalpha():
            letter = chr(ord("a") + byte % 26)
            out.append(letter.upper() if character.isupper() else letter)
        else:
            out.append(character)
    return "".join(out)
