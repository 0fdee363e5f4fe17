"""The example scenario: what its files promise, and how its logs are made."""

import asyncio
import json
import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from examples import make_logs
from pytest_llmreplay.config.environment import load_environment
from pytest_llmreplay.config.variant import load_variant
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.providers.local_prompt import exchanges_of
from tests.fakes import FakeProvider

ROOT = Path(__file__).resolve().parents[2]
LABELLED = list(make_logs.labelled_messages())


@pytest.fixture(scope="module")
def v1():
    return load_variant(ROOT / "configs" / "v1.yaml", root=ROOT)


@pytest.fixture(scope="module")
def v2():
    return load_variant(ROOT / "configs" / "v2.yaml", root=ROOT)


def same_but_for_numbers(text):
    return re.sub(r"\W+", " ", re.sub(r"\d+", "N", text.lower())).strip()


def valid(tools, name, arguments):
    (tool,) = (tool for tool in tools if tool.name == name)
    return Draft202012Validator(json.loads(tool.parameters)).is_valid(arguments)


def test_the_halves_are_equal_and_hold_every_intent():
    assert Counter(labelled.half for labelled in LABELLED) == {"tuning": 60, "production": 60}
    assert set(Counter((labelled.half, labelled.intent) for labelled in LABELLED).values()) == {10}
    assert len({labelled.id for labelled in LABELLED}) == 120
    assert len({labelled.text for labelled in LABELLED}) == 120


def test_what_is_right_is_a_valid_call_of_both_variants(v1, v2):
    for labelled in LABELLED:
        assert valid(v1.tools, labelled.tool, labelled.args)
        assert valid(v2.tools, labelled.tool, labelled.args)
        assert parse_expectation(labelled.expect, file="messages.yaml")


def test_no_message_of_the_production_half_is_a_worked_example_or_in_the_tuning_half(v2):
    seen = {same_but_for_numbers(m.content) for m in v2.examples if m.role == "user"}
    seen |= {same_but_for_numbers(labelled.text) for labelled in LABELLED if labelled.half == "tuning"}
    assert [m.id for m in LABELLED if m.half == "production" and same_but_for_numbers(m.text) in seen] == []


def test_the_worked_examples_are_whole_exchanges_and_the_tools_take_turns(v2):
    exchanges = exchanges_of(v2.examples)
    names = {tool.name for tool in v2.tools}
    assert len(v2.examples) == 4 * len(exchanges) == 4 * 16 * len(names)
    for start in range(0, len(exchanges), len(names)):
        assert {exchange.tool for exchange in exchanges[start : start + len(names)]} == names
    for asked, called, result, answered in zip(*[iter(v2.examples)] * 4, strict=True):
        (call,) = called.tool_calls
        assert (asked.role, result.role, answered.role) == ("user", "tool", "assistant")
        assert result.tool_call_id == call.id
        assert valid(v2.tools, call.name, json.loads(call.arguments))
    assert len({exchange.calls[0].id for exchange in exchanges}) == len(exchanges)


def test_every_tool_declares_its_effect_and_the_environment_answers_it(v1, v2):
    assert [(tool.name, tool.effect) for tool in v1.tools] == [(tool.name, tool.effect) for tool in v2.tools]
    assert all(tool.effect for tool in v2.tools)
    environment = load_environment(ROOT / "configs" / "environment.yaml")
    assert set(environment.functions) == {tool.name for tool in v2.tools}


def test_the_committed_log_is_what_the_messages_say():
    rows = {row["conversation_id"]: row for row in pq.read_table(make_logs.LOG).to_pylist()}
    assert set(rows) == {labelled.id for labelled in LABELLED}
    for labelled in LABELLED:
        row = rows[labelled.id]
        system, user, called, result, answered = [Message.from_openai(m) for m in json.loads(row["messages"])]
        assert (system.content, user.content) == ("You are a bot.", labelled.text)
        assert row["review"] == labelled.review(called.tool_calls)
        assert json.loads(row["expect"]) == labelled.expect
        assert (row["half"], row["intent"], row["lang"]) == (labelled.half, labelled.intent, labelled.lang)
        assert result.tool_call_id == called.tool_calls[0].id
        assert answered.content


def test_the_production_half_has_enough_incidents_and_controls():
    rows = [row for row in pq.read_table(make_logs.LOG).to_pylist() if row["half"] == "production"]
    passed = sum(row["review"] == "ok" for row in rows)
    assert passed >= 6
    assert len(rows) - passed >= 16


def test_a_conversation_is_logged_with_what_the_shop_returned(v1):
    labelled = next(m for m in LABELLED if m.id == "shipping-01")
    said = [
        Message("assistant", tool_calls=(ToolCall("call_1", "order", '{"order_id": "4417"}'),)),
        Message("assistant", "It is on its way."),
    ]
    provider = FakeProvider(said)
    messages, replies = asyncio.run(make_logs.conversation(provider, v1.target, v1, labelled.text))
    row = make_logs.row(3, labelled, messages, replies)
    logged = [Message.from_openai(message) for message in json.loads(row["messages"])]
    assert [message.role for message in logged] == ["system", "user", "assistant", "tool", "assistant"]
    assert json.loads(logged[3].content)["order_id"] == "4417"
    assert (row["review"], row["input_tokens"], row["latency_s"]) == ("ok", 20, 1.0)
    assert [len(request.messages) for request in provider.requests] == [2, 4]
    assert provider.requests[0].params == {"temperature": 0}


@pytest.mark.parametrize(
    ("name", "arguments", "review"),
    [
        ("order", '{"order_id": "4417"}', "ok"),
        ("order", '{"order_id": "1"}', "wrong argument"),
        ("fun", "{}", "wrong tool"),
    ],
)
def test_a_review_tells_a_wrong_tool_from_a_wrong_argument(name, arguments, review):
    labelled = next(m for m in LABELLED if m.id == "shipping-01")
    assert labelled.review((ToolCall("c", name, arguments),)) == review
