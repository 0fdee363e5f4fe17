"""Both ways to a real endpoint, over loopback: what comes back, and what trouble becomes."""

import asyncio
import json
import os
from dataclasses import replace

import pytest
from aiohttp import web

from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.model.errors import AccessDenied, InfrastructureError
from pytest_llmreplay.model.ports import ModelRequest
from pytest_llmreplay.model.variant import ModelTarget, Prices
from pytest_llmreplay.providers.litellm import LitellmProvider
from pytest_llmreplay.providers.litellm_library import load_litellm, trouble_of
from pytest_llmreplay.providers.litellm_process import LitellmProcess
from pytest_llmreplay.providers.openai import OpenAIProvider
from tests.loopback import ScriptedModel, completion, cut, raw, reset, serving, silence, status

TOOL = Tool("look", "Look it up.", '{"type": "object", "properties": {"n": {"type": "integer"}}}', "read")
REQUEST = ModelRequest("openai/m", (Message("system", "be kind"), Message("user", "hi ☃")), (TOOL,), {"temperature": 0})
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"n": 1'}}
STREAM = """data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"he"}}]}

data: {"choices":[{"index":0,"delta":{"content":"llo","tool_calls":[{"index":0,"id":"c1","function":{"name":"look","arguments":"{\\"n\\""}}]}}]}

data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":": 1}"}}]},"finish_reason":"tool_calls"}]}

data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}

data: [DONE]

"""


@pytest.fixture(scope="module")
def litellm():
    """One process of litellm, which takes seconds to start, and the event loop that asks it."""
    process = LitellmProcess()
    with asyncio.Runner() as runner:
        yield process, runner
        runner.run(process.close())


@pytest.fixture(params=["openai", "litellm"])
def ask(request, monkeypatch, litellm):
    monkeypatch.setenv("PLANTED_KEY", "sk-planted-0123456789")

    def ask(model: ScriptedModel, **config):
        with serving(model.routes()) as url:
            target = ModelTarget(
                type="model", model="openai/m", api_base=f"{url}/v1", api_key_env="PLANTED_KEY", **config
            )
            if request.param == "openai":
                return asyncio.run(_once(OpenAIProvider(target, model="m", api_base=f"{url}/v1")))
            process, runner = litellm
            provider = LitellmProvider(target, api_base=f"{url}/v1", process=process)
            return runner.run(provider.complete(REQUEST, trial=1))

    return ask


def ask_as_a_user(model, **config):
    """With a user and a password in the URL."""
    with serving(model.routes()) as url:
        base = f"{url}/v1".replace("http://", "http://me:planted-password@")
        target = ModelTarget(type="model", model="openai/m", api_base=base, **config)
        return asyncio.run(_once(OpenAIProvider(target, model="m", api_base=base)))


def test_a_user_in_the_url_is_sent_instead_of_the_usual_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    model = ScriptedModel(completion())
    ask_as_a_user(model)
    assert model.headers[0]["Authorization"].startswith("Basic ")


def test_a_user_in_the_url_and_a_key_of_the_variant_are_refused(monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", "sk-planted-0123456789")
    model = ScriptedModel(completion())
    with pytest.raises(AccessDenied, match="api_base has a user and api_key_env names a key; take one away") as caught:
        ask_as_a_user(model, api_key_env="PLANTED_KEY")
    assert model.requests == []
    assert "planted" not in str(caught.value)


async def _once(provider):
    try:
        return await provider.complete(REQUEST, trial=1)
    finally:
        await provider.close()


def test_an_answer_with_tool_calls_and_what_it_took(ask):
    model = ScriptedModel(completion(None, tool_calls=[CALL]))
    reply = ask(model, prices=Prices(input_per_million=1, output_per_million=10))
    assert [(call.id, call.name, call.arguments) for call in reply.message.tool_calls] == [("c1", "look", '{"n": 1')]
    assert (reply.input_tokens, reply.output_tokens, reply.live) == (11, 7, True)
    assert reply.cost_usd == pytest.approx((11 + 70) / 1e6)
    assert reply.latency_s > 0
    [sent] = model.requests
    assert sent["model"] == "m"
    assert sent["temperature"] == 0
    assert [message["content"] for message in sent["messages"]] == ["be kind", "hi ☃"]
    assert sent["tools"][0]["function"]["name"] == "look"
    assert "effect" not in json.dumps(sent)
    assert model.headers[0]["Authorization"] == "Bearer sk-planted-0123456789"


@pytest.mark.parametrize(
    ("response", "code", "retryable"),
    [
        (status(408), "timeout", True),
        (status(409), "conflict", True),
        (status(429), "rate_limited", True),
        (status(500), "server_error", True),
        (status(503), "overloaded", True),
        (status(400), "bad_request", False),
        (status(404), "not_found", False),
        (reset, "connection", True),
        (cut, "connection", True),
    ],
)
def test_trouble_says_what_it_is_and_whether_to_ask_again(ask, response, code, retryable):
    with pytest.raises(InfrastructureError) as caught:
        ask(ScriptedModel(response))
    assert (caught.value.retryable, caught.value.code) in {(retryable, code), (retryable, "server_error")}
    assert "planted" not in str(caught.value)


def test_refused_credentials_are_told_apart_and_never_shown(ask):
    body = {"error": {"message": "Incorrect API key provided: sk-planted-0123456789", "type": "invalid_request_error"}}
    with pytest.raises(AccessDenied) as caught:
        ask(ScriptedModel(status(401, body)))
    assert "planted" not in str(caught.value)


def test_a_time_out_is_trouble_that_may_pass(ask):
    with pytest.raises(InfrastructureError, match=r"gave no answer within 0.3 s") as caught:
        ask(ScriptedModel(silence), timeout_s=0.3)
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)


def test_the_key_must_be_set(ask, monkeypatch):
    monkeypatch.delenv("PLANTED_KEY")
    with pytest.raises(AccessDenied, match="the environment variable PLANTED_KEY, which holds the key, is not set"):
        ask(ScriptedModel(completion()))


def direct(model: ScriptedModel):
    with serving(model.routes()) as url:
        target = ModelTarget(type="model", model="openai/m", api_base=f"{url}/v1")
        return asyncio.run(_once(OpenAIProvider(target, model="m", api_base=f"{url}/v1")))


def test_a_streamed_answer_is_put_together():
    reply = direct(ScriptedModel(raw(STREAM, "text/event-stream")))
    assert reply.message.content == "hello"
    assert [(call.name, call.arguments) for call in reply.message.tool_calls] == [("look", '{"n": 1}')]
    assert (reply.finish_reason, reply.input_tokens, reply.output_tokens) == ("tool_calls", 3, 4)


@pytest.mark.parametrize(
    "body",
    ["", "not JSON", "[]", "{}", '{"choices": []}', '{"choices": [{"message": {"content": 7}}]}', "[" * 5000]
    + [STREAM[: len(STREAM) // 2].rpartition("\n")[0]],
)
def test_a_body_that_is_no_completion_is_trouble_that_may_pass(body):
    with pytest.raises(InfrastructureError) as caught:
        direct(ScriptedModel(raw(body)))
    assert (caught.value.code, caught.value.retryable) == ("bad_response", True)


def test_the_content_filter_is_told_apart():
    body = {"error": {"message": "filtered", "code": "content_filter"}}
    with pytest.raises(InfrastructureError, match="the content filter refused") as caught:
        direct(ScriptedModel(status(400, body)))
    assert not caught.value.retryable


@pytest.mark.parametrize("model", ["openai/m", "azure/m", "anthropic/m", "gemini/m", "fireworks_ai/m"])
def test_a_key_that_is_missing_is_no_trouble_that_may_pass(litellm, monkeypatch, model):
    for name in list(os.environ):
        if "KEY" in name or "TOKEN" in name:
            monkeypatch.delenv(name)
    target = ModelTarget(type="model", model=model)
    process, runner = litellm
    provider = LitellmProvider(
        target, api_base="http://127.0.0.1:9/v1" if model == "azure/m" else None, process=process
    )
    request = replace(REQUEST, model=model)
    with pytest.raises(AccessDenied, match=f"{model}: (there is no key for it|the credentials were refused): "):
        runner.run(provider.complete(request, trial=1))


def test_a_library_that_is_missing_is_no_trouble_that_may_pass():
    litellm = load_litellm()
    error = litellm.exceptions.APIConnectionError(
        "No module named 'google'\nTraceback (most recent call last):", "", "m"
    )
    error.__cause__ = ModuleNotFoundError("No module named 'google'")
    told = trouble_of(error, litellm, model="vertex_ai/m", timeout_s=1, api_key=None)
    assert not told.retryable
    assert str(told).startswith("vertex_ai/m: a library that litellm needs for it is missing: ")
    assert "Traceback" not in str(told)


def test_an_import_that_was_handled_is_not_what_went_wrong():
    litellm = load_litellm()
    error = litellm.exceptions.Timeout("too slow", "m", "")
    error.__context__ = ModuleNotFoundError("No module named 'faster'")
    told = trouble_of(error, litellm, model="m", timeout_s=1, api_key=None)
    assert (told.code, told.retryable) == ("timeout", True)


def test_an_endpoint_may_have_a_query_which_stays_at_the_end():
    seen = []

    async def answer(request):
        seen.append(str(request.rel_url))
        return web.json_response(completion("hello"))

    with serving([web.post("/v1/chat/completions", answer)]) as url:
        base = f"{url}/v1/?api-version=2024-10-21"
        target = ModelTarget(type="model", model="openai/m", api_base=base)
        assert asyncio.run(_once(OpenAIProvider(target, model="m", api_base=base))).message.content == "hello"
    assert seen == ["/v1/chat/completions?api-version=2024-10-21"]
