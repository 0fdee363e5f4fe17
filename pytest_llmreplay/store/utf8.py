"""Text for Arrow columns, which are UTF-8: lone surrogates, which real logs hold, survive as an escape.

A lone surrogate becomes U+FDD0 (a code point that Unicode reserves for such uses) and four hexadecimal digits; U+FDD0
itself is escaped in the same way. All other text is stored as it is.
"""

from __future__ import annotations

import re
from typing import Any

MARK = "\ufdd0"
"""What every escape starts with."""

_UNSTORABLE = re.compile("[\ud800-\udfff\ufdd0]")
_ESCAPED = re.compile("\ufdd0([0-9a-f]{4})")


def storable(value: Any) -> Any:
    """`value` with every text in it, however deep, in a form that UTF-8 can hold; keys of mappings too."""
    if isinstance(value, str):
        return value if value.isascii() else _UNSTORABLE.sub(_escape, value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    return (storable(value[0]), storable(value[1])) if isinstance(value, tuple) else value


def restored(value: Any) -> Any:
    """What `storable` was given."""
    if isinstance(value, str):
        return _ESCAPED.sub(_unescape, value) if MARK in value else value
    if isinstance(value, dict):
        return {restored(key): restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return (restored(value[0]), restored(value[1])) if isinstance(value, tuple) else value


def _escape(match: re.Match[str]) -> str:
    return f"{MARK}{ord(match[0]):04x}"


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))
