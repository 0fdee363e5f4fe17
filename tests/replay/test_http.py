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
from tests.fakes import FakeRecordings
from tests.loopback import serving
from tests.replay.test_turns import case


class Application:
    """A small chatbot with log-in, session, memory and streaming."""

    def __init__(self):
        self.said = {}
        self.seen = []

    def routes(self):
        return [
            web.post("/login", self.login), web.post("/chat", self.chat), web.post("/stream", self.stream),
            web.post("/form", self.form), web.get("/home", self.home),
        ]  # fmt: skip

    async def form(self, request):
        """As browsers log in: the cookie comes with a redirect, and is marked as secure behind a TLS proxy."""
        response = web.Response(status=302, headers={"Location": "/home"})
        response.set_cookie("sid", "f0", secure=True, httponly=True)
        self.said["f0"] = []
        return response

    async def home(self, request):
        if "sid" not in request.cookies:
            return web.json_response({"error": "log in first"}, status=403)
        return web.json_response({"data": {"session": {"id": request.cookies["sid"]}}})

    async def login(self, request):
        if request.headers.get("Authorization") != "Bearer token-123456":
            shown = f"who are you, {request.headers.get('Authorization')} at {request.url}?"
            return web.json_response({"error": shown}, status=401)
        session = f"s{len(self.said)}"
        self.said[session] = []
        response = web.json_response({"data": {"session": {"id": session}}})
        response.set_cookie("sid", session)
        return response

    async def chat(self, request):
        body = await request.json()
        session = request.cookies.get("sid")
        if session is None or body.get("session") != session:
            return web.json_response({"error": "no session"}, status=403)
        self.said[session].append(body["text"])
        self.seen.append(body)
        calls = [{"tool": "look", "input": {"n": len(self.said[session])}}]
        return web.json_response({"reply": {"text": f"you said {self.said[session]}"}, "trace": calls})

    async def stream(self, request):
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in ("all ", "is ", "well"):
            await response.write(f"data: {json.dumps({'delta': word})}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response


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
            turns = RecordedTurns(turns, recordings, record, "app 1", one_session=True)
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
    target = {**CHAT, "url": "{base}/stream", "session": None, "response": {"answer": "delta", "stream": "sse"}}
    assert replay(target).answer == "all is well"


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
