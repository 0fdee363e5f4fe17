"""What a triage says as plain data, for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pytest_llmreplay.mine.triage.nouns import Triage


def triage_json(triage: Triage) -> dict[str, Any]:
    """Every field by its name, nouns within nouns as objects; which conversations are members is left out."""
    return {name: _plain(value) for name, value in _fields(triage).items()}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(one) for name, one in _fields(value).items()}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _fields(noun: Any) -> dict[str, Any]:
    return {field.name: getattr(noun, field.name) for field in fields(noun) if field.compare}
