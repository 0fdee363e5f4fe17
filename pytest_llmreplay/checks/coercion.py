"""`coerce: schema`: values taken to the type that the tool's schema declares."""

from __future__ import annotations

import json
import re
from typing import Any

from pytest_llmreplay.checks.normal import depth
from pytest_llmreplay.checks.tool_schema import Node, declared_types, items_node, object_node, properties_of

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,300})")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,300})(?:\.\d{1,300})?(?:[eE][+-]?\d{1,3})?")
_WORDS = {"true": ("boolean", True), "false": ("boolean", False), "null": ("null", None)}
_LONGEST_JSON = 100_000
_DEEPEST_JSON = 100


def coerced(value: Any, node: Node, root: Node) -> Any:
    """The value as its schema declares it, nested values too; what does not fit the declared type stays as it is.

    Args:
        value: a JSON value.
        node: the schema that describes it.
        root: the schema that local references point into.
    """
    value = _to_type(value, declared_types(node, root))
    if isinstance(value, dict):
        properties = properties_of(object_node(node, root))
        return {name: coerced(v, properties[name], root) if name in properties else v for name, v in value.items()}
    if isinstance(value, list):
        items = items_node(node, root)
        return [coerced(inner, items, root) for inner in value]
    return value


def json_type(value: Any) -> str:
    """The JSON type of a value, `integer` told from `number`; the Python type's name for what JSON does not have."""
    return _TYPES.get(type(value)) or type(value).__name__


def _to_type(value: Any, types: frozenset[str]) -> Any:
    kind = json_type(value)
    if not types or kind in types or (kind == "integer" and "number" in types):
        return value
    if isinstance(value, str):
        return _from_text(value, types)
    if kind == "number" and "integer" in types and value.is_integer():
        return int(value)
    if "string" in types and kind in ("integer", "number", "boolean"):
        return json.dumps(value)
    return value


def _from_text(text: str, types: frozenset[str]) -> Any:
    if types & {"integer", "number"} and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text):
        return float(text)
    word = _WORDS.get(text)
    if word is not None and word[0] in types:
        return word[1]
    if types & {"array", "object"} and text[:1] in ("[", "{") and len(text) <= _LONGEST_JSON:
        return _from_json(text, types)
    return text


def _from_json(text: str, types: frozenset[str]) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if json_type(value) in types and depth(value) <= _DEEPEST_JSON else text


_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}
