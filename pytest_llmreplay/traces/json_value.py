"""One JSON value as logs hold it: of bounded size and depth, and of text that UTF-8 can hold."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_RECORD_BYTES = 128 << 20
"""A record longer than this is reported and skipped, so that memory stays bounded."""

MAX_DEPTH = 150
"""JSON nested more deeply is refused: what reads it is recursive."""

_NO_BRACKETS = re.compile(r"[^\[\]{}]+")


def parse(text: bytes | str) -> Any:
    """One JSON value; NaN and infinities become null, and half a surrogate pair becomes U+FFFD.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    return safe(value, text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def safe(value: Any, text: str) -> Any:
    """The value that was read from this text, if it is not nested too deeply, without half surrogate pairs.

    Raises:
        ValueError: it is nested too deeply.
    """
    brackets = _NO_BRACKETS.sub("", text)
    for _ in range(MAX_DEPTH):
        brackets, before = brackets.replace("[]", "").replace("{}", ""), len(brackets)
        if len(brackets) in (0, before):
            break
    if len(brackets) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError("JSON nested too deeply")
    return without_surrogates(value) if "\\ud" in text.lower() else value


def _depth(value: Any) -> int:
    """How deeply a value is nested, counted without recursion, no further than is of interest."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inner for item in items]
        depth += 1
    return depth


def without_surrogates(value: Any) -> Any:
    """The value with every half of a surrogate pair, which no UTF-8 file can hold, replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(key): without_surrogates(item) for key, item in value.items()}
    return value
