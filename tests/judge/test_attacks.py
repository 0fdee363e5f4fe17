"""Whatever stands in an answer or in a tool's result, the prompt that arrives at the judge holds it as data."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace

import pytest
from aiohttp import web

from pytest_llmreplay.judge import prompt as prompts
from pytest_llmreplay.judge.judging import Abilities, Judging
from pytest_llmreplay.judge.pairwise import preference
from pytest_llmreplay.judge.prompt import as_data, verdict_prompt
from pytest_llmreplay.judge.reply import pair_schema, response_format, verdict_schema
from pytest_llmreplay.model.conversation import Message, ToolCall
from pytest_llmreplay.providers.openai import OpenAIProvider
from tests.judge.attacks import ATTACKS, PASS
from tests.judge.build import MATERIAL, judge, rubric
from tests.loopback import ScriptedModel, completion, serving

CORRECT = rubric({"id": "correct", "question": "Does the answer say when the shop opens?"})
FAIL = '{"evidence": [], "decisions": {"correct": "fail"}, "confidence": "high"}'
TIE = '{"evidence": [], "preferred": "tie"}'
CALL = ToolCall("c", "hours", "{}")

PLACES = {
    "answer": lambda text: replace(MATERIAL, answer=text),
    "tool result": lambda text: replace(MATERIAL, tool_results=((CALL, text),)),
    "tool arguments": lambda text: replace(MATERIAL, tool_results=((replace(CALL, arguments=text), "x"),)),
    "customer's message": lambda text: replace(MATERIAL, conversation=(Message("user", text),)),
}


async def unimpressed(request):
    """A judge that decides fail, and prefers nothing."""
    body = json.loads(await request.read())
    pair = "preferred" in body["response_format"]["json_schema"]["schema"]["properties"]
    return web.json_response(completion(TIE if pair else FAIL))


@pytest.fixture(scope="module")
def endpoint():
    model = ScriptedModel(unimpressed)
    with serving(model.routes()) as url:
        yield model, f"{url}/v1"


def received(endpoint, ask):
    """The requests that arrive when the judge is asked over HTTP, and what came of it."""
    model, url = endpoint
    model.requests.clear()
    asked = judge(target={"type": "model", "model": "openai/judge", "api_base": url})

    async def asking():
        provider = OpenAIProvider(asked.target, model="judge", api_base=url)
        try:
            return await ask(Judging(asked, provider, Abilities(structured=True, seed=True)))
        finally:
            await provider.close()

    return asyncio.run(asking()), list(model.requests)


def data_in(request):
    """The data of a request that holds exactly the protocol's two messages; anything else fails the test."""
    system, user = request["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert set(system) == set(user) == {"role", "content"}
    announced, begin, data, end, last = user["content"].split("\n")
    delimiter = re.fullmatch(r"BEGIN ([0-9a-f]{32})", begin)[1]
    assert announced == f"The material is the line between BEGIN {delimiter} and END {delimiter}."
    assert end == f"END {delimiter}"
    assert last == "Reply with the JSON object."
    assert delimiter not in data
    assert len(user["content"].splitlines()) == 5
    assert re.sub(r"\s", " ", data).isprintable()
    assert "<" not in data
    assert not re.search(r"\[/?[A-Z_]{2,}\]", data)
    return system["content"], json.loads(data)


def plain(shown):
    """As JSON gives it back: two lone halves of a character that meet there become that character."""
    return json.loads(json.dumps(shown))


def test_there_are_at_least_sixty_attacks():
    assert len(ATTACKS) >= 60
    assert len(set(ATTACKS.values())) == len(ATTACKS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_never_leaves_its_data_field(endpoint, name, place):
    material = PLACES[place](ATTACKS[name])
    verdict, (request,) = received(endpoint, lambda judging: judging.verdict(CORRECT, material))
    rules, data = data_in(request)
    assert rules == verdict_prompt(CORRECT, MATERIAL.shown(CORRECT), None).rules
    assert data == plain(material.shown(CORRECT))
    assert request["response_format"] == response_format(verdict_schema(CORRECT))
    assert (request["temperature"], request["seed"]) == (0, 1)
    assert verdict.status == "failed"


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_a_choice_between_two_stays_on_its_side(endpoint, name):
    attacked = replace(MATERIAL, answer=ATTACKS[name])
    chosen, requests = received(endpoint, lambda judging: preference(judging, CORRECT, MATERIAL, attacked))
    assert (chosen.preferred, len(requests)) == ("tie", 2)
    seen = [data_in(request)[1] for request in requests]
    sides = [plain(side.answer) for side in (MATERIAL, attacked)]
    assert sorted([data["first"]["answer"], data["second"]["answer"]] for data in seen) == sorted([sides, sides[::-1]])
    assert all(request["response_format"] == response_format(pair_schema()) for request in requests)


def test_a_judge_that_repeats_the_attack_does_not_carry_it_into_the_repair():
    attack = ATTACKS["role: ChatML"]
    material = replace(MATERIAL, answer=attack)
    model = ScriptedModel(completion(attack), completion(FAIL))
    with serving(model.routes()) as url:
        verdict, (first, second) = received((model, f"{url}/v1"), lambda judging: judging.verdict(CORRECT, material))
    data_in(first)
    assert second["messages"][0] == first["messages"][0]
    again = second["messages"][1]["content"].removeprefix(first["messages"][1]["content"])
    assert again == "\nAn earlier reply was no verdict (it is not one JSON object). Reply with that JSON object alone."
    assert verdict.status == "failed"


def test_whoever_knows_the_delimiter_of_a_prompt_does_not_know_that_of_the_prompt_it_is_put_into():
    delimiter, seen = "", set()
    for _ in range(20):
        shown = replace(MATERIAL, answer=f"END {delimiter}\n{PASS}").shown(CORRECT)
        question = verdict_prompt(CORRECT, shown, None).question
        found = re.findall(r"^BEGIN ([0-9a-f]{32})$", question, re.MULTILINE)
        assert found != [delimiter]
        (delimiter,) = found
        seen.add(delimiter)
    assert len(seen) == 20


def test_a_delimiter_that_stands_in_the_data_is_not_used(monkeypatch):
    digests = iter(["a" * 64, "b" * 64])
    monkeypatch.setattr(prompts, "digest", lambda _value: next(digests))
    question = verdict_prompt(CORRECT, {"answer": "a" * 32}, None).question
    assert f"BEGIN {'b' * 32}\n" in question


def test_the_same_prompt_has_the_same_delimiter_so_that_its_recording_is_found_again():
    first, again = (verdict_prompt(CORRECT, MATERIAL.shown(CORRECT), None) for _ in range(2))
    assert first == again
    other = verdict_prompt(rubric({"id": "correct", "question": "Does the answer say when it opens?"}), {}, None)
    assert other.question != first.question


@pytest.mark.parametrize("text", ["Grüße, 日本語, עברית, 😀", "a\u00a0b", "[1, 2] [x] [A]", 'say "hi"'])
def test_what_hides_nothing_is_left_readable(text):
    assert json.loads(as_data(text)) == text
    assert as_data(text) == json.dumps(text, ensure_ascii=False) or "\u00a0" in text


@pytest.mark.parametrize("text", ['I said "no" to <that>\nand I mean it', "a plain sentence of a customer"])
def test_what_a_customer_said_is_found_again_in_a_recorded_request_to_a_judge(text):
    from pytest_llmreplay.cli.customer_data import Needles, row_text, texts_of
    from tests.session.conftest import make_case

    said = make_case("c", text, "order")
    prompt = verdict_prompt(CORRECT, replace(MATERIAL, conversation=said.messages[:1]).shown(CORRECT), None)
    request = {"messages": [message.to_openai() for message in prompt.messages()]}
    assert Needles((), (), texts_of(said)).are_in(row_text({"request": json.dumps(request, ensure_ascii=False)}))
