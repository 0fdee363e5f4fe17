"""A deployed application over loopback: log in, open a session, chat, stream."""

import asyncio
import json

import pytest
from aiohttp import web

from pytest_llmreplay.model.errors import InfrastructureError, RecordingMissing, UserError
from pytest_llmreplay.model.variant import Environment, HttpTarget, ReplaySettings, Variant
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.pressure import Clock, Gate, Pressure
from pytest_llmreplay.replay.targets.http import HttpTurns, refuse_unless_accepted
from pytest_llmreplay.replay.targets.recorded import RecordedTurns
from pytest_llmreplay.replay.turns import TurnReplayer
from tests.application import Application
from tests.fakes import FakeRecordings
from tests.loopback import serving
from tests.replay.test_turns import case

SESSION = {"open": {"url": "{base}/login", "headers": {"Authorization": "Bearer ${TOKEN}"}}, "id": "data.session.id"}
CHAT = {
    "type": "http",
    "url": "{base}/chat",
    "session": SESSION,
    "body": {"text": "{{ user }}", "session": "{{ session }}", "history": "{{ messages }}"},
    "response": {"answer": "reply.text", "tools": "trace", "name": "tool", "arguments": "input"},
    "side_effects": "accepted",
}


def replay(target, mode="conversation", application=None, token="token-123456", recordings=None, record="new_episodes"):
    application = application or Application()
    with serving(application.routes()) as base:
        config = HttpTarget.model_validate(json.loads(json.dumps(target).replace("{base}", base)))
        gate = Gate(5, requests_per_minute=None, tokens_per_minute=None, clock=Clock())
        turns = HttpTurns(config, Pressure(gate, Budget(), wait_s=1), lambda text: text.replace("${TOKEN}", token))
        if recordings is not None:
            turns = RecordedTurns(turns, recordings, record, "app 1", provider="app", one_session=True)
        variant = Variant("v", config, replay=ReplaySettings(mode=mode))

        async def main():
            try:
                return await TurnReplayer(variant, turns, Environment(), {}).replay(case(), 1)
            finally:
                await turns.close()

        return asyncio.run(main())


def test_a_conversation_is_replayed_in_one_session_of_its_own():
    trajectory = replay(CHAT)
    assert [turn.answer for turn in trajectory.turns] == ["you said ['one']", "you said ['one', 'two']"]
    assert [(c.name, c.arguments) for t in trajectory.turns for c in t.calls] == [
        ("look", '{"n": 1}'),
        ("look", '{"n": 2}'),
    ]
    assert {answer.source for answer in trajectory.tool_answers} == {"live"}
    assert trajectory.usage.steps == trajectory.usage.live_steps == 2


def test_the_recorded_history_can_be_given_where_the_api_takes_it():
    application = Application()
    replay(CHAT, mode="failing_turn", application=application)
    [body] = application.seen
    assert [message["role"] for message in body["history"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


def answers(trajectory):
    return [turn.answer for turn in trajectory.turns]


def test_a_conversation_comes_from_its_recording_as_a_whole():
    recordings, application = FakeRecordings(), Application()
    first = replay(CHAT, application=application, recordings=recordings)
    again = replay(CHAT, application=application, recordings=recordings, record="none")
    assert answers(again) == answers(first)
    assert len(application.seen) == 2
    assert again.usage.live_steps == 0


@pytest.mark.parametrize("lost", [0, 1])
def test_a_recording_that_a_kill_cut_between_two_turns_is_not_used_in_part(lost):
    """Turn 2 asked in a new session would be answered without turn 1."""
    recordings, application = FakeRecordings(), Application()
    replay(CHAT, application=application, recordings=recordings)
    del recordings.records[list(recordings.records)[lost]]
    trajectory = replay(CHAT, application=application, recordings=recordings)
    assert answers(trajectory) == ["you said ['one']", "you said ['one', 'two']"]
    assert trajectory.usage.live_steps == 2
    assert len(trajectory.tool_answers) == 2
    assert answers(replay(CHAT, recordings=recordings, record="none")) == answers(trajectory)


def test_a_turn_that_is_not_recorded_names_the_nearest_recording():
    recordings = FakeRecordings()
    replay(CHAT, recordings=recordings)
    del recordings.records[list(recordings.records)[1]]
    with pytest.raises(RecordingMissing, match="turn 2 is not recorded; the nearest recording differs in messages"):
        replay(CHAT, recordings=recordings, record="none")


def test_a_stream_is_put_together():
    response = {**CHAT["response"], "answer": "delta", "stream": "sse"}
    trajectory = replay({**CHAT, "url": "{base}/stream", "response": response})
    assert trajectory.answer == "you said ['one', 'two'] "
    assert [call.arguments for turn in trajectory.turns for call in turn.calls] == ['{"n": 1}', '{"n": 2}']


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"response": {"answer": "reply.txt"}}, "nothing at 'reply.txt' in the reply"),
        ({"url": "{base}/nowhere"}, "HTTP 404"),
        ({"url": "http://127.0.0.1:9/chat", "session": None}, "cannot be reached"),
        ({"body": {"text": "{{ nothing }}"}}, "a template cannot be rendered"),
        ({"session": {**SESSION, "id": "data.id"}}, "nothing at 'data.id' in the reply"),
    ],
)
def test_trouble_is_one_sentence(changes, sentence):
    with pytest.raises(InfrastructureError) as caught:
        replay({**CHAT, **changes})
    assert sentence in str(caught.value)


def test_refused_credentials_are_not_shown_though_the_application_repeats_them():
    planted = {**SESSION["open"], "url": "{base}/login?api_key=${TOKEN}"}
    with pytest.raises(InfrastructureError, match="who are you, Bearer") as caught:
        replay({**CHAT, "session": {**SESSION, "open": planted}}, token="token-654321")
    assert "654321" not in str(caught.value)


def test_keys_in_the_urls_of_a_variant_are_not_shown_though_the_application_repeats_them():
    class Talkative(Application):
        async def chat(self, request):
            return web.json_response({"error": f"no such account: {request.query['api_key']}"}, status=400)

    with pytest.raises(InfrastructureError, match="no such account") as caught:
        replay({**CHAT, "url": "{base}/chat?api_key=plan%20ted&lang=en"}, application=Talkative())
    assert "plan" not in str(caught.value)


@pytest.mark.parametrize("session", [{"url": "{base}/nowhere"}, {"url": "http://127.0.0.1:9/nowhere"}])
def test_trouble_names_the_url_that_was_asked(session):
    with pytest.raises(InfrastructureError, match="/nowhere"):
        replay({**CHAT, "session": {"open": session}})


def test_a_login_by_form_gives_its_cookie_with_a_redirect():
    form = {"open": {"url": "{base}/form"}, "id": "data.session.id"}
    trajectory = replay({**CHAT, "session": form})
    assert trajectory.answer == "you said ['one', 'two']"


def test_cookies_of_a_session_are_not_shown():
    class Talkative(Application):
        async def chat(self, request):
            return web.json_response({"error": f"bad {request.cookies['sid']}"}, status=400)

        async def login(self, request):
            self.said["planted-cookie"] = []
            response = web.json_response({"data": {"session": {"id": "planted-session"}}})
            response.set_cookie("sid", "planted-cookie")
            return response

    with pytest.raises(InfrastructureError, match="HTTP 400") as caught:
        replay(CHAT, application=Talkative())
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "mode", "sentence"),
    [
        ({"side_effects": None}, "conversation", "runs its tools for real; if that may happen, say so"),
        ({"body": {"text": "{{ user }}"}}, "failing_turn", "cannot be given the recorded history"),
    ],
)
def test_it_refuses_what_nobody_allowed_and_what_cannot_work(changes, mode, sentence):
    target = json.loads(json.dumps({**CHAT, **changes}).replace("{base}", "http://localhost"))
    with pytest.raises(UserError, match=sentence):
        refuse_unless_accepted(HttpTarget.model_validate(target), ReplaySettings(mode=mode), "v.yaml")
