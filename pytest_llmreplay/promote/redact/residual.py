"""Words in free text that may name a person, and that no structure gives away."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_llmreplay.promote.redact.pseudonym import PSEUDONYM
from pytest_llmreplay.promote.redact.words import Words

_CAPITALISED = re.compile(r"(?<![\w\[@#/.-])[^\W\d_a-z][^\W\d_]*(?:['’-][^\W\d_]+)*(?![\w@/])")
_INTRODUCED = re.compile(
    r"(?i)\b(?:my\s+name\s+is|my\s+name's|name\s*:|call\s+me|i\s+am|i['’]m|this\s+is|ich\s+bin|mein\s+name\s+ist"
    r"|je\s+m['’]appelle|me\s+llamo|mr\.?|mrs\.?|ms\.?|dr\.?|dear)\s+([^\W\d_]{2,}(?:['’-][^\W\d_]+)*)"
)
# A capital inside belongs to a name only after such a beginning; elsewhere it is a code or a class.
_WRITTEN_AS_NAME = re.compile(
    r"(?:[^\W\d_]['’])?(?:Mc|Mac|De|Di|La|Le|Du|Van|Von|Fitz)?[^\W\d_][^\W\d_A-Z]*(?:['’-][^\W\d_][^\W\d_A-Z]*)*"
)
_ACRONYM = 3


def residual_names(text: str, words: Words) -> frozenset[str]:
    """The words of a redacted text that may be names, without their possessive."""
    text = PSEUDONYM.sub(" ", text)
    found = {_bare(match.group()) for match in _CAPITALISED.finditer(text)}
    introduced = {_bare(match.group(1)) for match in _INTRODUCED.finditer(text)}
    return frozenset(word for word in found | introduced if _may_be(word, words))


def tool_words(texts: Iterable[str | None]) -> frozenset[str]:
    """The words of the tools' own descriptions, which name no customer."""
    words = (re.findall(r"[^\W\d_]{2,}", text.replace("_", " ")) for text in texts if text)
    return frozenset(word.casefold() for found in words for word in found)


def _bare(word: str) -> str:
    return re.sub(r"['’](?:s|S)$|['’]$", "", word)


def _may_be(word: str, words: Words) -> bool:
    if len(word) < 2 or (word.isupper() and len(word) <= _ACRONYM):
        return False
    if word.isupper():
        return words.is_listed_name(word)
    # Scripts without capitals would make every word a possible name.
    has_case = word[0].isupper() or word[0].islower()
    return has_case and _WRITTEN_AS_NAME.fullmatch(word) is not None and words.may_name(word)
