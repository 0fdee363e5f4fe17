"""A deployed application over loopback: log in, open a session, chat, stream."""

import asyncio
import json

import pytest
from aiohttp import web

from pytest_llmreplay.model.errors import InfrastructureError, UserError
from pytest_llmreplay.model.variant import Environment, HttpTarget, ReplaySettings, Variant
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.pressure import Clock, Gate, Pressure
from pytest_llmreplay.replay.targets.http import HttpTurns, refuse_unless_accepted
from pytest_llmreplay.replay.turns import TurnReplayer
from tests.loopback import serving
from tests.replay.test_turns import case


class Application:
    """A small chatbot with log-in, session, memory and streaming."""

    def __init__(self):
        self.said = {}
        self.seen = []

    def routes(self):
        return [web.post("/login", self.login), web.post("/chat", self.chat), web.post("/stream", self.stream)]

    async def login(self, request):
        if request.headers.get("Authorization") != "Bearer token-123456":
            return web.json_response({"error": "who are you? token-123456"}, status=401)
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


def replay(target, mode="conversation", application=None, token="token-123456"):
    application = application or Application()
    with serving(application.routes()) as base:
        config = HttpTarget.model_validate(json.loads(json.dumps(target).replace("{base}", base)))
        gate = Gate(5, requests_per_minute=None, tokens_per_minute=None, clock=Clock())
        turns = HttpTurns(config, Pressure(gate, Budget(), wait_s=1), lambda text: text.replace("${TOKEN}", token))
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


def test_refused_credentials_are_not_shown():
    with pytest.raises(InfrastructureError) as caught:
        replay(CHAT, token="token-654321")
    assert "654321" not in str(caught.value)


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
