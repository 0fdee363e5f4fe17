import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.model.conversation import Tool
from pytest_llmreplay.providers.local_grammar import (
    Parameter,
    as_value_text,
    parameters_of,
    read_value,
    tool_choice,
    value_constraint,
)


def parameter(schema, name="value", required=True):
    return Parameter(name, schema, required)


def test_a_tool_is_one_of_the_names():
    assert tool_choice([Tool("hours"), Tool('odd"na\\me')]) == r'root ::= " hours" | " odd\"na\\me"'


def test_control_characters_in_a_name_are_escaped():
    assert tool_choice([Tool("a\nb\x1b")]) == r'root ::= " a\x0Ab\x1B"'


@pytest.mark.parametrize(
    ("schema", "name", "rule"),
    [
        ({"type": "string"}, "order_id", "[A-Za-z0-9-]{1,40}"),
        ({"type": "string"}, "id", "[A-Za-z0-9-]{1,40}"),
        ({"type": "string"}, "paid", r"[^\n\r]{1,200}"),
        ({"type": "string", "enum": ["a b", "c"]}, "topic", '"a b" | "c"'),
        ({"enum": [1, None, True]}, "x", '"1" | "none" | "true"'),
        ({"const": 7}, "x", '"7"'),
        ({"type": ["null", "integer"]}, "n", '"-"? [0-9]{1,18}'),
        ({"type": "boolean"}, "b", '("true" | "false")'),
    ],
)
def test_the_schema_of_an_argument_bounds_what_is_written(schema, name, rule):
    assert value_constraint(parameter(schema, name)) == {"grammar": f'root ::= " " ({rule}) "\\n"'}


def test_an_optional_argument_may_be_left_out():
    grammar = value_constraint(parameter({"type": "integer"}, required=False))["grammar"]
    assert grammar == 'root ::= " " ("-"? [0-9]{1,18} | "none") "\\n"'
    assert read_value(parameter({"type": "integer"}, required=False), " none\n") is None
    assert read_value(parameter({"type": "string"}), " none\n") == "none"


@pytest.mark.parametrize("schema", [{"type": "array"}, {"type": "object"}, {}, {"type": 5}, {"anyOf": [{}]}])
def test_lists_objects_and_what_is_not_said_are_bounded_by_their_own_schema(schema):
    assert value_constraint(parameter(schema)) == {"json_schema": schema}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, " 0042\n", "0042"),
        ({"type": "integer"}, " 42\n", 42),
        ({"type": "number"}, " 4.5\n", 4.5),
        ({"type": "boolean"}, " true\n", True),
        ({"enum": ["1", 2]}, " 1\n", "1"),
        ({"enum": ["1", 2]}, " 2\n", 2),
        ({"type": "array"}, '["a"]', ["a"]),
        ({"type": "array"}, '["a', '["a'),
        ({"type": "integer"}, " 007", "007"),
    ],
)
def test_what_was_written_becomes_a_value_of_the_declared_type_or_stays_text(schema, text, value):
    read = read_value(parameter(schema), text)
    assert (read, type(read)) == (value, type(value))


def test_parameters_keep_their_order_and_take_the_definitions_along():
    schema = {
        "properties": {"b": {"$ref": "#/$defs/x"}, "a": {"type": "string"}, "c": True},
        "required": ["a"],
        "$defs": {"x": {"type": "array"}},
    }
    b, a, c = parameters_of(Tool("t", None, json.dumps(schema)))
    assert [(p.name, p.required) for p in (b, a, c)] == [("b", False), ("a", True), ("c", False)]
    assert b.schema["$defs"] == {"x": {"type": "array"}}


@pytest.mark.parametrize("text", [None, "", "{broken", "[]", "3", '{"properties": []}', '{"properties": null}'])
def test_a_schema_that_cannot_be_read_has_no_parameters(text):
    assert parameters_of(Tool("t", None, text)) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["type", "enum", "const", "x"]), JSON), st.text(max_size=20), st.booleans())
def test_no_schema_and_no_text_is_too_odd(schema, text, required):
    odd = parameter(schema, required=required)
    assert len(value_constraint(odd)) == 1
    read_value(odd, text)
    assert "\n" not in as_value_text(schema)
