"""`find --confirm` from the command line to a model over loopback and back."""

import json

import pytest
from aiohttp import web

from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.traces import write_conversations
from tests.cli.conftest import model_file
from tests.loopback import completion, cut, raw, serving, status

YES, NO = '{"evidence": "a human", "answer": "yes"}', '{"evidence": "", "answer": "no"}'
ASKS = {"anne": "a human please", "bert": "let me talk to a person", "carl": "I want a real agent"}


class Confirmer:
    """Says yes unless told otherwise for a conversation in which a word is said; remembers whom it was asked about."""

    def __init__(self, **told):
        self.told = told
        self.requests = []

    def routes(self):
        return [web.post("/v1/chat/completions", self._answer)]

    async def _answer(self, request):
        body = await request.json()
        self.requests.append(body)
        data = json.loads(body["messages"][-1]["content"].split("\n")[2])
        said = self.told.get(data[0]["content"].split()[-1], YES)
        return await said(request) if callable(said) else web.json_response(completion(said))


@pytest.fixture
def find(program_in):
    """Runs a search that the model of a server confirms."""
    talks = [
        Conversation(name, (Message("user", f"{text} {name}"), Message("assistant", "No.")))
        for name, text in ASKS.items()
    ]
    write_conversations(program_in.root / "talks.parquet", talks)

    def run(url, *options, code=0):
        path = model_file(program_in.root, url)
        return program_in(
            "find", "talks.parquet", "--signal", "asks_for_person", "--confirm", str(path), *options, code=code
        )

    run.root = program_in.root
    return run


def ids(result):
    return [row["conversation_id"] for row in json.loads(result.stdout)]


def test_what_the_model_confirms_is_kept_and_asked_for_once(find):
    model = Confirmer(bert=NO)
    with serving(model.routes()) as url:
        result = find(url, "--json")
        assert ids(result) == ["anne", "carl"]
        assert "2 confirmed, 1 not confirmed (3 asked for, the rest known from before; 0.2100 USD)" in result.stderr
        again = find(url, "--json", "--max-cost", "0")
    assert ids(again) == ids(result)
    assert "2 confirmed, 1 not confirmed (all known from before; 0.0000 USD)" in again.stderr
    assert len(model.requests) == 3
    [schema] = {json.dumps(body["response_format"]["json_schema"]["schema"]["required"]) for body in model.requests}
    assert schema == '["evidence", "answer"]'
    assert {body["temperature"] for body in model.requests} == {0}
    reasons = [row["why"] for row in json.loads(result.stdout)]
    assert all(why.endswith("; confirmed by openai/asked") for why in reasons)


def test_the_budget_stops_asking_and_the_next_run_goes_on_from_there(find):
    model = Confirmer()
    with serving(model.routes()) as url:
        result = find(url, "--max-cost", "0.1")
        assert "2 confirmed, 1 not asked, for the budget was used up (2 asked for" in result.output
        assert len(model.requests) == 2
        result = find(url, "--max-cost", "0.1")
    assert "3 confirmed (1 asked for, the rest known from before; 0.0700 USD)" in result.output
    assert len(model.requests) == 3


@pytest.mark.parametrize(
    "said",
    [
        "yes",
        "I cannot help with that.",
        '{"evidence": "", "answer": "maybe"}',
        '{"answer": "yes"}',
        '{"evidence": "", "answer": "yes"} and so on',
        "[" * 5000,
        "\x1b[2J",
        "",
    ],
)
def test_a_reply_off_the_menu_confirms_nothing(find, said):
    with serving(Confirmer(bert=said).routes()) as url:
        result = find(url)
    assert "2 confirmed, 1 answered neither yes nor no, so not confirmed" in result.output
    assert "bert" not in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize("trouble", [status(400), raw("<html>no</html>", "text/html"), cut], ids=["400", "html", "cut"])
def test_trouble_with_one_confirms_the_others(find, trouble, monkeypatch):
    monkeypatch.setattr("pytest_llmreplay.session.asking._WAIT_S", 0.1)
    with serving(Confirmer(bert=trouble).routes()) as url:
        result = find(url, "--json")
    assert ids(result) == ["anne", "carl"]
    assert "2 confirmed, 1 without an answer, so not confirmed" in result.stderr


def test_refused_credentials_end_the_command_and_so_does_trouble_with_all(find):
    with serving(Confirmer(bert=status(401)).routes()) as url:
        assert "401" in str(find(url, "--out", "m.parquet", code=2).exception)
    with serving(Confirmer(anne=status(400), bert=status(400), carl=status(400)).routes()) as url:
        assert "400" in str(find(url, code=2).exception)
    assert not (find.root / "m.parquet").exists()
