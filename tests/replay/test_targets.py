import asyncio
import threading

import pytest

from pytest_llmreplay.model.case import Provenance
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError, Unmeasurable
from pytest_llmreplay.model.variant import CallableTarget, Environment, TracesTarget, Variant
from pytest_llmreplay.replay.targets.callable import CallableTurns
from pytest_llmreplay.replay.targets.traces import TracesReplayer
from pytest_llmreplay.replay.turns import TurnReplayer
from tests.fakes import FakeLog, calls, says
from tests.replay.test_turns import case


def run(function, **target):
    config = CallableTarget(type="callable", function="app:answer", **target)
    variant = Variant("v", config)
    return asyncio.run(TurnReplayer(variant, CallableTurns(config, function), Environment(), {}).replay(case(), 1))


def test_a_callable_may_return_text_sync_and_off_the_event_loop():
    threads = []

    def answer(messages, tools, replay):
        threads.append(threading.current_thread())
        return f"got {messages[-1]['content']}"

    assert run(answer).answer == "got two"
    assert threads != [threading.main_thread()]


def test_a_callable_that_returns_tool_calls_is_called_again_with_the_results():
    async def answer(messages, tools, replay):
        if messages[-1]["role"] == "tool":
            return {"content": messages[-1]["content"]}
        return {"tool_calls": [{"id": "x", "function": {"name": "look", "arguments": '{"n": 2}'}}]}

    trajectory = run(answer)
    assert trajectory.answer == "result two"
    assert [call.name for call in trajectory.tool_calls] == ["look"]


def test_a_callable_may_run_its_own_loop():
    async def answer(messages, tools, replay):
        return "looked: " + await replay.tool("look", {"n": 2})

    trajectory = run(answer)
    assert trajectory.answer == "looked: result two"
    assert trajectory.tool_calls == (ToolCall("replay_0", "look", '{"n": 2}'),)
    assert trajectory.recorded_share == 1.0


@pytest.mark.parametrize("swallow", [False, True])
def test_an_unrecorded_call_in_its_own_loop_stops_the_replay_even_when_swallowed(swallow):
    async def answer(messages, tools, replay):
        try:
            await replay.tool("other")
        except Exception:
            if not swallow:
                raise
        return "made up"

    trajectory = run(answer)
    assert trajectory.turns[0].stop == "unrecorded"
    assert trajectory.answer is None


def test_a_callable_may_return_a_trajectory():
    def answer(messages, tools, replay):
        return [
            {"role": "assistant", "tool_calls": [{"name": "look", "arguments": {"n": 9}}]},
            {"role": "tool", "content": "nine"},
            {"role": "assistant", "content": "it is nine"},
        ]

    trajectory = run(answer)
    assert trajectory.answer == "it is nine"
    assert trajectory.tool_calls[0].arguments == '{"n": 9}'


def test_a_callable_that_raises_is_trouble():
    def answer(messages, tools, replay):
        raise RuntimeError("database is down")

    with pytest.raises(InfrastructureError, match="app:answer raised RuntimeError: database is down"):
        run(answer)


@pytest.mark.parametrize("returned", [None, 7, [], [{"content": "no role"}], [{"role": "user", "content": "x"}]])
def test_a_callable_that_returns_something_else_is_trouble(returned):
    with pytest.raises(InfrastructureError, match="app:answer returned"):
        run(lambda messages, tools, replay: returned)


def test_a_callable_that_takes_too_long_is_trouble():
    async def answer(messages, tools, replay):
        await asyncio.sleep(30)

    with pytest.raises(InfrastructureError, match=r"within 0.05 s"):
        run(answer, timeout_s=0.05)


LOGGED = Conversation(
    "other",
    (Message("user", "one"), says("a"), Message("user", "two"), calls(("pay", '{"n":1}')), says("paid")),
    cost_usd=0.5,
)


def look_up(log, on="task", **changes):
    config = TracesTarget(type="traces", logs="x.parquet", on=on)
    return asyncio.run(TracesReplayer(config, FakeLog(log)).replay(case(metadata={"task": 7}, **changes), 1))


def test_a_trajectory_is_looked_up_by_the_cases_own_value_of_the_column():
    trajectory = look_up({("7", 1): LOGGED})
    assert [call.name for call in trajectory.tool_calls] == ["pay"]
    assert trajectory.answer == "paid"
    assert (trajectory.usage.live_steps, trajectory.usage.cost_usd) == (0, 0.5)


def test_conversation_id_joins_on_the_trace_that_the_case_came_from():
    trajectory = look_up({("t-1", 1): LOGGED}, on="conversation_id", provenance=Provenance(trace_id="t-1"))
    assert trajectory.answer == "paid"


def test_what_is_not_in_the_log_is_unmeasured():
    with pytest.raises(Unmeasurable, match="no row with task = '7' for trial 1"):
        look_up({})
    with pytest.raises(Unmeasurable, match="no 'session' in its metadata"):
        look_up({}, on="session")


def test_a_logged_conversation_that_never_reached_the_failing_turn():
    short = Conversation("other", (Message("user", "one"), says("a")))
    assert look_up({("7", 1): short}).replayed is None
