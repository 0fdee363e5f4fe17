"""Values that only the question before them gives away: `And your date of birth?`, `04/05/1990`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_llmreplay.promote.redact.plain import plain_text
from pytest_llmreplay.promote.redact.words import Words

_QUESTION_CHARACTERS = 240
_ASKS = re.compile(r"(?i)\?|\b(?:please|could|can|may|provide|give|tell|enter|confirm|share|need|send|verify)\b")
_ASKED: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(rf"(?i)\b(?:{pattern})")
    for kind, pattern in {
        "phone": r"phone\b|mobile\b|cell(?:phone)?\b|telephone\b|contact\s+number",
        "dob": r"date\s+of\s+birth\b|d\.?o\.?b\b|birth\s?(?:day|date)\b|born\b",
        "national_id": r"ssn\b|social\s+security\b|passport\b|driver'?s?\s+licen[cs]e"
        r"|(?:national|tax|personal)\s+(?:id|insurance|identification)\b",
        "secret": r"(?:password|passcode|passphrase|pin|cvv2?|cvc2?|otp)\b"
        r"|(?:security|verification|one[- ]time)\s+code\b",
        "address": r"(?:home|street|postal|shipping|delivery|billing|mailing|your|full)\s+address\b"
        r"|zip(?:\s+code)?\b|post(?:al)?\s?code\b|where\s+do\s+you\s+live\b",
        "user_id": r"user\s?(?:id|name)\b|login\b"
        r"|(?:customer|member(?:ship)?|client|patient|loyalty)\s+(?:id|number|no)\b",
        "name": r"(?:full|first|last|family|given|your|sur)\s*names?\b"
        r"|who\s+am\s+i\s+(?:speaking|talking|chatting)\b",
    }.items()
}
_DAY, _MONTH = r"\d{1,2}(?:st|nd|rd|th|\.)?", r"[a-z]{3,9}\.?"
_ANSWERED: Mapping[str, re.Pattern[str]] = {
    "phone": re.compile(r"(?<!\w)\+?\(?\d[\d\s().\-/]{5,20}\d(?!\w)"),
    "dob": re.compile(
        r"(?i)(?<!\w)(?:\d{4}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}|\d{6}|\d{8}"
        rf"|{_MONTH}\s+{_DAY},?\s+\d{{4}}|{_DAY}\s+(?:of\s+)?{_MONTH},?\s+\d{{4}})(?!\w)"
    ),
    "national_id": re.compile(
        r"(?<!\w)(?=(?:[ .-]?[A-Za-z]){0,4}(?:[ .-]?[A-Za-z]?\d){5})"
        r"[A-Za-z0-9]+(?:[ .-][A-Za-z0-9]*\d[A-Za-z0-9]*)*(?!\w)"
    ),
    "user_id": re.compile(r"(?<![\w.-])(?=[\w.-]*[\d_])\w[\w.-]{2,}\w(?![\w-])"),
}
_NO_PERSON = re.compile(
    r"(?i)\b(?:reservations?|orders?|bookings?|confirmation|tickets?|flights?|invoices?|case|tracking)\b[^.?!\n]{0,40}$"
)
_BEFORE = 60
_FILLER = re.compile(
    r"(?i)^\s*(?:(?:yes|sure|ok(?:ay)?|of course|hi|hello|well)[,.! ]+)*"
    r"(?:(?:it\s+is|it'?s|that\s+is|that'?s|this\s+is|my\s+(?:\w+\s+){1,2}is|i\s+am|i'?m)\s+)?"
)
_MOST_NAME_WORDS, _MOST_ADDRESS_WORDS = 4, 14


def asked_values(question: str, answer: str, words: Words) -> Iterator[tuple[str, str]]:
    """The personal values in an answer that the question before it asked for, each with its kind."""
    asked = plain_text(question)[-_QUESTION_CHARACTERS:]
    if not _ASKS.search(asked):
        return
    answer = plain_text(answer)
    said = _FILLER.sub("", answer).strip().rstrip(".!,; ")
    for kind, pattern in _ASKED.items():
        if not pattern.search(asked):
            continue
        if kind in _ANSWERED:
            yield from ((kind, value) for value in _matching(kind, answer))
        elif _is_whole_answer(kind, said, words):
            yield kind, said


def _matching(kind: str, answer: str) -> Iterator[str]:
    for match in _ANSWERED[kind].finditer(answer):
        before = answer[max(0, match.start() - _BEFORE) : match.start()]
        # People answer two questions at once, and the number of an order is nobody's.
        if kind != "user_id" or not _NO_PERSON.search(before):
            yield match.group()


def _is_whole_answer(kind: str, said: str, words: Words) -> bool:
    count = len(said.split())
    if kind == "secret":
        return count == 1
    if kind == "address":
        return any(c.isdigit() for c in said) and count <= _MOST_ADDRESS_WORDS
    parts = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", said)
    alone = 0 < len(parts) <= _MOST_NAME_WORDS and not re.search(r"[\d?@]", said)
    return alone and any(words.may_name(part) for part in parts)
