import asyncio
import builtins
import json
import random
import sys
import threading

import pytest

from pytest_llmreplay.model.conversation import Message, Tool, ToolCall
from pytest_llmreplay.model.errors import InfrastructureError, UserError
from pytest_llmreplay.model.ports import ModelRequest
from pytest_llmreplay.providers.local import LocalProvider
from pytest_llmreplay.providers.local_engine import Completion, LocalEngine
from pytest_llmreplay.providers.local_grammar import answer_line
from pytest_llmreplay.providers.local_model import fetch

ORDER = Tool(
    "order",
    "Where an order is.",
    '{"type": "object", "properties": {"order_id": {"type": "string"}, "day": {"type": "string", "enum": ["a", "b"]}},'
    ' "required": ["order_id"]}',
)
HOURS = Tool("hours", "When the shop is open.", '{"type": "object", "properties": {}}')
ASKED = (Message("system", "You are a bot."), Message("user", "where is order 4417?"))


class ScriptedEngine:
    """Writes one text after the other, and keeps what it was asked."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.asked = []
        self.threads = set()

    def complete(self, prompt, limits, **constraint):
        self.asked.append((prompt, limits, constraint))
        self.threads.add(threading.get_ident())
        return Completion(self.texts.pop(0), "stop", 10, 2)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"")
    return path


def request(messages=ASKED, tools=(HOURS, ORDER), model="local/smollm2", **params):
    return ModelRequest(model, tuple(messages), tuple(tools), params)


def ask(provider, *requests, trial=1):
    async def all_of_them():
        try:
            return [await provider.complete(each, trial=trial) for each in requests]
        finally:
            await provider.close()

    return asyncio.run(all_of_them())


def test_a_call_is_a_name_and_then_its_arguments_each_under_its_own_constraint(model):
    engine = ScriptedEngine(" order", " 4417\n", " none\n")
    (reply,) = ask(LocalProvider(model, load=lambda _path: engine), request())
    assert reply.message == Message("assistant", tool_calls=(ToolCall("call_1", "order", '{"order_id": "4417"}'),))
    assert (reply.finish_reason, reply.input_tokens, reply.output_tokens, reply.cost_usd) == ("tool_calls", 30, 6, 0.0)
    assert reply.live
    assert reply.latency_s >= 0
    assert [constraint for _, _, constraint in engine.asked] == [
        {"grammar": 'root ::= " hours" | " order"'},
        {"grammar": 'root ::= " " ([A-Za-z0-9-]{1,40}) "\\n"'},
        {"grammar": 'root ::= " " ("a" | "b" | "none") "\\n"'},
    ]


def test_after_a_tool_result_it_answers_in_a_bounded_text(model):
    engine = ScriptedEngine(" It comes on Monday. ")
    call = Message("assistant", tool_calls=(ToolCall("call_1", "order", '{"order_id": "4417"}'),))
    result = Message("tool", '{"arrives": "Monday"}', tool_call_id="call_1")
    (reply,) = ask(LocalProvider(model, load=lambda _path: engine), request((*ASKED, call, result)))
    assert reply.message == Message("assistant", "It comes on Monday.")
    assert reply.finish_reason == "stop"
    ((_, limits, constraint),) = engine.asked
    assert (limits.max_tokens, limits.temperature, constraint) == (32, 0.0, {"grammar": answer_line()})


def test_without_tools_it_answers_in_text_and_keeps_to_max_tokens(model):
    engine = ScriptedEngine("Hello.")
    ask(LocalProvider(model, load=lambda _path: engine), request(tools=(), max_tokens=5))
    assert engine.asked[0][1].max_tokens == 5


def test_calls_are_numbered_through_the_conversation(model):
    engine = ScriptedEngine(" hours")
    earlier = (Message("user", "open?"), Message("assistant", tool_calls=(ToolCall("x", "hours", "{}"),)))
    (reply,) = ask(LocalProvider(model, load=lambda _path: engine), request((*earlier, *ASKED)))
    assert reply.message.tool_calls[0].id == "call_2"


def test_a_name_that_was_cut_off_is_reported_as_it_was_written(model):
    (reply,) = ask(LocalProvider(model, load=lambda _path: ScriptedEngine(" ord")), request())
    assert reply.message.tool_calls == (ToolCall("call_1", "ord", "{}"),)


def test_trials_differ_in_their_seed(model):
    engine = ScriptedEngine(" hours", " hours")
    provider = LocalProvider(model, load=lambda _path: engine)

    async def two_trials():
        for trial in (1, 2):
            await provider.complete(request(temperature=0.7, seed=40), trial=trial)
        await provider.close()

    asyncio.run(two_trials())
    assert [(limits.temperature, limits.seed) for _, limits, _ in engine.asked] == [(0.7, 41), (0.7, 42)]


def test_requests_at_once_are_answered_one_after_another_off_the_event_loop(model):
    engine = ScriptedEngine(*[" hours"] * 20)
    loaded = []
    provider = LocalProvider(model, load=lambda path: loaded.append(path) or engine)

    async def at_once():
        await asyncio.gather(*[provider.complete(request(), trial=1) for _ in range(20)])
        await provider.close()

    asyncio.run(at_once())
    assert loaded == [model]
    assert len(engine.asked) == 20
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


def test_a_missing_model_says_how_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(InfrastructureError, match=r"`pytest-llmreplay local-model fetch`") as error:
        ask(LocalProvider(tmp_path / "none.gguf"), request())
    assert "none.gguf" in str(error.value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InfrastructureError, match=r"^the embedded model is not there; get it with"):
        ask(LocalProvider(), request())


def test_a_missing_package_says_how_to_get_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(InfrastructureError, match=r"pip install 'pytest-llmreplay\[local\]'"):
        ask(LocalProvider(model), request())


def test_nothing_is_loaded_before_the_first_request(monkeypatch):
    real_import = builtins.__import__

    def guarded(name, *args, **kwargs):
        assert name != "xllamacpp"
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    assert LocalProvider().identity.startswith("local:b179c9523d0e")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            request(model="local/smolm2"),
            "the embedded model knows no model 'local/smolm2'; allowed: local/smollm2; did you mean 'local/smollm2'?",
        ),
        (
            request(top_p=1),
            "the embedded model knows no parameter 'top_p'; allowed: max_tokens, response_format, seed, temperature",
        ),
        (
            request(temperature="hot"),
            "the embedded model's parameter 'temperature' must be a number from 0 (found 'hot')",
        ),
        (request(temperature=-1), "the embedded model's parameter 'temperature' must be a number from 0 (found -1)"),
        (request(max_tokens=0), "the embedded model's parameter 'max_tokens' must be a whole number from 1 (found 0)"),
        (request(seed=True), "the embedded model's parameter 'seed' must be a whole number from 0 (found True)"),
    ],
)
def test_what_it_does_not_know_is_refused_in_one_sentence(model, asked, sentence):
    with pytest.raises(InfrastructureError) as error:
        ask(LocalProvider(model, load=lambda _path: ScriptedEngine()), asked)
    assert str(error.value) == sentence


@pytest.fixture(scope="module")
def real_model():
    pytest.importorskip("xllamacpp")
    try:
        return fetch()
    except UserError as error:
        pytest.skip(f"the embedded model cannot be had: {error}")


def few_examples():
    for number in range(12):
        for text, name, arguments in (
            (f"where is order {number}{number}7?", "order", {"order_id": f"{number}{number}7"}),
            (f"when are you open on day {number}?", "hours", {}),
        ):
            yield Message("user", text)
            yield Message("assistant", tool_calls=(ToolCall("c", name, json.dumps(arguments)),))
            yield Message("tool", "{}", tool_call_id="c")


def test_the_real_model_routes_finds_the_id_and_says_the_same_in_any_order(real_model, capfd):
    examples = tuple(few_examples())
    order = Tool("order", None, '{"properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}')
    texts = ["where is order 4417?", "where is order 93?", "when are you open?", "hello, when do you close?"]
    plain = [request([Message("user", text)], (HOURS, order)) for text in texts]
    requests = [request((*examples, Message("user", text)), (HOURS, order)) for text in texts]
    first = ask(LocalProvider(real_model), *requests)
    assert [reply.message.tool_calls[0].name for reply in first[:3]] == ["order", "order", "hours"]
    assert json.loads(first[0].message.tool_calls[0].arguments) == {"order_id": "4417"}
    assert all(reply.input_tokens > 200 and reply.output_tokens >= 1 for reply in first)
    mixed = [*zip(requests, first, strict=True), *((each, None) for each in plain)]
    random.Random(5).shuffle(mixed)
    again = ask(LocalProvider(real_model), *[each for each, _ in mixed])
    for (_, expected), reply in zip(mixed, again, strict=True):
        assert expected is None or reply.message == expected.message
    assert capfd.readouterr() == ("", "")


def test_a_request_longer_than_the_context_is_one_sentence_and_the_next_one_is_answered(real_model):
    provider = LocalProvider(real_model)

    async def both():
        with pytest.raises(InfrastructureError, match=r"^the request has \d+ tokens and the embedded model reads 3072"):
            await provider.complete(request([Message("user", "word " * 5000)]), trial=1)
        too_many = [Message("system", "word " * 5000), Message("user", "hi")]
        with pytest.raises(InfrastructureError, match=r"^the request has \d+ tokens"):
            await provider.complete(request(too_many), trial=1)
        reply = await provider.complete(request(tools=(HOURS,)), trial=1)
        await provider.close()
        return reply

    assert asyncio.run(both()).message.tool_calls == (ToolCall("call_1", "hours", "{}"),)


def test_hostile_names_and_schemas_reach_the_real_model_as_valid_grammars(real_model, capfd):
    odd = Tool(
        'na"me\\ \n\x1b[31m ',
        "x",
        json.dumps(
            {
                "properties": {
                    "list": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
                    "choice": {"enum": ['"', "\\", "a\nb", "ä€😀"]},
                    "flag": {"type": "boolean"},
                    "count": {"type": "number"},
                },
                "required": ["list", "choice", "flag", "count"],
            }
        ),
    )
    (reply,) = ask(LocalProvider(real_model), request([Message("user", "\ud800 \x00 hi")], (odd,)))
    (call,) = reply.message.tool_calls
    assert call.name == odd.name
    arguments = json.loads(call.arguments)
    assert list(arguments) == ["list", "choice", "flag", "count"]
    assert type(arguments["flag"]) is bool
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_no_model_is_one_sentence(model):
    pytest.importorskip("xllamacpp")
    with pytest.raises(InfrastructureError, match=r"^the embedded model cannot be loaded from .*model\.gguf"):
        ask(LocalProvider(model, load=LocalEngine), request())
