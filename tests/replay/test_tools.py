import asyncio
import json

import pytest

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.case import ANY_ARGUMENTS, RecordedResult
from pytest_llmreplay.model.conversation import Tool, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.model.variant import Environment
from pytest_llmreplay.replay.tools import UNRECORDED_ERROR, ToolBox


def recorded(name, args, result, turn=1):
    return RecordedResult(turn, name, canonical_arguments(args), result)


def box(results=(), tools=(), stubs=None, functions=None, unrecorded="stop"):
    return ToolBox(results, tools, Environment(stubs=stubs or {}), functions or {}, unrecorded)


def answer(tool_box, name, args, turn=1):
    return asyncio.run(tool_box.answer(ToolCall("c", name, args), turn))


def sources(tool_box):
    return [answer.source for answer in tool_box.answers]


def test_a_recorded_result_answers_whatever_the_order_of_keys():
    tools = box([recorded("f", '{"a": 1, "b": 2}', "yes")])
    assert answer(tools, "f", '{"b":2,"a":1}') == "yes"
    assert sources(tools) == ["recorded"]


def test_each_recorded_result_is_used_once_and_the_last_repeats():
    tools = box([recorded("f", "{}", "first"), recorded("f", "{}", "second")])
    assert [answer(tools, "f", "{}") for _ in range(3)] == ["first", "second", "second"]


def test_other_arguments_are_not_answered_from_the_recording():
    tools = box([recorded("f", '{"a": 1}', "yes")])
    assert answer(tools, "f", '{"a": 2}') is None
    assert sources(tools) == ["unrecorded"]


def test_a_later_turn_does_not_get_the_result_of_an_earlier_one_when_it_has_its_own():
    tools = box([recorded("balance", "{}", "100", turn=1), recorded("balance", "{}", "50", turn=3)])
    tools.begin_turn(3)
    assert answer(tools, "balance", "{}", turn=3) == "50"


def test_an_earlier_result_still_answers_when_the_turn_has_none_of_its_own():
    tools = box([recorded("user", "{}", "Ann", turn=1)])
    tools.begin_turn(3)
    assert answer(tools, "user", "{}", turn=3) == "Ann"


def test_malformed_arguments_are_answered_only_by_the_same_text():
    tools = box([recorded("f", "{broken", "yes")])
    assert answer(tools, "f", "{broken") == "yes"
    assert answer(tools, "f", "{other") is None


def test_a_stub_comes_after_recordings_and_before_the_policy():
    tools = box([recorded("f", '{"a":1}', "recorded")], stubs={"f": {"stub": True}}, unrecorded="error")
    assert answer(tools, "f", '{"a":1}') == "recorded"
    assert json.loads(answer(tools, "f", "{}")) == {"stub": True}
    assert sources(tools) == ["recorded", "stub"]


def test_a_result_for_any_arguments_comes_after_an_exact_one():
    tools = box([RecordedResult(1, "f", ANY_ARGUMENTS, "any"), recorded("f", '{"a":1}', "exact")])
    assert answer(tools, "f", '{"a":1}') == "exact"
    assert answer(tools, "f", '{"a":2}') == "any"


def test_the_policy_error_gives_the_model_an_error_result():
    tools = box(unrecorded="error")
    assert answer(tools, "f", "{}") == UNRECORDED_ERROR
    assert sources(tools) == ["error"]


def test_nearest_takes_the_closest_result_of_the_same_read_tool():
    results = [recorded("find", '{"city":"Oslo","day":1}', "Oslo"), recorded("find", '{"city":"Lima","day":1}', "Lima")]
    tools = box(results, tools=[Tool("find", effect="read")], unrecorded="nearest")
    assert answer(tools, "find", '{"city":"Lima","day":2}') == "Lima"
    assert sources(tools) == ["nearest"]


@pytest.mark.parametrize("effect", ["write", None])
def test_nearest_never_answers_a_tool_that_may_write(effect):
    tools = box([recorded("pay", '{"n":1}', "paid")], tools=[Tool("pay", effect=effect)], unrecorded="nearest")
    assert answer(tools, "pay", '{"n":2}') is None


def test_a_function_of_the_environment_answers_sync_or_async():
    async def later(n):
        return n + 1

    tools = box(functions={"now": lambda n: {"n": n}, "later": later})
    assert answer(tools, "now", '{"n":1}') == '{"n": 1}'
    assert answer(tools, "later", '{"n":1}') == "2"


def test_a_function_that_raises_is_trouble_and_not_an_answer():
    def broken():
        raise RuntimeError("down")

    with pytest.raises(InfrastructureError, match="tool 'f' raised RuntimeError: down"):
        answer(box(functions={"f": broken}), "f", "{}")
