"""`triage --name-with`, with a model over loopback."""

import json

import pytest
from aiohttp import web

from pytest_llmreplay.mine.intents_file import read_intents
from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.providers.embeddings import static_embedder
from pytest_llmreplay.traces import write_conversations
from tests.cli.conftest import model_file
from tests.loopback import completion, serving, status

WANTS = {
    "refund": ("please give me my money back, refund order {}", "i want a refund for order {}", "refund order {} now"),
    "password": ("i forgot my password {}", "reset my password please {}", "the password {} is refused at login"),
    "parcel": ("where is my parcel {}", "the parcel {} is late", "track my parcel {} please"),
}


FOUND = {"Money back", "Lost password", "Late parcel"}


class Namer:
    """Names by the words that it is shown; remembers what it was shown."""

    def __init__(self, **names):
        self.names = {"refund": "Money back", "password": "Lost password", "parcel": "Late parcel", **names}
        self.shown = []

    def routes(self):
        return [web.post("/v1/chat/completions", self._answer)]

    async def _answer(self, request):
        body = await request.json()
        self.shown.append(json.loads(body["messages"][-1]["content"]))
        [want] = [want for want in self.names if want in self.shown[-1]["words"]]
        said = self.names[want]
        return await said(request) if callable(said) else web.json_response(completion(said))


@pytest.fixture
def logged(program_in):
    talks = []
    for number in range(54):
        want = list(WANTS)[number % 3]
        messages = (
            Message("user", WANTS[want][number // 3 % 3].format(4000 + number)),
            Message("assistant", "" if number % 4 == 0 else "Done."),
        )
        started = "2025-12-31" if want == "refund" else "2026-01-01"
        talks.append(Conversation(f"{want}-{number}", messages, model=f"m{number % 2}", started_at=started))
    write_conversations(program_in.root / "logs.parquet", talks)
    return program_in


@pytest.fixture
def triage(logged):
    """Runs a triage whose intents the model of a server names; the names of the intents, and what was told of it."""

    def run(url, *options, code=0):
        name = str(model_file(logged.root, url).relative_to(logged.root))
        result = logged("triage", "logs.parquet", "--by", "intent", "--name-with", name, "--json", *options, code=code)
        if code:
            return str(result.exception)
        groups = json.loads(result.stdout)["groups"]["intent"]
        return {group["name"] for group in groups} - {"other"}, result.stderr

    run.root = logged.root
    return run


def kept(root):
    intents = read_intents(root / "intents.parquet", embedder=static_embedder().identity).found
    return {one.intent_id: one.name for one in intents}


def test_a_model_names_the_intents_once(triage):
    namer = Namer()
    with serving(namer.routes()) as url:
        names, told = triage(url)
        assert names == FOUND
        assert "configs/asked.yaml: 3 named (3 asked for, the rest known from before; 0.2100 USD)" in told
        again, told = triage(url)
    assert again == FOUND
    assert "3 named (all known from before; 0.0000 USD)" in told
    assert len(namer.shown) == 3
    assert all(len(shown["said"]) == 5 for shown in namer.shown)


def test_a_name_is_kept_with_its_intent_and_not_asked_for_again(triage):
    namer = Namer()
    with serving(namer.routes()) as url:
        triage(url, "--intents", "intents.parquet")
        first = kept(triage.root)
        assert set(first.values()) == FOUND
        namer.names["refund"] = "Something else"
        more = [Conversation("new", (Message("user", "refund my order 1"), Message("assistant", "")), model="m1")]
        write_conversations(triage.root / "logs.parquet", more * 30)
        names, told = triage(url, "--intents", "intents.parquet")
    assert "no intent to name" in told
    assert len(namer.shown) == 3
    assert kept(triage.root) == first
    assert names == {"Money back"}


def test_two_intents_that_a_model_names_alike_are_told_apart(triage):
    with serving(Namer(password="Money back", parcel="money back").routes()) as url:
        names, _ = triage(url)
    assert len({name.casefold() for name in names}) == 3
    assert all(name.casefold().startswith("money back") for name in names)
    assert any(", password" in name or ", parcel" in name for name in names)


@pytest.mark.parametrize(
    "said",
    [
        "I am sorry, but I cannot do that for you",
        "\x1b[2Jrefunds",
        "refund for mr zebulon",
        "mail anna@example.org",
        "<b>" + "x" * 100,
        '{"name": "refund", "id": 4711}',
        "",
    ],
)
def test_what_is_no_name_or_holds_personal_data_is_not_kept(triage, said):
    with serving(Namer(refund=said).routes()) as url:
        names, told = triage(url, "--intents", "intents.parquet")
    assert "2 named, 1 answered with no name that can be kept, so named by their words" in told
    assert {name for name in names if "refund" in name} == names - {"Lost password", "Late parcel"}
    assert said not in kept(triage.root).values()


def test_html_in_a_name_is_text_on_the_page(triage):
    with serving(Namer(refund="<i>refund</i>").routes()) as url:
        names, _ = triage(url, "--html", "triage.html")
    assert "<i>refund</i>" in names
    text = (triage.root / "triage.html").read_text("utf-8")
    assert "&lt;i&gt;refund&lt;/i&gt;" in text
    assert "<i>refund" not in text


def test_what_the_budget_does_not_allow_is_not_asked(triage):
    namer = Namer()
    with serving(namer.routes()) as url:
        names, told = triage(url, "--max-cost", "0.05", "--intents", "intents.parquet")
        assert "1 named, 2 not asked, for the budget was used up (1 asked for" in told
        assert len(names & FOUND) == 1
        names, told = triage(url, "--intents", "intents.parquet")
    assert names == FOUND
    assert len(namer.shown) == 3


def test_an_intent_without_an_answer_keeps_its_words(triage):
    with serving(Namer(refund=status(400)).routes()) as url:
        names, told = triage(url)
    assert "2 named, 1 without an answer, so named by their words" in told
    assert {"Lost password", "Late parcel"} < names


def test_refused_credentials_and_a_model_that_is_not_there_are_told(triage):
    with serving(Namer(refund=status(401)).routes()) as url:
        assert "refused" in triage(url, "--intents", "intents.parquet", code=2)
    assert not (triage.root / "intents.parquet").exists()
    with serving(Namer(refund=status(400), password=status(400), parcel=status(400)).routes()) as url:
        assert "400" in triage(url, code=2)


@pytest.mark.parametrize("which", [("--where", "conversation_id NOT LIKE 'refund%'"), ("--since", "2026-01-01")])
def test_only_conversations_that_count_are_shown_to_the_model(triage, which):
    namer = Namer()
    with serving(namer.routes()) as url:
        triage(url, *which)
    assert len(namer.shown) == 2
    assert not any("refund" in text for shown in namer.shown for text in shown["said"])


def test_mistakes(logged):
    said = logged.mistake("triage", "logs.parquet", "--by", "model", "--name-with", "m")
    assert "there are no intents to name; say --by intent too" in said
    assert "none.yaml: cannot be read" in logged.mistake("triage", "logs.parquet", "--name-with", "none.yaml")
