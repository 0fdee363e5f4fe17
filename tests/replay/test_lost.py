import json

import pytest

from pytest_llmreplay.model.case import recorded_results_of
from pytest_llmreplay.model.conversation import Message, lost_in
from pytest_llmreplay.model.errors import Unmeasurable
from tests.fakes import FakeProvider, calls, says
from tests.replay.test_turns import case, replay

IMAGE = json.dumps([{"type": "text", "text": "see"}, {"type": "unavailable", "media": "image/png", "reason": "cut"}])


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        (Message("user", "see", content_parts=IMAGE), "image/png"),
        (Message("user", None), "text"),
        (Message("tool", None, tool_call_id="c0"), "text"),
        (Message("user", ""), None),
        (Message("user", 'say "unavailable"', content_parts='[{"type": "text", "text": "\\"unavailable\\""}]'), None),
        (calls(("look", "{}")), None),
        (Message("assistant", None, refusal="no"), None),
    ],
)
def test_what_a_message_has_lost(message, lost):
    assert lost_in(message) == lost


@pytest.mark.parametrize("lost", [Message("user", "see", content_parts=IMAGE), Message("user", None)])
def test_a_target_is_not_asked_with_a_mark_where_something_was(lost):
    provider = FakeProvider([says("ok")])
    with pytest.raises(Unmeasurable, match=r"does not hold the .* of messages\[0\] \(user\); golden edit c-1") as error:
        replay(provider, of=case(messages=(lost, says("hm"), Message("user", "well?"), says("no"))))
    assert error.value.code == "lost"
    assert provider.requests == []


def test_what_comes_after_the_replayed_turn_may_be_lost():
    later = (Message("user", "one"), says("a"), Message("user", None), says("b"))
    assert replay(FakeProvider([says("ok")]), of=case(messages=later, turn=1)).answer == "ok"


def test_a_result_that_was_lost_is_not_served_as_an_empty_one():
    messages = (Message("user", "x"), calls(("look", "{}")), Message("tool", None, tool_call_id="c0"), says("b"))
    assert recorded_results_of(messages) == ()
