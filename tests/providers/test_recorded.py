import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError, NotRun, RecordingMissing
from pytest_llmreplay.model.ports import ModelRequest
from pytest_llmreplay.providers.recorded import RecordedProvider, recording_key
from tests.fakes import FakeProvider, FakeRecordings, calls, says

REQUEST = ModelRequest(
    "m", (Message("user", "hi"),), (Tool("look", parameters='{"a": 1, "b": 2}'),), {"temperature": 0}
)


def ask(recordings, mode="new_episodes", request=REQUEST, trial=1, provider=None):
    provider = provider or FakeProvider(lambda _r: calls(("look", "{bad")))
    return asyncio.run(RecordedProvider(provider, recordings, mode).complete(request, trial=trial))


def test_the_second_time_is_answered_from_the_recording_and_says_so():
    recordings = FakeRecordings()
    first, second = ask(recordings), ask(recordings, provider=FakeProvider([]))
    assert (first.live, second.live) == (True, False)
    assert second.message == first.message
    assert second.message.tool_calls[0].arguments == "{bad"
    assert second.latency_s == first.latency_s


@pytest.mark.parametrize(
    "changed",
    [
        {"request": ModelRequest("other", REQUEST.messages, REQUEST.tools, REQUEST.params)},
        {"request": ModelRequest("m", (Message("user", "ho"),), REQUEST.tools, REQUEST.params)},
        {"request": ModelRequest("m", REQUEST.messages, (), REQUEST.params)},
        {"request": ModelRequest("m", REQUEST.messages, REQUEST.tools, {"temperature": 1})},
        {"trial": 2},
        {"provider": FakeProvider([says("x")], identity="elsewhere")},
    ],
)
def test_the_key_changes_with_everything_that_may_change_the_answer(changed):
    recordings = FakeRecordings()
    ask(recordings)
    assert ask(recordings, **changed).live


def test_the_key_does_not_depend_on_the_order_of_keys():
    recordings = FakeRecordings()
    ask(recordings)
    same = ModelRequest("m", REQUEST.messages, (Tool("look", parameters='{"b": 2, "a": 1}'),), {"temperature": 0})
    assert not ask(recordings, request=same).live


# Few words and values, so that requests which are nearly alike come often.
WORDS = st.sampled_from(["", "a", "b", "1", "a b", "\ud800"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, -0.0, 1.0, 0.5]) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.builds(
    Message,
    st.sampled_from(["user", "tool", "assistant"]),
    st.none() | WORDS,
    tool_calls=st.lists(st.builds(ToolCall, WORDS, WORDS, WORDS), max_size=2).map(tuple),
    tool_call_id=st.none() | WORDS,
    name=st.none() | WORDS,
)
SCHEMAS = st.dictionaries(WORDS, VALUES, max_size=3)
ASKED = st.tuples(
    st.sampled_from(["m", "n"]), st.lists(MESSAGES, max_size=2), st.lists(st.tuples(WORDS, SCHEMAS), max_size=2),
    st.dictionaries(WORDS, VALUES, max_size=3), st.sampled_from(["p", "q"]), st.integers(1, 2),
)  # fmt: skip


def key_of(asked, order=lambda value: value):
    model, messages, tools, params, provider, trial = asked
    offered = tuple(Tool(name, parameters=json.dumps(order(schema))) for name, schema in tools)
    return recording_key(ModelRequest(model, tuple(messages), offered, order(params)), provider=provider, trial=trial)


def exactly(value):
    """What tells two values apart as JSON does: 1, 1.0 and true differ, the order of keys does not count."""
    if isinstance(value, dict):
        return frozenset((key, exactly(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(exactly(item) for item in value)
    return repr(value)


def turned_round(value):
    if isinstance(value, dict):
        return {key: turned_round(value[key]) for key in reversed(value)}
    return [turned_round(item) for item in value] if isinstance(value, list) else value


@given(ASKED, ASKED)
def test_keys_differ_exactly_when_the_requests_do(one, other):
    assert (key_of(one) == key_of(other)) == (exactly(one) == exactly(other))


@given(ASKED, st.data())
def test_any_change_of_a_part_changes_the_key_and_another_order_of_keys_does_not(asked, data):
    place = data.draw(st.integers(0, len(asked) - 1))
    other = data.draw(ASKED)
    changed = (*asked[:place], other[place], *asked[place + 1 :])
    assert (key_of(asked) == key_of(changed)) == (exactly(asked) == exactly(changed))
    assert key_of(asked, turned_round) == key_of(asked)


def test_none_never_asks():
    provider = FakeProvider([says("x")])
    with pytest.raises(RecordingMissing, match="record mode is 'none' and this request to m is not recorded"):
        ask(FakeRecordings(), mode="none", provider=provider)
    assert provider.requests == []


def test_once_asks_only_while_nothing_was_recorded_before():
    assert ask(FakeRecordings(had_any=False), mode="once").live
    with pytest.raises(RecordingMissing):
        ask(FakeRecordings(had_any=True), mode="once")


def test_all_asks_always():
    recordings = FakeRecordings()
    ask(recordings)
    assert ask(recordings, mode="all").live


def together(provider, mode="new_episodes", *, count=5, stopped=0):
    """What came of the same question asked by several at once, of whom the first few are stopped meanwhile."""
    recorded = RecordedProvider(provider, FakeRecordings(), mode)

    async def session():
        tasks = [asyncio.create_task(recorded.complete(REQUEST, trial=1)) for _ in range(count)]
        await asyncio.sleep(0)
        for task in tasks[:stopped]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(session())


class Slow(FakeProvider):
    """Counts its requests, and answers or fails only after the others have asked."""

    def __init__(self, *answers):
        super().__init__([])
        self.answers, self.asked = list(answers), 0

    async def complete(self, request, *, trial):
        answer = self.answers[self.asked]
        self.asked += 1
        await asyncio.sleep(0.01)
        if isinstance(answer, Exception):
            raise answer
        return await FakeProvider([answer]).complete(request, trial=trial)


def test_a_question_that_is_under_way_is_not_asked_again():
    provider = Slow(says("one"))
    replies = together(provider)
    assert provider.asked == 1
    assert {reply.message.content for reply in replies} == {"one"}
    assert [reply.live for reply in replies] == [True, False, False, False, False]


def test_trouble_with_a_question_is_that_of_all_who_ask_it():
    provider = Slow(InfrastructureError("down", code="timeout"))
    assert {str(trouble) for trouble in together(provider)} == {"down"}
    assert provider.asked == 1


def test_who_is_stopped_leaves_the_question_to_the_others():
    provider = Slow(says("never"), says("two"))
    first, *others = together(provider, stopped=1)
    assert isinstance(first, asyncio.CancelledError)
    assert {reply.message.content for reply in others} == {"two"}
    provider = Slow(NotRun("the budget is used up", code="budget"), says("two"))
    first, *others = together(provider)
    assert isinstance(first, NotRun)
    assert (provider.asked, {reply.message.content for reply in others}) == (2, {"two"})


def test_all_asks_for_everybody():
    provider = Slow(*[says(str(n)) for n in range(5)])
    assert len({reply.message.content for reply in together(provider, "all")}) == 5
