"""Whether the judge's quotes occur in what it was shown. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_llmreplay.model.verdict import Quote


class Evidence:
    """What the judge was shown, searched for its quotes.

    Differences of white space and of Unicode composition do not count, anything else does. A quote may be as it reads,
    or as it stood in the JSON.

    Args:
        shown: the material, as plain data.
        data: the same as the judge read it.
    """

    def __init__(self, shown: Mapping[str, Any], data: str) -> None:
        self._texts = [_plain(text) for text in (*_texts_in(shown), data)]

    def quote(self, text: str) -> Quote:
        """A quote with the flag whether it occurs."""
        wanted = _plain(text)
        return Quote(text, bool(wanted) and any(wanted in shown for shown in self._texts))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts_in(inner)
