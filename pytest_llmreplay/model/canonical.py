"""Canonical JSON and digests, so that equal content has one spelling and one name."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical_json(value: Any) -> str:
    """Compact JSON with sorted keys: equal values give equal text."""
    return _canonical(value)


@lru_cache(maxsize=256)
def canonical_arguments(arguments: str) -> str:
    """A call's arguments with keys sorted; text that is not JSON stays as the model wrote it."""
    try:
        return canonical_json(json.loads(arguments)) if arguments.strip() else "{}"
    except (ValueError, RecursionError):
        return arguments


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, as 64 hexadecimal digits."""
    return text_digest(canonical_json(value))


def text_digest(text: str) -> str:
    """SHA-256 of `text` in UTF-8, as 64 hexadecimal digits; lone surrogates are kept apart, not refused."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
