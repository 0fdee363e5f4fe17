"""Detectors for values that their form gives away: mail, cards, accounts, addresses of machines and of houses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

from pytest_llmreplay.promote.redact.found import Detector, Found

# Each begins where a word does and repeats a bounded number of times, so that no text takes more than linear time.
_EMAIL = re.compile(
    r"(?:\"[^\"\n@]{1,64}\"|(?<![^\s@<>()\[\]{}\"',;:/\\|=])[^\s@<>()\[\]{}\"',;:/\\|=]+)"
    r"@[^\s@<>()\[\]{}\"',;:/\\|=?&#]+\.[^\W\d_]{2,}"
    r"|(?<![\w.+-])[\w+-]+(?:(?:\.|\s\.\s)[\w+-]+){0,8}\s{0,2}@\s{0,2}[\w-]+(?:(?:\.|\s\.\s)[\w-]+){0,5}"
    r"(?:\.|\s\.\s)[^\W\d_]{2,}"
)
_AT = r"(?:\s{0,3}(?:\(at\)|\[at\]|\{at\}|<at>|\(a\)|_at_)\s{0,3}|\s{1,3}at\s{1,3})"
_DOT = r"(?:\s{0,3}(?:\(dot\)|\[dot\]|\{dot\}|<dot>|_dot_)\s{0,3}|\s{1,3}dot\s{1,3})"
_LOCAL = rf"(?<![\w.+-])[a-z0-9][a-z0-9+.-]*(?:_(?!at_|dot_)[a-z0-9+.-]+)*(?:{_DOT}[a-z0-9][\w+-]*){{0,5}}"
_SPOKEN_EMAIL = re.compile(
    rf"(?i){_LOCAL}{_AT}[a-z0-9][a-z0-9-]*(?:(?:{_DOT}|\.)[a-z0-9-]+){{0,5}}{_DOT}[a-z]{{2,}}\b"
    rf"|{_LOCAL}\s{{0,3}}(?:\(at\)|\[at\]|\{{at\}}|<at>|\(a\)|_at_)\s{{0,3}}[a-z0-9-]+(?:\.[a-z0-9-]+){{0,5}}\.[a-z]{{2,}}\b"
)
# Said in words, `at` alone gives no one away: people look at shop.example, and mail someone at a provider of mail.
_MAIL_AT = re.compile(
    r"(?i)(?<![\w.+-])(?:(?=[\w.+-]*[\d._+])[\w.+-]+\s{1,3}at\s{1,3}[a-z0-9-]+(?:\.[a-z0-9-]+){0,5}\.[a-z]{2,}"
    r"|[\w.+-]+\s{1,3}at\s{1,3}(?:gmail|googlemail|yahoo|hotmail|outlook|live|msn|icloud|me|aol|gmx|web|mail"
    r"|proton(?:mail)?|yandex|qq|163|zoho|fastmail|t-online|orange|libero)\s?\.\s?[a-z]{2,}(?:\.[a-z]{2})?)\b"
)
# In groups it must stand alone: the groups of a UUID may well add up to a card.
_CARD = re.compile(r"(?<![\d.])\d{13,19}(?!\d)|(?<![\w.-])\d(?:[ .-]{0,2}\d){12,18}(?!\w)")
_GROUPED_CARD = re.compile(
    r"(?<!\w)(?:\d{4}(?:[\s.,/_:;|-]{1,3}\d{4}){3}|\d{4}[\s.,/_:;|-]{1,3}\d{6}[\s.,/_:;|-]{1,3}\d{5})(?!\w)"
)
_IBAN = re.compile(r"(?i)(?<![a-z0-9])[a-z]{2}\d{2}(?:[\s._/-]?[a-z0-9]){11,30}(?![a-z0-9])")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w+)?(?![\w:])")
_URL_LOGIN = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/@:\"'<>]+:[^\s/@\"'<>]+@[^\s\"'<>]+")
_URL_TOKEN = re.compile(
    r"(?i)\b[a-z][a-z0-9+.-]*://[^\s\"'<>]*[?&;#](?:[\w.-]*(?:token|key|secret|password|passwd|signature|sig|auth))"
    r"=[^\s\"'<>]+"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{8}"
    rf"|{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|\d{{1,2}}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?{_MONTH},?\s+\d{{4}})"
)
_BORN = re.compile(
    r"(?i)\b(?:born|birth\s*date|birth\s*day|date\s+of\s+birth|dob|d\.o\.b\.?|geburtsdatum|geboren|né[e]?|nacid[oa])"
    rf"\b[^\d\n]{{0,25}}?({_DATE})"
)
_STREET = (
    r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|square|sq|terrace|ter"
    r"|parkway|pkwy|circle|cir|highway|hwy|crescent|close|gardens|mews|trail|loop|row)"
)
_US_HOUSE = (
    rf"(?<![\w/.-])\d{{1,5}}[A-Za-z]?,?\s+(?:[NSEW]\.?\s+)?"
    rf"(?:(?!(?i:{_STREET})\b)[A-Z0-9][\w.'’-]*\s+){{1,4}}(?i:{_STREET})\b\.?"
    r"(?:,?\s*(?i:apt|apartment|suite|ste|unit|flat|#)\.?\s*#?\w+)?"
    r"(?:,\s*[A-Z][\w.'’ -]+?(?=,|\s+[A-Z]{2}\s+\d{5}))?(?:,?\s*[A-Z]{2}\s+\d{5}(?:-\d{4})?)?"
)
_CARELESS_HOUSE = (
    rf"(?i)(?<![\w/.-])\d{{1,5}}\s+(?:(?!{_STREET}\b)[a-z][\w.'’-]*\s+){{1,2}}"
    r"(?:street|avenue|road|boulevard|lane|drive)\b(?:,?\s*(?:apt|apartment|suite|unit)\.?\s*#?\w+)?"
)
_GERMAN_HOUSE = (
    r"(?i)(?<![\w-])[a-zäöüß-]{2,40}(?:straße|strasse|str\.|gasse|allee|weg|platz)\s+\d{1,4}\s?[a-z]?(?!\w)"
    r"(?:,?\s+\d{5}\s+[A-ZÄÖÜ][\w-]+)?"
)
_FRENCH_HOUSE = (
    r"(?i)(?<!\w)\d{1,4},?\s+(?:bis\s+|ter\s+)?(?:rue|avenue|boulevard|chemin|impasse|allée|quai)\s+"
    r"(?:d[eu]s?\s+|de\s+la\s+)?[\w'’-]+(?:\s+(?-i:[A-ZÀ-Þ])[\w'’-]+)*(?:,?\s+\d{5}\s+[\w-]+)?"
)
_SOUTHERN_HOUSE = r"(?i)(?<!\w)(?:calle|avenida|via|viale|piazza|rua)\s+(?:[\w'’.-]+\s+){1,3}?\d{1,4}(?!\w)"
_POST_BOX = r"(?i)(?<!\w)p\.?\s?o\.?\s+box\s+\d+"
_BRITISH_CODE = r"(?<!\w)[A-Z]{1,2}\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}(?!\w)"
_ADDRESSES = [
    re.compile(pattern)
    for pattern in (_US_HOUSE, _CARELESS_HOUSE, _GERMAN_HOUSE, _FRENCH_HOUSE, _SOUTHERN_HOUSE, _POST_BOX, _BRITISH_CODE)
]


def emails(text: str) -> Iterator[Found]:
    """Mail addresses, also spelt as `mia at example dot com`."""
    folded = text.casefold()
    spoken = (_SPOKEN_EMAIL, _MAIL_AT) if "at" in folded or "(a)" in folded else ()
    for pattern in (*((_EMAIL,) if "@" in text else ()), *spoken):
        for match in pattern.finditer(text):
            yield Found(match.start(), match.end(), "email")


def cards(text: str) -> Iterator[Found]:
    """Payment card numbers: 13 to 19 digits with a card's first digit and a valid Luhn sum."""
    for pattern in (_CARD, _GROUPED_CARD):
        for match in pattern.finditer(text):
            if is_card(re.sub(r"\D", "", match.group())):
                yield Found(match.start(), match.end(), "card")


def is_card(digits: str) -> bool:
    """Whether digits may be a payment card number."""
    if not (digits[:1] in "3456" or "2221" <= digits[:4] <= "2720") or len(set(digits)) == 1:
        return False
    doubled = (int(d) * 2 if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return 13 <= len(digits) <= 19 and sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def ibans(text: str) -> Iterator[Found]:
    """Bank accounts; the longest valid beginning of what looks like one."""
    from stdnum import iban

    for match in _IBAN.finditer(text):
        whole = match.group()
        for stop in range(len(whole), 14, -1):
            if whole[stop - 1].isalnum() and iban.is_valid(re.sub(r"[\W_]", "", whole[:stop]), check_country=False):
                yield Found(match.start(), match.start() + stop, "iban")
                break


def machine_addresses(text: str) -> Iterator[Found]:
    """IP addresses of both versions, but those that name no one: this machine and none at all."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                address = ipaddress.ip_address(match.group().partition("%")[0])
            except ValueError:
                continue
            if not (address.is_loopback or address.is_unspecified):
                yield Found(match.start(), match.end(), "ip")


def urls(text: str) -> Iterator[Found]:
    """URLs that carry a login or a token."""
    if "://" in text:
        for pattern in (_URL_LOGIN, _URL_TOKEN):
            for match in pattern.finditer(text):
                yield Found(match.start(), match.end(), "url")


def births(text: str) -> Iterator[Found]:
    """Dates that the words before them call a date of birth."""
    for match in _BORN.finditer(text):
        yield Found(match.start(1), match.end(1), "dob")


def houses(text: str) -> Iterator[Found]:
    """Postal addresses where number, street word or post code give them away."""
    for pattern in _ADDRESSES:
        for match in pattern.finditer(text):
            yield Found(match.start(), match.end(), "address")


STRUCTURED_DETECTORS: Iterable[Detector] = (emails, cards, ibans, machine_addresses, urls, births, houses)
