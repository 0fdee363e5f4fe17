"""`triage --suggest`, `--promote` and `--html`, as they are used."""

import json
import re
import stat
import subprocess
from collections import Counter

import pytest
from aiohttp import web

from pytest_llmreplay.mine.triage.suggestions import read_suggestions
from pytest_llmreplay.model.conversation import Conversation, Message, ToolCall
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.cases import read_cases
from pytest_llmreplay.traces import write_conversations
from tests.cli.conftest import model_file
from tests.loopback import serving

WANTS = {
    "refund": ("please give me my money back for order {}", "i want a refund for order {}", "refund order {} now"),
    "hours": ("when do you open on day {}?", "what are your opening hours on day {}?", "are you open on day {}?"),
}


def talk(number):
    """Every fourth refund has no answer, every tenth question about hours calls a tool that there is not."""
    want = "refund" if number % 2 else "hours"
    text = WANTS[want][number % 3].format(4000 + number)
    messages = [Message("user", text)]
    if want == "refund" and number % 4 == 1:
        messages.append(Message("assistant", ""))
    else:
        messages.append(Message("assistant", "That is done."))
    return Conversation(
        f"{want}-{number:03}", tuple(messages), model="m1", started_at=f"2026-03-{1 + number % 28:02}T10:00:00"
    )


def named(number, text):
    return Conversation(f"named-{number}", (Message("user", text), Message("assistant", "")))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")


@pytest.fixture
def logged(program_in):
    write_conversations(program_in.root / "logs.parquet", [talk(number) for number in range(120)])
    return program_in


def suggested(result):
    return json.loads(result.stdout)["suggestions"]


def test_suggestions_stand_for_all_failures_and_for_as_many_that_went_well(logged):
    rows = suggested(logged("triage", "logs.parquet", "--suggest", "4", "--json"))
    incidents = [row for row in rows if row["kind"] == "incident"]
    controls = [row for row in rows if row["kind"] == "control"]
    assert (len(incidents), len(controls)) == (4, 4)
    assert sum(row["weight"] for row in incidents) == 30
    assert {row["failure"] for row in incidents} == {"empty_answer"}
    assert {row["turn"] for row in incidents} == {1}
    assert all(int(row["conversation_id"][-3:]) % 4 == 1 for row in incidents)
    assert all(int(row["conversation_id"][-3:]) % 4 != 1 for row in controls)
    assert len({row["conversation_id"] for row in rows}) == 8
    assert {row["intent"] for row in controls} == {row["intent"] for row in incidents}
    assert rows == suggested(logged("triage", "logs.parquet", "--suggest", "4", "--json"))


def test_the_table_ends_with_the_next_command(logged):
    lines = logged("triage", "logs.parquet", "--suggest", "2").output.splitlines()
    [head] = [number for number, line in enumerate(lines) if line.startswith("suggested")]
    assert Counter(line.split()[0] for line in lines[head + 2 : -2]) == {"incident": 2, "control": 2}
    stood_for = sum(int(line.split()[1]) for line in lines[head + 2 :] if line.startswith("incident"))
    assert lines[-2] == f"the incidents stand for {stood_for} of 30 failed conversations"
    assert lines[-1].startswith("next: the same command with --promote")


def test_the_file_is_what_promote_takes(logged):
    result = logged("triage", "logs.parquet", "--suggest", "2", "--out", "s.parquet")
    assert result.output.splitlines()[-1] == "next: pytest-llmreplay promote logs.parquet --ids s.parquet"
    path = logged.root / "s.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = {one.conversation_id: one for one in read_suggestions(path)}
    logged("promote", "logs.parquet", "--ids", "s.parquet", "--out", "golden/a.parquet", "--residual", "keep")
    cases = list(read_cases(logged.root / "golden/a.parquet"))
    assert {case.provenance.trace_id: (case.kind, case.weight) for case in cases} == {
        name: (one.kind, float(one.weight)) for name, one in found.items()
    }


def test_promote_makes_redacted_drafts_of_them(logged):
    result = logged("triage", "logs.parquet", "--suggest", "4", "--promote", "--suite", "found", "--residual", "redact")
    assert "4 draft controls, 4 draft incidents" in result.output
    assert result.output.splitlines()[-1].startswith("next: pytest-llmreplay golden edit")
    [file] = (logged.root / "golden" / "found").glob("*.parquet")
    cases = list(read_cases(file))
    incidents = [case for case in cases if case.kind == "incident"]
    assert {case.status for case in cases} == {"draft"}
    assert {case.provenance.redactor_version for case in cases} == {"1"}
    assert sum(case.weight for case in incidents) == 30
    assert {case.metadata["suggested"]["failure"] for case in incidents} == {"empty_answer"}
    assert {(case.failure_category, case.failure_stage) for case in incidents} == {("quality", "model")}
    rows = suggested(logged("triage", "logs.parquet", "--suggest", "4", "--json"))
    assert {case.provenance.trace_id: case.intent for case in cases} == {
        row["conversation_id"]: row["intent"] for row in rows
    }
    assert any(case.intent for case in cases)


def test_promote_stops_at_possible_names_where_nobody_can_be_asked(program_in):
    talks = [named(1, "i am Zoltanka, mail zoltan@example.org"), named(2, "where is my order?")]
    write_conversations(program_in.root / "logs.parquet", talks)
    arguments = ("triage", "logs.parquet", "--suggest", "2", "--promote", "--suite", "found")
    result = program_in(*arguments, code=1)
    assert "named-1: one word of the text may be a name" in result.stderr
    [file] = (program_in.root / "golden" / "found").glob("*.parquet")
    assert [case.provenance.trace_id for case in read_cases(file)] == ["named-2"]


@pytest.mark.parametrize(
    ("signal", "turn", "text"),
    [
        ("user_repeats", 2, "where is my parcel with the blue vase?"),
        ("asks_for_person", 3, "a human please, where is my parcel with the blue vase?"),
    ],
)
def test_a_user_who_complains_speaks_of_the_turn_before(program_in, signal, turn, text):
    said = (
        "hello",
        "Hi!",
        "where is my parcel with the blue vase?",
        "Somewhere.",
        "a human please, where is my parcel with the blue vase?",
        "No.",
    )
    messages = tuple(Message("user" if n % 2 == 0 else "assistant", text) for n, text in enumerate(said))
    write_conversations(program_in.root / "logs.parquet", [Conversation("t-1", messages)])
    [row] = suggested(program_in("triage", "logs.parquet", "--signal", signal, "--suggest", "1", "--json"))
    assert (row["turn"], row["text"]) == (turn, text)


def test_of_several_signals_the_rarest_names_the_way_of_failing(program_in):
    call = Message("assistant", None, tool_calls=(ToolCall("c", "order", "{}"),))
    error = Message("tool", "Error: no such order", tool_call_id="c")
    talks = [Conversation(f"t-{n}", (Message("user", f"where is {n}"), Message("assistant", ""))) for n in range(6)]
    talks.append(Conversation("both", (Message("user", "where is 7"), call, error, Message("assistant", ""))))
    write_conversations(program_in.root / "logs.parquet", talks)
    asked = ("--signal", "empty_answer", "--signal", "tool_error")
    rows = suggested(program_in("triage", "logs.parquet", *asked, "--suggest", "2", "--json"))
    assert {row["failure"]: row["weight"] for row in rows} == {"empty_answer": 6, "tool_error": 1}
    assert [row["conversation_id"] for row in rows if row["failure"] == "tool_error"] == ["both"]


def test_an_expression_says_that_a_conversation_failed_and_not_how(logged):
    asked = ("--failed", "conversation_id LIKE 'hours%'", "--by", "model")
    rows = suggested(logged("triage", "logs.parquet", *asked, "--suggest", "1", "--json"))
    incident, control = rows
    assert (incident["weight"], incident["category"], incident["stage"], incident["intent"]) == (60, None, None, None)
    assert control["conversation_id"].startswith("refund")


def test_only_conversations_of_the_triage_are_suggested(logged):
    asked = ("--since", "2026-03-20", "--suggest", "50")
    rows = suggested(logged("triage", "logs.parquet", *asked, "--json"))
    days = {1 + int(row["conversation_id"][-3:]) % 28 for row in rows}
    assert min(days) >= 20
    assert sum(row["weight"] for row in rows if row["kind"] == "incident") == len(
        [n for n in range(120) if n % 4 == 1 and 1 + n % 28 >= 20]
    )


def test_nothing_failed_nothing_is_suggested(program_in):
    write_conversations(program_in.root / "logs.parquet", [talk(2), talk(4)])
    result = program_in("triage", "logs.parquet", "--suggest", "3", "--promote")
    assert "nothing to suggest" in result.output
    assert suggested(program_in("triage", "logs.parquet", "--suggest", "3", "--json")) == []
    assert not (program_in.root / "golden").exists()


def test_the_page_is_private_and_links_to_conversations(logged):
    path = logged.root / "triage.html"
    path.write_text("older, and open to all")
    path.chmod(0o644)
    result = logged("triage", "logs.parquet", "--html", "triage.html")
    assert "the page: triage.html" in result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text("utf-8")
    ids = re.findall(r'id="conversation=([^"]*)"', text)
    assert len(ids) == 40
    assert set(re.findall(r'href="#(conversation=[^"]*)"', text)) == {f"conversation={one}" for one in ids}
    assert "This page holds what customers wrote" in text
    assert "give me my money back" in text


def test_git_is_not_to_take_what_customers_wrote(logged):
    subprocess.run(["git", "init", "-q"], cwd=logged.root, check=True)
    result = logged("triage", "logs.parquet", "--html", "triage.html")
    assert "triage.html holds what customers wrote, unredacted, and git does not ignore it" in result.stderr
    (logged.root / ".gitignore").write_text("*.html\n")
    assert "git does not" not in logged("triage", "logs.parquet", "--html", "triage.html").stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "s.parquet"), "say --suggest N"),
        (("--promote",), "say --suggest N"),
        (("--suggest", "2", "--residual", "keep"), "say nothing without --promote"),
        (("--suggest", "2", "--suite", "a"), "say nothing without --promote"),
        (("--suggest", "2", "--promote", "--json"), "exclude each other"),
        (("--suggest", "0"), "0 is not in the range"),
    ],
)
def test_mistakes(logged, options, said):
    assert said in logged.mistake("triage", "logs.parquet", *options)


def test_without_the_extra_there_is_a_page_and_no_suggestion(logged, monkeypatch):
    def missing():
        raise UserError("embeddings need the extra mine")

    monkeypatch.setattr("pytest_llmreplay.providers.embeddings.static_embedder", missing)
    result = logged("triage", "logs.parquet", "--html", "triage.html")
    assert "the page shows no conversation: embeddings need the extra mine" in result.stderr
    assert "give me my money back" not in (logged.root / "triage.html").read_text("utf-8")
    assert "embeddings need the extra mine" in logged.mistake("triage", "logs.parquet", "--suggest", "2")


def test_another_embedding_finds_the_intents_and_chooses_what_is_suggested(logged, monkeypatch):
    asked = []

    async def embed(request):
        body = await request.json()
        asked.extend(body["input"])
        vectors = [[1.0, 0.1, 0.0] if "open" in text else [0.0, 0.1, 1.0] for text in body["input"]]
        data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
        return web.json_response(
            {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        )

    def refused():
        pytest.fail("the static embeddings were not asked for")

    monkeypatch.setattr("pytest_llmreplay.providers.embeddings.static_embedder", refused)
    monkeypatch.setenv("PLANTED_KEY", "sk-planted")
    with serving([web.post("/v1/embeddings", embed)]) as url:
        path = model_file(logged.root, url, more=", api_key_env: PLANTED_KEY")
        options = ("--embedding", str(path), "--suggest", "4", "--intents", "intents.parquet", "--json")
        rows = suggested(logged("triage", "logs.parquet", *options))
        assert len(asked) == len(set(asked)) == 120
        assert sum(row["weight"] for row in rows if row["kind"] == "incident") == 30
        assert rows == suggested(logged("triage", "logs.parquet", *options))
        assert len(asked) == 120


def test_logs_in_several_files_and_formats(logged):
    talks = [{"id": f"j-{n}", "messages": [{"role": "user", "content": "refund me"}]} for n in range(3)]
    talks += [
        {"id": "j-3", "messages": [{"role": "user", "content": "refund me"}, {"role": "assistant", "content": ""}]}
    ]
    (logged.root / "more.jsonl").write_text("\n".join(map(json.dumps, talks)))
    arguments = ("triage", "more.jsonl", "logs.parquet", "--suggest", "200")
    found = {row["conversation_id"] for row in suggested(logged(*arguments, "--json")) if row["kind"] == "incident"}
    assert found == {"j-3"} | {f"refund-{n:03}" for n in range(120) if n % 4 == 1}
    logged(*arguments, "--promote", "--suite", "a", "--residual", "keep")
