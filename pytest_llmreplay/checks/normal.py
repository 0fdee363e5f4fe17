"""Texts and values in one normal form, so that what looks alike is alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.matchers import TextRules


def nfc(value: Any) -> Any:
    """The value with all its texts, keys too, in Unicode normal form C; mappings and sequences become plain ones."""
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple):
        return [nfc(inner) for inner in value]
    if isinstance(value, Mapping):
        return {nfc(key) if isinstance(key, str) else str(key): nfc(inner) for key, inner in value.items()}
    return value


def alike(text: str, rules: TextRules | None) -> str:
    """The text as the rules compare it."""
    if rules is None:
        return text
    if rules.collapse_ws:
        text = _collapsed(text)
    if rules.trim:
        text = text.strip()
    return unicodedata.normalize("NFC", text.casefold()) if rules.casefold else text


def alike_but_case(text: str, rules: TextRules | None) -> str:
    """The text as the rules compare it, its case kept; for patterns, whose case folding is a flag."""
    if rules is None:
        return text
    if rules.collapse_ws:
        text = _collapsed(text)
    return text.strip() if rules.trim else text


def depth(value: Any) -> int:
    """How many lists and mappings enclose the innermost value."""
    deepest, level = 0, [value]
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, Mapping):
                inner.extend(item.values())
            elif isinstance(item, list | tuple):
                inner.extend(item)
        if any(isinstance(item, Mapping | list | tuple) for item in level):
            deepest += 1
        level = inner
    return deepest


def _collapsed(text: str) -> str:
    words = " ".join(text.split())
    return f"{' ' if text[:1].isspace() else ''}{words}{' ' if words and text[-1:].isspace() else ''}"
