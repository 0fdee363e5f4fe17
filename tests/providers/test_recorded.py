import asyncio

import pytest

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.model.errors import RecordingMissing
from pytest_llmreplay.model.ports import ModelRequest
from pytest_llmreplay.providers.recorded import RecordedProvider
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
