"""What is a word and what is a name, by language: the lists of pyspellchecker, and those in `names/`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from pytest_llmreplay.model.errors import UserError

_COMMON_RANK = 2500


def languages() -> list[str]:
    """The languages with a list of words."""
    folder = resources.files("spellchecker") / "resources"
    return sorted(entry.name.partition(".")[0] for entry in folder.iterdir() if entry.name.endswith(".json.gz"))


class Words:
    """The words of some languages; the lists are read when the first word is looked up.

    Args:
        languages: as in `de`.
        known: product words, which are no one's name, in any case.
    """

    def __init__(self, languages: Sequence[str], known: Sequence[str] = ()) -> None:
        self._languages = tuple(languages)
        self._known = _TECHNICAL | {word.casefold() for word in known}

    def is_word(self, word: str) -> bool:
        """Whether a dictionary has the word, in whatever case, or its stem before a possessive s."""
        folded = word.casefold()
        return folded in self._known or any(folded in _dictionary(language) for language in self._languages)

    def may_name(self, word: str) -> bool:
        """Whether a capitalised word may name a person: no dictionary has it, or it is a name and no common word."""
        folded = word.casefold().replace("’", "'")
        if folded in self._known:
            return False
        if any(folded in _common(language) for language in self._languages):
            return False
        if any(folded in _names(language) for language in self._languages):
            return True
        return not self.is_word(folded) and not self._is_compound(folded)

    def is_listed_name(self, word: str) -> bool:
        """Whether it stands in a list of names and is no common word."""
        folded = word.casefold()
        common = folded in self._known or any(folded in _common(language) for language in self._languages)
        return not common and any(folded in _names(language) for language in self._languages)

    def _is_compound(self, folded: str) -> bool:
        """Whether it is put together of words: `check-in`, `pre-paid`, `i'll`."""
        parts = [part for part in folded.replace("'", "-").split("-") if part]
        return len(parts) > 1 and all(len(part) <= 2 or self.is_word(part) for part in parts)


@lru_cache(maxsize=16)
def _dictionary(language: str) -> dict[str, int]:
    path = resources.files("spellchecker") / "resources" / f"{language}.json.gz"
    try:
        words: dict[str, int] = json.loads(gzip.decompress(path.read_bytes()))
    except OSError:
        raise UserError("there is no list of words for this language", value=language, allowed=languages()) from None
    return words


@lru_cache(maxsize=16)
def _common(language: str) -> frozenset[str]:
    """The words so common that as a name they would be found everywhere."""
    words = _dictionary(language)
    return frozenset(sorted(words, key=words.__getitem__, reverse=True)[:_COMMON_RANK]) - _SPOKEN_NAMES


@lru_cache(maxsize=16)
def _names(language: str) -> frozenset[str]:
    listed = resources.files(__package__) / "names" / f"{language}.txt"
    return (
        frozenset(listed.read_text(encoding="utf-8").splitlines()) - _PLACES_AND_TIMES
        if listed.is_file()
        else frozenset()
    )


def _words(text: str) -> list[str]:
    return text.split()


_TECHNICAL = frozenset(
    _words("""
    iban bic ssn json xml html http https url uri api sms pdf faq usd eur gbp utc gmt id ids ok okay whatsapp
    paypal google apple amazon microsoft facebook instagram twitter youtube github linux windows android iphone
    ipad wifi mastercard amex openai chatgpt gpt claude gemini llm markdown python javascript sql monday tuesday
    wednesday thursday friday saturday sunday mon tue wed thu fri sat sun jan feb mar apr jun jul aug sep sept oct
    nov dec
    """)
)

# Subtitles, of which the word lists are made, are full of these.
_SPOKEN_NAMES = frozenset(
    _words("""
    jack john david michael james george joe sam peter frank tom charlie paul harry max ben henry danny tony mike
    bob jimmy johnny billy bobby robert richard thomas william mary sarah anna alice kate emma jane jenny lisa
    linda amy susan rachel chris steve kevin alex adam nick eddie ray simon jim bill dave ryan kim lucy maria
    elizabeth martin walter arthur daniel matt andrew eric brian jason scott jones smith johnson
    """)
)
# In the lists of names, and yet nearly always something else.
_PLACES_AND_TIMES = frozenset(
    _words("""
    york angeles francisco diego vegas los las san washington april may june august austin paris london florence
    brooklyn chelsea georgia carolina dakota virginia sydney india israel savannah houston dallas denver orlando
    phoenix lincoln hamilton english french german irish holland ireland england summer autumn dawn eve christian
    christmas hope faith grace joy rose lily violet daisy ruby pearl amber crystal case page price young king
    knight bishop gardener farmer shepherd brown black white green gray grey long short little small rich wise
    good best strong sharp hill wood woods forest field fields banks bank stone rivers lake west east north south
    day week month year flowers bird fox wolf chase will mark bill major judge mayor rod pat sue guy art gene van
    penny ray love church house hall park parks street lane ford bush reed rice bean berry cherry olive ginger
    basil star sky sunny storm rain snow frost gates keys cash gold silver noble moody savage swift power powers
    """)
)
