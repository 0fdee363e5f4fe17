"""Personal values in base64, which hides them from every pattern."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence

from pytest_llmreplay.promote.redact.found import Found

_TOKEN = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{12,4096}={0,2}(?![\w+/=-])")


def encoded(text: str, detect: Callable[[str], Sequence[Found]]) -> Iterator[Found]:
    """Each token that is a readable text in base64, with something personal in it, as a whole.

    Args:
        text: the text.
        detect: finds values in the decoded text, which may be encoded once more.
    """
    for match in _TOKEN.finditer(text):
        decoded = _decoded(match.group())
        found = detect(decoded) if decoded is not None else ()
        if found:
            yield Found(match.start(), match.end(), found[0].kind)


def _decoded(token: str) -> str | None:
    bare = token.rstrip("=").replace("-", "+").replace("_", "/")
    if len(bare) % 4 == 1:
        return None
    try:
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded if decoded.replace("\n", "").replace("\t", "").isprintable() else None
