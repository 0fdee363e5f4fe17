"""What the offered tools say of themselves: parameters, types, defaults, effects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pytest_llmreplay.checks.normal import nfc
from pytest_llmreplay.model.conversation import Tool

Node = Mapping[str, Any]
NO_NODE: Node = {}


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """The JSON Schema of a tool's parameters.

    `text` is None when nobody says what the parameters are; `problem` says why a text is no schema.
    """

    text: str | None
    root: Node
    problem: str | None = None

    @property
    def properties(self) -> Mapping[str, Node]:
        """The declared parameters."""
        return properties_of(resolved(self.root, self.root))

    @property
    def required(self) -> frozenset[str]:
        """The parameters that may not be left out."""
        names = self.root.get("required")
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


@dataclass(frozen=True, slots=True)
class OfferedTools:
    """The tools that a variant offers; `schemas` is None when nobody says which they are."""

    schemas: Mapping[str, ToolSchema] | None = None
    effects: Mapping[str, str] = field(default_factory=dict)

    def offers(self, name: str) -> bool:
        """Whether a tool may be called; yes when it is not known which are offered."""
        return self.schemas is None or name in self.schemas

    def schema(self, name: str) -> ToolSchema | None:
        """The schema of a tool's parameters, or None when the tool is not known."""
        return None if self.schemas is None else self.schemas.get(name)

    def takes_arguments(self, name: str) -> bool:
        """Whether a tool is known to declare parameters."""
        schema = self.schema(name)
        return schema is not None and bool(schema.properties)

    def writes(self, name: str) -> bool:
        """Whether a call has side effects; once any tool declares an effect, a tool that declares none writes."""
        return bool(self.effects) and self.effects.get(name) != "read"


NO_TOOLS = OfferedTools()


def read_tools(tools: Sequence[Tool | Mapping[str, Any]] | None) -> OfferedTools:
    """The tools, ready to be looked up by name; of two with one name the first counts.

    Raises:
        ValueError: a mapping is no tool.
    """
    if tools is None:
        return NO_TOOLS
    return _read_tools(tuple(tool if isinstance(tool, Tool) else Tool.from_openai(tool) for tool in tools))


@lru_cache(maxsize=4096)
def read_schema(text: str | None) -> ToolSchema:
    """The schema in a tool's `parameters`; a text that is no schema gives one without parameters and its problem."""
    if text is None:
        return ToolSchema(None, NO_NODE)
    try:
        root = nfc(json.loads(text))
    except (ValueError, RecursionError) as error:
        return ToolSchema(text, NO_NODE, f"not JSON: {error}")
    if not isinstance(root, dict):
        return ToolSchema(text, NO_NODE, "not a JSON object")
    return ToolSchema(text, root)


def resolved(node: Any, root: Node) -> Node:
    """A schema node with local references followed; what cannot be followed says nothing."""
    for _ in range(10):
        if not node or not isinstance(node, dict):
            return NO_NODE
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        node = _pointed_at(root, reference)
    return NO_NODE


def properties_of(node: Node) -> Mapping[str, Node]:
    """The properties that an object schema declares."""
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: schema if isinstance(schema, dict) else NO_NODE for name, schema in properties.items()}


def declared_types(node: Node, root: Node) -> frozenset[str]:
    """The JSON types that a schema allows; none when it does not say."""
    node = resolved(node, root)
    said = node.get("type")
    if isinstance(said, str):
        return frozenset((said,))
    if isinstance(said, list):
        return frozenset(word for word in said if isinstance(word, str))
    return frozenset(word for branch in _branches(node, root) for word in _own_types(branch))


def object_node(node: Node, root: Node) -> Node:
    """The schema that describes an object at this node: the node itself, or the first of its branches that does."""
    node = resolved(node, root)
    if not node or "properties" in node:
        return node
    return next((branch for branch in _branches(node, root) if "properties" in branch), node)


def items_node(node: Node, root: Node) -> Node:
    """The schema of a list's elements at this node."""
    node = resolved(node, root)
    if not node:
        return NO_NODE
    if "items" in node:
        return resolved(node["items"], root)
    branch = next((branch for branch in _branches(node, root) if "items" in branch), NO_NODE)
    return resolved(branch.get("items"), root)


@lru_cache(maxsize=512)
def _read_tools(tools: tuple[Tool, ...]) -> OfferedTools:
    schemas: dict[str, ToolSchema] = {}
    effects: dict[str, str] = {}
    for tool in tools:
        name = nfc(tool.name)
        schemas.setdefault(name, read_schema(tool.parameters))
        if tool.effect is not None:
            effects.setdefault(name, tool.effect)
    return OfferedTools(schemas, effects)


def _branches(node: Node, root: Node) -> list[Node]:
    return [
        resolved(branch, root)
        for word in ("anyOf", "oneOf", "allOf")
        if isinstance(node.get(word), list)
        for branch in node[word]
    ]


def _own_types(node: Node) -> list[str]:
    said = node.get("type")
    words = said if isinstance(said, list) else [said]
    return [word for word in words if isinstance(word, str)]


def _pointed_at(root: Node, reference: str) -> Any:
    if reference != "#" and not reference.startswith("#/"):
        return None
    node: Any = root
    for part in reference.split("/")[1:]:
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node
