"""From what a person wrote to the patterns that calls are compared with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from pytest_llmreplay.checks.bfcl import NoParameter, is_optional, possible_answers
from pytest_llmreplay.checks.called import Call
from pytest_llmreplay.checks.coercion import coerced
from pytest_llmreplay.checks.normal import nfc
from pytest_llmreplay.checks.patterns import Difference, ListOf, ObjectOf, Pattern, Rules, Scalar
from pytest_llmreplay.checks.shown import call_text
from pytest_llmreplay.checks.tool_schema import (
    NO_NODE,
    Node,
    OfferedTools,
    ToolSchema,
    items_node,
    object_node,
    properties_of,
    resolved,
)
from pytest_llmreplay.checks.words import Absent, AllOf, Anything, Contains, Maybe, OfType, OneOf, Regex, Unordered
from pytest_llmreplay.model.expectation import CallsExpectation, ExpectedCall
from pytest_llmreplay.model.matchers import Approx, TextRules, is_matcher

_WANTED = Rules(match="superset")


@dataclass(frozen=True, slots=True)
class CallPattern:
    """An expected call. `arguments` is None when they are not compared; `coerce_to` is the schema to coerce them to."""

    name: str
    arguments: Pattern | None
    coerce_to: Node | None
    occurrence: int | str | None

    def differences(self, call: Call) -> Sequence[Difference]:
        """Where a call of this tool differs in its arguments."""
        if call.arguments is None:
            return (Difference("malformed_arguments", "", self.arguments, call.raw),)
        if self.arguments is None:
            return ()
        schema = self.coerce_to
        return self.arguments.differences(
            call.arguments if schema is None else coerced(call.arguments, schema, schema), ""
        )

    def describe(self, longest: int = 160) -> str:
        """The call as people write it; `…` stands for arguments that are not compared."""
        if self.arguments is None:
            return f"{call_text(self.name, None, longest)[:-1]}…)"
        if isinstance(self.arguments, ObjectOf):
            return call_text(self.name, {n: _Shown(p.describe()) for n, p in self.arguments.fields.items()}, longest)
        return call_text(self.name, _Shown(self.arguments.describe()), longest)


def compile_calls(expected: CallsExpectation, offered: OfferedTools) -> tuple[CallPattern, ...]:
    """The expected calls as patterns, in the order in which they were written."""
    return tuple(_compile_call(call, expected, offered.schema(nfc(call.name))) for call in expected.expected)


def _compile_call(call: ExpectedCall, calls: CallsExpectation, schema: ToolSchema | None) -> CallPattern:
    coerce = call.coerce or calls.coerce
    null_is_absent = calls.null_is_absent if call.null_is_absent is None else call.null_is_absent
    name = nfc(call.name)
    if call.args is None or call.match == "ignore":
        return CallPattern(name, None, None, call.occurrence)
    root = NO_NODE if schema is None else schema.root
    reader = _Reader(
        _rules(call.match, coerce == "none", null_is_absent),
        root,
        coerce == "schema",
        None if coerce != "bfcl" else _Declared(schema),
    )
    args = nfc(call.args)
    node = object_node(root, root)
    pattern = reader.object(args, node) if call.keys is None else reader.chosen(args, nfc(call.keys), node)
    return CallPattern(name, pattern, root if coerce == "schema" and root else None, call.occurrence)


@lru_cache(maxsize=32)
def _rules(match: Literal["exact", "subset", "superset"], strict_numbers: bool, null_is_absent: bool) -> Rules:
    return Rules(match, strict_numbers, null_is_absent)


class _Declared:
    """What a tool declares of its parameters, as BFCL's checker asks for it."""

    def __init__(self, schema: ToolSchema | None) -> None:
        self.properties = None if schema is None or schema.text is None else schema.properties
        self.required = frozenset() if schema is None else schema.required


@dataclass(frozen=True, slots=True)
class _Reader:
    rules: Rules
    root: Node
    coerce: bool
    declared: _Declared | None

    def object(self, written: Mapping[str, Any], node: Node) -> Pattern:
        """The arguments of a call, or an object inside them."""
        if self.declared is not None:
            inner = replace(self, declared=None)
            fields = {name: self._possible(name, value, self.declared, inner) for name, value in written.items()}
            return ObjectOf(fields, self.rules, {})
        properties = properties_of(node)
        fields = {name: self.value(value, properties.get(name, NO_NODE)) for name, value in written.items()}
        return ObjectOf(fields, self.rules, _defaults(properties, self.root))

    def chosen(self, written: Mapping[str, Any], keys: Sequence[str], node: Node) -> Pattern:
        """Only some of the arguments; the others are not looked at."""
        whole = {key for key in keys if key in written}
        inside: dict[str, list[str]] = {}
        for key in keys:
            head, _, rest = key.partition(".")
            if key not in whole and head not in whole:
                inside.setdefault(head, []).append(rest)
        picked = self.object({name: written[name] for name in written if name in whole}, node)
        properties = properties_of(node)
        fields = dict(picked.fields) if isinstance(picked, ObjectOf) else {}
        for head, rest_keys in inside.items():
            inner_node = object_node(properties.get(head, NO_NODE), self.root)
            fields[head] = replace(self, declared=None).chosen(written[head], rest_keys, inner_node)
        return ObjectOf(fields, replace(_WANTED, null_is_absent=self.rules.null_is_absent), _defaults_of(picked))

    def value(self, written: Any, node: Node) -> Pattern:
        """Any value: a matcher, or a literal that may hold matchers."""
        if isinstance(written, dict):
            if is_matcher(written):
                return self._matcher(written, node)
            return self.object(written, object_node(node, self.root))
        if isinstance(written, list):
            items = items_node(node, self.root)
            return ListOf(tuple(self.value(item, items) for item in written))
        return self._literal(written, node)

    def _literal(self, value: Any, node: Node) -> Pattern:
        if self.coerce:
            value = coerced(value, node, self.root)
        if isinstance(value, dict):
            properties = properties_of(object_node(node, self.root))
            fields = {name: self._literal(inner, properties.get(name, NO_NODE)) for name, inner in value.items()}
            return ObjectOf(fields, self.rules, _defaults(properties, self.root))
        if isinstance(value, list):
            items = items_node(node, self.root)
            return ListOf(tuple(self._literal(item, items) for item in value))
        return Scalar(value, self.rules)

    def _matcher(self, written: Mapping[str, Any], node: Node) -> Pattern:
        text = TextRules.model_validate(written["text"]) if "text" in written else None
        approx = Approx.model_validate(written["approx"]) if "approx" in written else None
        reader = replace(self, rules=replace(self.rules, text=text, approx=approx)) if text or approx else self
        said = ((_WORDS.get(word), value) for word, value in written.items())
        patterns = [found for read, value in said if read and (found := read(reader, value, node)) is not None]
        pattern = patterns[0] if len(patterns) == 1 else AllOf(tuple(patterns)) if patterns else Anything()
        return Maybe(pattern) if written.get("optional") else pattern

    def _short(self, said: Mapping[str, Any], node: Node) -> Pattern | None:
        """The `value` inside `text` or `approx`."""
        return None if said.get("value") is None else self._literal(said["value"], node)

    def _one_of(self, said: Sequence[Any], node: Node) -> Pattern:
        return OneOf(tuple(self.value(alternative, node) for alternative in said))

    def _unordered(self, said: Sequence[Any], node: Node) -> Pattern:
        items = items_node(node, self.root)
        return Unordered(tuple(self.value(item, items) for item in said))

    def _regex(self, said: str, node: Node) -> Pattern:  # noqa: ARG002 - every word is read with the same arguments
        text = self.rules.text
        return Regex(re.compile(said, re.IGNORECASE if text and text.casefold else 0), text)

    def _contains(self, said: Any, node: Node) -> Pattern:
        part = said if isinstance(said, str) else None
        return Contains(self.value(said, items_node(node, self.root)), part, self.rules.text)

    def _possible(self, name: str, written: Any, declared: _Declared, inner: _Reader) -> Pattern:
        """A parameter's possible answers under `coerce: bfcl`."""
        types: list[str] | None = None
        element: list[str] | None = None
        if declared.properties is not None:
            if name not in declared.properties:
                return NoParameter(is_optional(written))
            node = resolved(declared.properties[name], self.root)
            types = _types(node)
            element = _types(resolved(node["items"], self.root)) if "items" in node else None
        found = possible_answers(written, types, element, required=name in declared.required)
        return inner.value(written, NO_NODE) if found is None else found


_WORDS: Mapping[str, Callable[[_Reader, Any, Node], Pattern | None]] = {
    "equals": _Reader._literal,
    "one_of": _Reader._one_of,
    "regex": _Reader._regex,
    "contains": _Reader._contains,
    "approx": _Reader._short,
    "text": _Reader._short,
    "unordered_list": _Reader._unordered,
    "type": lambda _, said, __: OfType((said,) if isinstance(said, str) else tuple(said)),
    "absent": lambda *_: Absent(),
}


class _Shown(str):
    """A description, which is its own repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _types(node: Node) -> list[str]:
    said = node.get("type")
    return [word for word in (said if isinstance(said, list) else [said]) if isinstance(word, str)]


def _defaults(properties: Mapping[str, Node], root: Node) -> Mapping[str, Any]:
    found = {}
    for name, schema in properties.items():
        node = resolved(schema, root)
        if "default" in schema:
            found[name] = schema["default"]
        elif "default" in node:
            found[name] = node["default"]
    return found


def _defaults_of(pattern: Pattern) -> Mapping[str, Any]:
    return pattern.defaults if isinstance(pattern, ObjectOf) else {}
