"""The second scan: looks at a redacted case anew, in another way than the detectors, and never says a value."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from pytest_llmreplay.promote.redact.plain import plain_text
from pytest_llmreplay.promote.redact.pseudonym import PSEUDONYM

_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}")
_LONG_NUMBER = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?!\w)")
_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_SOCIAL = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")
_MACHINE = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w]|\.\d)")
_LOGIN = re.compile(r"://[^\s/:@]+:[^\s/@]+@")
_TOKEN = re.compile(r"(?<![\w-])(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|xox[abprs]-[\w-]{12,}|sk-[A-Za-z0-9]{24,})")
_THIS_MACHINE = ("127.", "0.0.0.0")  # noqa: S104 - not bound to, only recognised
_SHORTEST_LEFTOVER, _LONGER = 7, 9
_KEPT_TEXTS = 8192
_GONE = " \N{REPLACEMENT CHARACTER} "


class Scan:
    """Looks for what the first pass should have replaced.

    Args:
        allowed: whether a person has allowed a text to stay.
    """

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        @lru_cache(maxsize=_KEPT_TEXTS)
        def seen(text: str) -> Sequence[str]:
            return [kind for kind, found in _seen(text) if not allowed(found)]

        self._seen = seen

    def kinds_in(self, text: str, leftovers: Collection[str], fakes: Iterable[str]) -> Iterator[str]:
        """What a text still seems to hold.

        Args:
            text: a text of a redacted case.
            leftovers: the replaced values, squashed; none may be left in any spelling.
            fakes: what was put in their place, beside pseudonyms.
        """
        text = PSEUDONYM.sub(_GONE, text)
        for fake in fakes:
            if fake in text:
                text = text.replace(fake, _GONE)
        bare = plain_text(text)
        yield from dict.fromkeys((*self._seen(text), *(self._seen(bare) if bare != text else ())))
        if leftovers:
            words = [squashed(word) for word in bare.split()]
            left = "".join(words)
            if any(value in left and _stands_in(words, value) for value in leftovers):
                yield "a value that was replaced elsewhere"


def leftovers_of(replaced: Iterable[str]) -> frozenset[str]:
    """The replaced values as the scan looks for them; those that could arise where other texts meet are left out."""
    return frozenset(value for value in (squashed(plain_text(one)) for one in replaced) if _can_be_told(value))


def _seen(text: str) -> Iterator[tuple[str, str]]:
    for kind, matches in _SEEN:
        for found in matches(text):
            yield kind, found


def _mails(text: str) -> Sequence[str]:
    return _MAIL.findall(text) if "@" in text else ()


def _numbers(text: str) -> Iterator[str]:
    from stdnum import luhn

    for found in _LONG_NUMBER.findall(text):
        digits = re.sub(r"\D", "", found)
        if (digits[0] in "3456" or "2221" <= digits[:4] <= "2720") and len(set(digits)) > 1 and luhn.is_valid(digits):
            yield found


def _accounts(text: str) -> Iterator[str]:
    for found in _ACCOUNT.findall(text):
        plain = found.replace(" ", "")
        if 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1:
            yield found


def _phones(text: str) -> Iterator[str]:
    """International numbers, by the matcher of the library and not by its parser."""
    import phonenumbers

    if "+" in text:
        for match in phonenumbers.PhoneNumberMatcher(text, None, leniency=phonenumbers.Leniency.VALID):
            yield match.raw_string


def _machines(text: str) -> Iterator[str]:
    for found in _MACHINE.findall(text):
        if not found.startswith(_THIS_MACHINE):
            yield found


_SEEN: tuple[tuple[str, Callable[[str], Iterable[str]]], ...] = (
    ("a mail address", _mails),
    ("a card number", _numbers),
    ("a bank account", _accounts),
    ("a telephone number", _phones),
    ("a social security number", _SOCIAL.findall),
    ("an IP address", _machines),
    ("a URL with a login", _LOGIN.findall),
    ("a key or token", _TOKEN.findall),
)


def squashed(text: str) -> str:
    """The letters and digits of a text, in lower case."""
    return re.sub(r"[\W_]+", "", text.casefold())


def _stands_in(words: Sequence[str], value: str) -> bool:
    """Whether a value stands inside of one word or is made of whole ones: parts of two words are no value."""
    if any(value in word for word in words):
        return True
    for first, word in enumerate(words):
        if word and value.startswith(word):
            joined = itertools.accumulate(words[first:])
            if value in itertools.takewhile(lambda text: len(text) <= len(value), joined):
                return True
    return False


def _can_be_told(value: str) -> bool:
    """Whether a squashed value is long and odd enough not to arise where other texts meet."""
    return not value.isalpha() and len(value) >= (_LONGER if value.isdigit() else _SHORTEST_LEFTOVER)
