"""`schema: true`: valid against the offered tools, JSON Schema 2020-12."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.checks import match_calls
from pytest_llmreplay.checks.schema_check import check_against_schema
from tests.checks.build import codes, made, tool

ORDER = tool(
    "order",
    None,
    ["id"],
    id="string",
    count="integer",
    price="number",
    gift="boolean",
    size={"type": "string", "enum": ["S", "M"]},
    notes={"type": "array", "items": {"type": "string"}},
    address={"type": "object", "properties": {"zip": {"type": "string"}}, "required": ["zip"]},
    code={"type": "string", "pattern": "^[A-Z]+$"},
    when={"anyOf": [{"type": "string"}, {"type": "null"}]},
    either={"anyOf": [{"type": "string", "minLength": 3}, {"type": "integer", "minimum": 3}]},
)
CHECK = {"schema": True}


def check(arguments, tools=(ORDER,), name="order"):
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return match_calls([{"name": name, "arguments": raw}], CHECK, tools=list(tools))


@pytest.mark.parametrize(
    ("arguments", "code", "path"),
    [
        ({}, "missing_argument", ".id"),
        ({"id": 5}, "type_error", ".id"),
        ({"id": "x", "count": "5"}, "type_error", ".count"),
        ({"id": "x", "count": True}, "type_error", ".count"),
        ({"id": "x", "count": 1.5}, "type_error", ".count"),
        ({"id": "x", "gift": 1}, "type_error", ".gift"),
        ({"id": "x", "size": "L"}, "value_error", ".size"),
        ({"id": "x", "colour": "red"}, "unexpected_argument", ".colour"),
        ({"id": "x", "notes": ["a", 1]}, "type_error", ".notes[1]"),
        ({"id": "x", "address": {}}, "missing_argument", ".address.zip"),
        ({"id": "x", "code": "abc"}, "schema_error", ".code"),
        ({"id": "x", "when": 5}, "type_error", ".when"),
        ({"id": "x", "either": 1}, "schema_error", ".either"),
        ("{'id': 1}", "malformed_arguments", ""),
    ],
)
def test_what_is_not_valid(arguments, code, path):
    result = check(arguments)
    assert [(reason.code, reason.path) for reason in result.failures] == [(code, f"calls[0].arguments{path}")]


@pytest.mark.parametrize(
    "arguments",
    [
        {"id": "x"},
        {"id": "x", "count": 2.0, "price": 2, "gift": False, "size": "M", "notes": [], "when": None},
        {"id": "x", "address": {"zip": "1", "extra": 1}, "either": 5},
    ],
)
def test_what_is_valid(arguments):
    assert check(arguments).passed


def test_an_unknown_tool():
    result = check({}, name="orders")
    assert codes(result) == ["unknown_tool"]
    assert "offered: order" in result.failures[0].message


def test_every_call_in_scope_is_checked_and_everything_is_told():
    calls = [made("order", id=1, colour="x"), made("order"), made("nothing")]
    result = match_calls(calls, CHECK, tools=[ORDER])
    assert sorted(codes(result)) == ["missing_argument", "type_error", "unexpected_argument", "unknown_tool"]


def test_without_tools_it_is_unmeasured():
    result = match_calls([made("order")], CHECK)
    assert not result.passed
    assert codes(result) == ["tools_unknown"]
    assert not result.failures


@pytest.mark.parametrize(
    "parameters",
    [
        "not json",
        "[]",
        '{"type": "dict"}',
        '{"properties": {"a": {"type": "strng"}}}',
        '{"properties": {"a": {"pattern": "("}}, "type": "object"}',
        '{"$ref": "#/$defs/missing"}',
        '{"$ref": "https://example.com/schema.json"}',
        '{"$ref": "file:///etc/passwd"}',
        '{"allOf": [{"$ref": "#"}]}',
        None,
    ],
)
def test_a_tool_whose_schema_cannot_be_used_is_unmeasured_and_nothing_is_fetched(parameters, monkeypatch):
    asked = []
    monkeypatch.setattr("urllib.request.urlopen", lambda *call, **_: asked.append(call))
    odd = {"name": "odd", "parameters": parameters}
    result = match_calls([made("odd", a="x"), made("odd", a="y")], CHECK, tools=[odd])
    assert codes(result) == ["bad_tool_schema"]
    assert not result.failures
    assert asked == []


def test_an_open_schema_may_take_more():
    opened = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}}
    tools = [{"name": "f", "parameters": opened}]
    assert match_calls([made("f", a="x", b=1)], CHECK, tools=tools).passed
    assert codes(match_calls([made("f", a="x", b="1")], CHECK, tools=tools)) == ["type_error"]
    closed = {"type": "object", "properties": {"o": {"type": "object", "additionalProperties": False}}}
    nested = match_calls([made("f", o={"x": 1})], CHECK, tools=[{"name": "f", "parameters": closed}])
    assert [(r.code, r.path) for r in nested.failures] == [("unexpected_argument", "calls[0].arguments.o.x")]
    by_pattern = {"type": "object", "properties": {}, "patternProperties": {"^x_": {"type": "integer"}}}
    assert match_calls([made("f", x_a=1)], CHECK, tools=[{"name": "f", "parameters": by_pattern}]).passed


def test_2020_12_is_what_counts():
    prefix = {
        "type": "object",
        "properties": {"p": {"type": "array", "prefixItems": [{"type": "string"}], "items": False}},
    }
    tools = [{"name": "f", "parameters": prefix}]
    assert match_calls([made("f", p=["a"])], CHECK, tools=tools).passed
    assert codes(match_calls([made("f", p=["a", 1])], CHECK, tools=tools)) == ["schema_error"]


TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "object"])
VALUES = st.sampled_from(["a", "b", "", 1, 0, 1.0, 1.5, True, False, None, [], {}])
PROPERTIES = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(lambda t, e: {"type": t, **({"enum": ["a", "b"]} if e else {})}, TYPES, st.booleans()),
)


@given(PROPERTIES, st.lists(st.sampled_from("abc"), unique=True), st.dictionaries(st.sampled_from("abcd"), VALUES))
def test_the_short_way_for_simple_schemas_agrees_with_jsonschema(properties, required, arguments):
    schema = {"type": "object", "properties": properties, "required": required}
    valid = jsonschema.Draft202012Validator({**schema, "additionalProperties": False}).is_valid(arguments)
    result = match_calls([{"name": "f", "arguments": arguments}], CHECK, tools=[{"name": "f", "parameters": schema}])
    assert result.passed is valid


def test_a_schema_for_a_value():
    assert check_against_schema([1], '{"type": "array"}') is None
    problem = check_against_schema([1], '{"items": {"type": "string"}}')
    assert problem == "$[0]: 1 is not of type 'string'"
    with pytest.raises(ValueError, match="cannot be followed"):
        check_against_schema(1, '{"$ref": "https://example.com/x"}')
