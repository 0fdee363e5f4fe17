"""Reading expectations: what is refused, and how the refusal helps."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
import yaml

from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.model.expectation import Expectation, parse_expectation
from pytest_llmreplay.model.rubric import InlineRubric, RubricReference

DESIGN = """
expect:
  calls:
    order: at_least
    scope: turn
    expected:
      - {name: get_support_hours, args: {department: {one_of: [support, care]}}, match: exact}
      - {name: lookup_order, keys: [order_id], args: {order_id: "4417"}}
    forbidden: [search_products]
    schema: true
  answer: {contains_any: ["9am", "9:00"], not_regex: "as an AI"}
  limits: {steps: 4, latency_s: 8, cost_usd: 0.02}
  rubric: {file: configs/rubrics/support.yaml}
"""


def calls(**more):
    return {"calls": {"expected": [{"name": "f", **more}]}}


def args(value):
    return calls(args={"a": value})


def refusal(data, file=None) -> str:
    with pytest.raises(UserError) as caught:
        parse_expectation(data, file=file)
    return str(caught.value)


def test_the_example_of_the_design_is_read_as_it_is_written():
    found = parse_expectation(yaml.safe_load(DESIGN))
    assert found.calls is not None
    assert found.calls.check_schema
    assert [call.name for call in found.calls.expected] == ["get_support_hours", "lookup_order"]
    assert found.calls.expected[1].keys == ("order_id",)
    assert found.answer is not None
    assert found.answer.not_regex == ("as an AI",)
    assert found.limits is not None
    assert found.limits.cost_usd == 0.02
    assert found.rubric is not None
    assert found.rubric.file == "configs/rubrics/support.yaml"


def test_wrapped_and_bare_are_the_same():
    wrapped = yaml.safe_load(DESIGN)
    assert parse_expectation(wrapped) == parse_expectation(wrapped["expect"])
    assert parse_expectation({"kind": "expectations", **wrapped}) == parse_expectation(wrapped)


@pytest.mark.parametrize(("alias", "order"), [("superset", "at_least"), ("subset", "at_most")])
def test_order_aliases(alias, order):
    found = parse_expectation({"calls": {"order": alias, "expected": [{"name": "f"}]}})
    assert found.calls is not None
    assert found.calls.order == order


def test_a_rubric_alone_is_an_expectation_and_may_stand_inline():
    assert parse_expectation({"rubric": {"file": "r.yaml"}}).rubric is not None
    inline = parse_expectation({"rubric": {"criteria": [{"id": "polite", "question": "Is it polite?"}]}}).rubric
    assert isinstance(inline, InlineRubric)
    assert [criterion.id for criterion in inline.criteria] == ["polite"]
    assert parse_expectation({"rubric": {"file": "r.yaml", "reference": "Good day"}}).rubric == RubricReference(
        file="r.yaml", reference="Good day"
    )


@pytest.mark.parametrize(
    ("rubric", "said"),
    [
        ({"criteria": [{"id": "a", "questoin": "b"}]}, "did you mean 'question'?"),
        ({"critera": [{"id": "a", "question": "b"}]}, "expect.rubric.critera: unknown key (found 'critera')"),
        ({"fiel": "r.yaml"}, "did you mean 'file'?"),
        ({}, "expect.rubric.file: is missing"),
        ("r.yaml", "expect.rubric"),
        ({"file": "r.yaml", "criteria": []}, "expect.rubric.file: unknown key"),
        ({"criteria": []}, "expect.rubric.criteria: is empty"),
    ],
)
def test_a_mistake_in_an_inline_rubric_is_found_where_it_is_written(rubric, said):
    assert said in refusal({"rubric": rubric})


@pytest.mark.parametrize(
    "empty",
    [
        {},
        {"expect": {}},
        {"calls": {}},
        {"calls": {"scope": "turn"}},
        {"calls": {"expected": []}},
        {"calls": {"order": "in_order", "expected": []}},
        {"calls": {"forbidden": []}},
        {"answer": {}},
        {"answer": {"text": {"trim": True}}},
        {"answer": {"contains_all": []}},
        {"answer": {"regex": ""}},
        {"answer": {"contains_any": [""]}},
        {"answer": {"json_schema": {}}},
        {"limits": {}},
        {"limits": {"steps": None}},
        {"rubric": {}},
        {"calls": {"called": {"f": {"min": 0}}}},
        args({"regex": ""}),
        args({"contains": ""}),
        args({"text": {"casefold": True}}),
        args({"approx": {"abs": 0.1}}),
        args({"equals": 1, "approx": {"abs": 0}}),
        args({"type": []}),
        calls(args={}, keys=[]),
        calls(keys=["a"]),
        calls(args={"a": 1}, keys=["b"]),
        calls(args={"a": {"one_of": [1]}}, keys=["a.one_of"]),
    ],
)
def test_what_asserts_nothing_is_refused__pydantic_evals_scores_an_empty_expectation_1(empty):
    with pytest.raises(UserError):
        parse_expectation(empty)


@pytest.mark.parametrize("order", ["strict", "any_order", "at_most"])
def test_an_empty_list_that_a_call_could_fail_is_an_assertion(order):
    assert parse_expectation({"calls": {"order": order, "expected": []}}).calls is not None


@pytest.mark.parametrize(
    ("data", "path", "hint"),
    [
        ({"cals": {}}, "expect.cals", "did you mean 'calls'?"),
        ({"calls": {"expcted": []}}, "expect.calls.expcted", "did you mean 'expected'?"),
        ({"calls": {"order": "stric", "expected": [{"name": "f"}]}}, "expect.calls.order", "did you mean 'strict'?"),
        (calls(mtach="exact"), "expect.calls.expected[0].mtach", "did you mean 'match'?"),
        (calls(occurrence="frist"), "expect.calls.expected[0].occurrence", "first, last, or a number"),
        (args({"regex": "("}), "expect.calls.expected[0].args.a.regex", "is not a regular expression"),
        (args({"b": [{"regex": "("}]}), "expect.calls.expected[0].args.a.b[0].regex", "not a regular expression"),
        (args({"one_of": [{"regex": "["}]}), "expect.calls.expected[0].args.a.one_of[0].regex", "unterminated"),
        (args({"type": "strng"}), "expect.calls.expected[0].args.a.type", "did you mean 'string'?"),
        (args({"type": "refund"}), "expect.calls.expected[0].args.a.type", "`equals:` takes a literal"),
        (args({"absent": True, "regex": "x"}), "expect.calls.expected[0].args.a.absent", "no other word"),
        (args([{"absent": True}]), "expect.calls.expected[0].args.a[0].absent", "cannot be absent"),
        (args({"one_of": [{"optional": True}]}), "a.one_of[0].optional", "only an argument can be optional"),
        (args(float("nan")), "expect.calls.expected[0].args.a", "JSON has no such number"),
        (args({1: "x", "y": 2}), "expect.calls.expected[0].args.a", "write it in quotes"),
        (calls(args={"a": 1}, keys=["b"]), "expect.calls.expected[0].keys[0]", "b: {absent: true}"),
        ({"answer": {"regex": "("}}, "expect.answer.regex", "is not a regular expression"),
        ({"answer": {"json_schema": {"type": "objct"}}}, "expect.answer.json_schema", "no JSON Schema 2020-12"),
        ({"limits": {"step": 4}}, "expect.limits.step", "did you mean 'steps'?"),
        ({"calls": {"called": {"f": {"min": 3, "max": 1}}}}, "expect.calls.called.f", "min 3 is greater than max 1"),
        ({"calls": {"called": {"f": {"exactly": 1, "max": 1}}}}, "expect.calls.called.f", "stands alone"),
        ({"calls": {"order": "none", "expected": [{"name": "f"}]}}, "expect.calls.expected", "expects no call"),
        (
            {"calls": {"expected": [{"name": "f"}], "forbidden": ["f"]}},
            "expect.calls.expected[0].name",
            "expected and forbidden",
        ),
    ],
)
def test_a_mistake_names_the_file_the_key_path_and_the_way_out(data, path, hint):
    message = refusal(data, file="golden/e.yaml")
    assert message.startswith("golden/e.yaml: ")
    assert path in message
    assert hint in message


def test_a_yaml_date_is_refused_before_it_can_never_match():
    message = refusal(args(yaml.safe_load("2024-05-01")))
    assert "is a date, which JSON does not have; write it in quotes" in message


def test_all_mistakes_are_reported_at_once():
    with pytest.raises(Problems) as caught:
        parse_expectation({"calls": {"expected": [{"name": "f", "args": {"a": {"regex": "("}, "b": {"type": "x"}}}]}})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("data", ["text", [], None, 5, {"expect": None}, {"calls": 5}, {"calls": {"expected": "f"}}])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(UserError):
        parse_expectation(data)


def test_nesting_without_end_is_refused_and_does_not_crash():
    deep: object = 1
    for _ in range(5000):
        deep = {"a": deep}
    assert "nested too deeply" in refusal(args(deep))


def test_the_schema_for_editors_offers_the_words_and_allows_literals():
    import jsonschema

    schema = Expectation.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for data in (
        yaml.safe_load(DESIGN)["expect"],
        args("literal"),
        args({"regex": "x"}),
        args({"free": {"one_of": [1]}}),
        {"calls": {"order": "superset", "called": {"f": {"max": 1}}}},
        {"rubric": {"criteria": [{"id": "polite", "question": "Is it polite?"}]}},
    ):
        validator.validate(data)
    assert not validator.is_valid({"cals": {}})
    assert not validator.is_valid({"rubric": {"criteria": []}})
    assert not validator.is_valid({"calls": {"order": "sideways"}})
    assert "regex" in str(schema["$defs"]["ExpectedCall"]["properties"]["args"])


def test_reading_does_not_import_jsonschema():
    code = (
        "import sys; from pytest_llmreplay.model.expectation import parse_expectation;"
        "parse_expectation({'calls': {'expected': [{'name': 'f', 'args': {'a': {'regex': 'x'}}}], 'schema': True}});"
        "print([name for name in ('jsonschema', 'pyarrow', 'numpy') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_hundred_thousand_cases_are_read_in_seconds():
    data = {"calls": {"expected": [{"name": "lookup_order", "args": {"order_id": "4417"}}]}}
    start = time.process_time()
    for _ in range(2000):
        parse_expectation(data)
    assert (time.process_time() - start) / 2000 < 200e-6
