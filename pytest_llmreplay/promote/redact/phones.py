"""Detector for telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_llmreplay.promote.redact.found import Detector, Found

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

_CANDIDATE = re.compile(r"(?<![\w.+-])(?:\+\s?|00)?\(?\d[\d\s().\-/\u2010-\u2015\xa0]{4,22}\d(?![\w]|[.-]\d)")
_NANP = re.compile(r"(?<![\w.-])(?:\+?1[ .-]?)?(?:\(\d{3}\)\s?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])")
_SPOKEN = re.compile(
    r"(?i)(?:phone|mobile|cell(?:ular)?|tel(?:ephone)?\.?|call(?:\s+me)?|reach\s+me|whatsapp|text\s+me|sms|fax|contact"
    r"|telefon|handy|móvil|téléphone)\b[^\d+(]{0,40}$"
)
_DATE = re.compile(r"\(?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d))(?:[\s(–-].*)?\)?")
_DECIMAL = re.compile(r"[\d.]+")
_SEPARATED = re.compile(r"\d[\s().\-/\xa0]+\d")


def phone_detector(regions: Sequence[str]) -> Detector:
    """A detector of numbers as they are written abroad (`+49 …`) and in these regions (`US`, `DE`, …).

    A national number counts where it is written in groups, or where the words before it speak of a telephone.
    """

    def phones(text: str) -> Iterator[Found]:
        for match in _NANP.finditer(text):
            yield Found(match.start(), match.end(), "phone")
        for match in _CANDIDATE.finditer(text):
            if _is_phone(match.group(), text[max(0, match.start() - 60) : match.start()], regions):
                yield Found(match.start(), match.end(), "phone")

    return phones


def _is_phone(written: str, before: str, regions: Sequence[str]) -> bool:
    import phonenumbers

    digits = sum(character.isdigit() for character in written)
    if not 7 <= digits <= 15 or "\n" in written.strip() or _DATE.fullmatch(written):
        return False
    if written.startswith("+") or (written.startswith("00") and digits >= 10):
        number = _parsed("+" + written.lstrip("+0 ") if written.startswith("00") else written, None)
        return number is not None and phonenumbers.is_possible_number(number)
    spoken = _SPOKEN.search(before) is not None
    if not spoken and (not _SEPARATED.search(written) or _DECIMAL.fullmatch(written)):
        return False
    for region in regions:
        number = _parsed(written, region)
        if number is not None and (phonenumbers.is_valid_number(number) or (spoken and digits >= 7)):
            return True
    return False


def _parsed(written: str, region: str | None) -> PhoneNumber | None:
    import phonenumbers

    try:
        return phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None


def international(written: str, regions: Sequence[str]) -> str:
    """The number as `+` and digits where it can be read so, else its digits: equal numbers have one spelling."""
    import phonenumbers

    for region in (None, *regions):
        number = _parsed(written, region)
        if number is not None and phonenumbers.is_possible_number(number):
            return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return re.sub(r"\D", "", written)
