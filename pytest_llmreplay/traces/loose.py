"""JSON that was written as text into a field, and keys with dots that were a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.traces.json_value import parse

MAX_LIST = 100_000


def loosened(value: Any) -> Any:
    """What a text holds when it is a JSON object or array, or a quoted JSON text; any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "[", '"'):
        return value
    try:
        return parse(value)
    except ValueError:
        return value


def unflattened(value: Any) -> Any:
    """Keys with dots as nested mappings, and mappings whose keys are all numbers as lists; gaps become None."""
    if isinstance(value, list):
        return [unflattened(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    tree: dict[str, Any] = {}
    for key, item in value.items():
        _insert(tree, str(key).split("."), unflattened(item))
    return _listed(tree)


def _insert(tree: dict[str, Any], path: list[str], value: Any) -> None:
    *way, last = path
    for step in way:
        inner = tree.get(step)
        if isinstance(inner, list):
            inner = {str(index): item for index, item in enumerate(inner)}
        if not isinstance(inner, dict):
            inner = {} if inner is None else {"": inner}
        tree[step] = inner
        tree = inner
    existing = tree.get(last)
    if isinstance(existing, dict) and isinstance(value, Mapping):
        existing.update(value)
    elif isinstance(existing, dict):
        existing[""] = value
    else:
        tree[last] = dict(value) if isinstance(value, Mapping) else value


def _listed(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    inner = {key: _listed(value) for key, value in tree.items()}
    if inner and all(key.isdecimal() and key.isascii() for key in inner):
        size = max(map(int, inner)) + 1
        if size <= MAX_LIST:
            return [inner.get(str(index)) for index in range(size)]
    return inner
