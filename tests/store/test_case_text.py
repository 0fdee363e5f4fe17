import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmreplay.model.case import Case, Provenance, RecordedResult
from pytest_llmreplay.model.conversation import Message, Step, Tool, ToolCall
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.case_text import case_from_yaml, case_to_yaml
from pytest_llmreplay.store.cases import read_cases, write_cases

odd = st.sampled_from(
    [
        "a\nb",
        "a \nb",
        "\n",
        "a\n\n",
        " a\n b",
        "\ud800",
        "\ud83d\ude00",
        "\x85",
        "\u2028\n",
        "\t",
        "- x\n# y",
        "<<",
        "=",
        "yes",
        "1e3",
        "0x1f",
        "2026-01-01",
        "null",
        "~",
        "a: b",
        "\ufeff",
        "\x00",
        "\r\n",
        "x" * 300,
        "\ufdd0",
        "| \n",
        "---\n",
        "%\n",
        "'\"\\",
        "é\nü",
        "\U0001f600\nok",
        "🙂",
        "?",
        "!tag",
        "&a",
        "*a",
        "@",
        "`",
        "{}",
        "[1]",
        "\ufffe",
        "a\x7fb\nc",
    ]
)
texts = odd | st.text(st.characters(), max_size=12) | st.lists(odd, max_size=4).map("".join)
names = texts.filter(bool)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, plain, max_size=3)
maybe = st.none() | texts
documents = st.builds(lambda v, spaced: json.dumps(v, ensure_ascii=spaced), objects, st.booleans())
calls = st.builds(ToolCall, maybe, texts, texts)
messages = st.builds(
    Message, names, maybe, st.none() | documents, st.lists(calls, max_size=2).map(tuple), maybe, maybe, maybe
)
cases = st.builds(
    Case,
    case_id=names,
    suite=names,
    kind=st.sampled_from(["incident", "control"]),
    status=st.sampled_from(["draft", "open", "fixed", "retired"]),
    messages=st.lists(messages, max_size=3).map(lambda m: (Message("user", "hi"), *m)),
    turn=st.just(1),
    title=maybe,
    severity=st.sampled_from([None, "critical", "low"]),
    tags=st.lists(texts, max_size=3).map(tuple),
    summary=maybe,
    tools=st.none()
    | st.lists(st.builds(Tool, names, maybe, st.none() | documents, st.sampled_from([None, "read"]))).map(tuple),
    vars=objects,
    steps=st.lists(
        st.builds(
            Step,
            st.integers(0, 9),
            st.just("other"),
            maybe,
            maybe,
            maybe,
            st.lists(texts, max_size=2).map(tuple),
            maybe,
        ),
        max_size=2,
    ).map(tuple),
    recorded_results=st.lists(st.builds(RecordedResult, st.integers(0, 9), texts, texts, texts, names), max_size=2).map(
        tuple
    ),
    expect=objects,
    weight=st.floats(0, 1e9),
    metadata=objects,
    provenance=st.builds(
        Provenance,
        maybe,
        row=st.none() | st.integers(0, 2**60),
        correlation_ids=st.dictionaries(texts, texts, max_size=2),
    ),
)
many = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(cases)
def test_yaml_loses_nothing(case):
    assert case_from_yaml(case_to_yaml(case)) == case


@many
@given(cases)
def test_parquet_loses_nothing(tmp_path_factory, case):
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    write_cases(path, [case], replace=True)
    assert read_cases(path) == [case]


def test_the_text_is_readable(case):
    text = case_to_yaml(case)
    assert text.startswith("kind: case\ncase_id: speak-to-a-person-1a2b3c4d\ntitle: Speak to a person\n")
    assert "summary: |-\n  It searched.\n  Twice.\n" in text
    assert "    parameters:\n      type: object\n" in text
    assert text.count("null") == 2  # the id of a call and a value in vars: both are said, the rest is left out
    assert case_from_yaml(text, "x.yaml") == case


def test_no_tools_and_unknown_tools_are_told_apart(case):
    for tools in (None, ()):
        changed = Case("c", "s", "control", "fixed", (Message("user", "hi"),), 1, tools=tools)
        assert case_from_yaml(case_to_yaml(changed)).tools == tools


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statuss": "open"}, "x.yaml: unknown key (found 'statuss'); allowed: .*did you mean 'status'"),
        ({"messages": [{"role": "user", "contents": "a"}]}, "messages[0]: unknown key (found 'contents')"),
        ({"provenance": {"rows": 1}}, "provenance: unknown key (found 'rows')"),
        ({"case_kind": "oops"}, "case_kind: is 'oops'; allowed: incident, control"),
        ({"status": 1}, "status: is 1; allowed: draft, open, fixed, retired"),
        ({"messages": "hi"}, "messages: is str, not a list"),
        ({"tags": [1]}, "tags: is not a list of texts"),
        ({"expect": [1]}, "expect: is JSON of a list, not of an object"),
        ({"turn": "1"}, "turn: is str, not a whole number"),
        ({"title": 12}, "title: is int, not text"),
        ({"kind": "variant"}, "kind: is another kind of file (found 'variant'); allowed: case"),
    ],
)
def test_a_mistake_is_one_sentence(case, change, message):
    document = {**yaml.safe_load(case_to_yaml(case)), **change}
    with pytest.raises(UserError) as caught:
        case_from_yaml(yaml.safe_dump(document), "x.yaml")
    start, _, end = message.partition(".*")
    assert start in str(caught.value)
    assert end in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[1]", "a: [", "a: !!python/object:os.system x", "when: 2026-01-01\nkind: cas", "[" * 5000]
)
def test_what_is_no_case_is_refused(text):
    with pytest.raises(UserError):
        case_from_yaml(text, "x.yaml")


def test_a_value_that_json_cannot_hold_is_refused(case):
    with pytest.raises(UserError, match="vars: cannot be JSON"):
        case_from_yaml(case_to_yaml(replace(case, vars={})) + "vars: {when: 2026-01-01}\n", "x.yaml")


def test_aliases_and_repeated_keys_are_refused(case):
    text = case_to_yaml(case)
    with pytest.raises(UserError, match="an alias is not allowed"):
        case_from_yaml(text + "owner: &a x\nintent: *a\n")
    with pytest.raises(UserError, match="the key 'status' is said twice"):
        case_from_yaml(text + "status: fixed\n")
