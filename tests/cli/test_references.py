"""Cases that store references: nothing of the text is in the file, and it comes back only from the log itself."""

import json

import pytest

from pytest_llmreplay.model.variant import ResolverConfig
from pytest_llmreplay.session.resolving import Resolver
from pytest_llmreplay.store.cases import read_cases
from pytest_llmreplay.store.recordings import RecordingStore
from pytest_llmreplay.store.runs import RunStore
from tests.cli.conftest import conversation

KEY = "a key for the tests only"
TEXT = "I am Mia Li (mia.li@example.org), where is my order 4417?"
EXPECT = {"calls": {"expected": [{"name": "order"}]}}
BOT = """
def answer(messages, tools, replay):
    assert "where is my order 4417?" in messages[-1]["content"] and "example.org" not in messages[-1]["content"]
    return {"tool_calls": [{"id": "c", "function": {"name": "order", "arguments": "{}"}}]}
"""


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", KEY)


def row(conversation_id="t-1", text=TEXT, **columns):
    made = conversation(conversation_id, text, expect=EXPECT, user_id="mia_li_3668", **columns)
    made["messages"].insert(0, {"role": "system", "content": "You help Mia Li."})
    made["messages"][2]["tool_calls"][0]["function"]["arguments"] = json.dumps({"customer_name": "Mia Li", "q": "x"})
    return made


OPTIONS = ("--expect-column", "expect", "--store", "references", "--suite", "s")


@pytest.fixture
def promoted(program_in, log):
    """One promoted case without text, and a variant that answers."""
    steps = [{"turn": 1, "kind": "retrieval", "name": "docs", "output": "opening hours", "document_ids": ["d-1"]}]
    log(row(steps=steps, request_id="req_9", comment="she was angry", vars={"who": "Mia Li"}, prompt_version="v7"))
    result = program_in("promote", "log.jsonl", *OPTIONS, "--residual", "redact", "--out", "golden/a.parquet")
    (program_in.root / "configs").mkdir()
    (program_in.root / "bot.py").write_text(BOT)
    (program_in.root / "configs/v1.yaml").write_text(
        "kind: variant\nname: v1\ntarget: {type: callable, function: 'bot:answer'}\n"
    )
    return result


def case_in(program_in):
    [case] = read_cases(program_in.root / "golden/a.parquet")
    return case


def resolve_with(program_in, written):
    (program_in.root / "configs/environment.yaml").write_text(f"kind: environment\nresolver: {written}\n")


def run(program_in, pytester):
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", f"--rootdir={program_in.root}", "-c", str(program_in.root / "pytest.ini"),
        str(program_in.root / "golden"),
    )  # fmt: skip
    [outcome] = RunStore(program_in.root / ".pytest_llmreplay").load("last")[1]
    return result.ret, outcome


def test_nothing_of_the_text_is_stored_and_all_that_finds_it_is(program_in, promoted):
    case = case_in(program_in)
    stored = repr(case) + (program_in.root / "golden/a.parquet").read_bytes().decode("latin-1")
    for word in ("Mia", "4417", "where is", "nothing", "found", "angry", "opening", "example.org", "You help"):
        assert word not in stored, word
    assert case.messages[1].content.startswith("[REF_")
    assert len(case.messages[1].content) == len("[REF_]") + 64
    assert [call.name for call in case.messages[2].tool_calls] == ["search"]
    assert (case.provenance.trace_id, case.provenance.correlation_ids) == ("t-1", {"request_id": "req_9"})
    assert (case.provenance.prompt_version, case.steps[0].document_ids) == ("v7", ("d-1",))
    assert case.metadata["proof"]["production"] == {"fails": True, "codes": ["wrong_name"]}
    assert "comment" in case.metadata["references"]["left_out"]
    assert case.expect == EXPECT
    assert case.title is None


def test_a_log_that_the_runner_may_read_brings_the_text_back(program_in, promoted, pytester):
    resolve_with(program_in, "{logs: log.jsonl}")
    code, outcome = run(program_in, pytester)
    assert (code, outcome.status) == (0, "passed"), outcome.reasons
    assert outcome.case_digest == case_in(program_in).content_digest


@pytest.mark.parametrize("gives", ["rows[0]", "rows[0]['messages']"])
def test_a_function_brings_the_text_back(program_in, promoted, pytester, gives):
    (program_in.root / "resolver.py").write_text(
        "import json\n\ndef find(reference):\n"
        "    assert reference['trace_id'] == 't-1' and reference['correlation_ids'] == {'request_id': 'req_9'}\n"
        "    assert reference['document_ids'] == ['d-1'] and reference['prompt_version'] == 'v7'\n"
        f"    rows = [json.loads(line) for line in open({str(program_in.root / 'log.jsonl')!r})]\n"
        f"    return {gives}\n"
    )
    resolve_with(program_in, "{function: 'resolver:find'}")
    _, outcome = run(program_in, pytester)
    if gives == "rows[0]":
        assert outcome.status == "passed", outcome.reasons
    else:  # the messages alone lack the steps and the variables
        assert [(outcome.status, reason.code) for reason in outcome.reasons] == [("error", "unresolved")]


@pytest.mark.parametrize(
    ("resolver", "change", "why"),
    [
        (None, None, "names no resolver"),
        ("{logs: other.jsonl}", None, "other.jsonl"),
        ("{logs: log.jsonl}", ("t-1", "t-2"), "nothing is known of trace t-1"),
        ("{logs: log.jsonl}", ("4417", "4418"), "messages[1].content is not what was promoted"),
        ("{logs: log.jsonl}", ("nothing", "a thing"), "is not what was promoted"),
        ("{function: 'resolver:find'}", None, "the resolver failed: PermissionError"),
    ],
)
def test_without_access_the_outcome_is_an_error_and_never_a_verdict(
    program_in, promoted, pytester, resolver, change, why
):
    (program_in.root / "resolver.py").write_text("def find(reference):\n    raise PermissionError('4417')\n")
    if resolver:
        resolve_with(program_in, resolver)
    if change:
        path = program_in.root / "log.jsonl"
        path.write_text(path.read_text().replace(*change))
    code, outcome = run(program_in, pytester)
    [reason] = outcome.reasons
    assert (code, outcome.status, reason.code) == (10, "error", "unresolved")
    assert why in reason.message
    assert "4417" not in reason.message


def test_another_key_or_none_brings_nothing_back_and_none_is_made(
    program_in, promoted, pytester, monkeypatch, tmp_path
):
    resolve_with(program_in, "{logs: log.jsonl}")
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "another key for the tests")
    assert "is not what was promoted" in run(program_in, pytester)[1].reasons[0].message
    monkeypatch.delenv("PYTEST_LLMREPLAY_REDACTION_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    assert "no redaction key" in run(program_in, pytester)[1].reasons[0].message
    assert not (tmp_path / "none").exists()


def test_the_same_question_is_a_duplicate_although_its_text_is_elsewhere(program_in, promoted, log):
    log(row("t-7"), row("t-8", "something else entirely, please"), name="more.jsonl")
    options = ("promote", "more.jsonl", *OPTIONS, "--residual", "redact", "--out", "golden/b.parquet")
    result = program_in(*options)
    assert f"duplicate: t-7 says what {case_in(program_in).case_id} says" in result.stderr
    assert "1 case written" in result.output
    assert "duplicate" in program_in(
        "promote", "more.jsonl", "--id", "t-7", "--expect-column", "expect", "--suite", "s", "--residual", "redact"
    ).stderr  # fmt: skip


def test_the_other_commands_take_such_a_case(program_in, promoted):
    case = case_in(program_in)
    assert case.case_id in program_in("golden", "list").output
    assert "[REF_" in program_in("golden", "show", case.case_id).output
    assert "1 cases, 1 variants, 0 problems" in program_in("validate").output
    text = program_in("golden", "export").output
    (program_in.root / "one.yaml").write_text(text)
    assert "1 as they were" in program_in("golden", "import", "one.yaml").output
    (program_in.root / "map.yaml").write_text("kind: migration\ntools: {search: {arguments: {q: query}}}\n")
    assert "cannot be mapped" in program_in.mistake("golden", "migrate-tools", "map.yaml", "--yes")


def test_a_renamed_tool_still_gets_its_text(pytester, program_in, promoted):
    (program_in.root / "map.yaml").write_text("kind: migration\ntools: {search: {name: find}}\n")
    program_in("golden", "migrate-tools", "map.yaml", "--yes")
    resolve_with(program_in, "{logs: log.jsonl}")
    assert run(program_in, pytester)[1].status == "passed"


@pytest.mark.parametrize("extra", [("--fake",), ("--store-personal-data", "a test")])
def test_other_ways_to_store_work_too(pytester, program_in, log, extra):
    log(row())
    residual = () if "--store-personal-data" in extra else ("--residual", "redact")
    program_in("promote", "log.jsonl", *OPTIONS, *extra, *residual, "--out", "golden/a.parquet")
    (program_in.root / "configs").mkdir()
    (program_in.root / "bot.py").write_text(BOT.replace('and "example.org" not in messages[-1]["content"]', ""))
    (program_in.root / "configs/v1.yaml").write_text(
        "kind: variant\nname: v1\ntarget: {type: callable, function: 'bot:answer'}\n"
    )
    resolve_with(program_in, "{logs: log.jsonl}")
    _, outcome = run(program_in, pytester)
    assert outcome.status == "passed", outcome.reasons
    assert "4417" not in (program_in.root / "golden/a.parquet").read_bytes().decode("latin-1")


def test_a_borrowed_result_is_another_customers_text(program_in, log):
    log(row())
    said = program_in.mistake("promote", "log.jsonl", *OPTIONS, "--borrow", "log.jsonl")
    assert "exclude each other" in said


def test_erase_finds_the_case_and_the_recordings_of_its_text(program_in, promoted):
    resolver = Resolver(ResolverConfig(logs="log.jsonl"), program_in.root, program_in.root / "configs", print)
    said = {"one": resolver.with_text(case_in(program_in)).messages[1].content, "two": "a question of another person"}
    state = program_in.root / ".pytest_llmreplay"
    recordings = RecordingStore(state / "recordings")
    for name, text in said.items():
        request = {"messages": [{"role": "user", "content": text}]}
        recordings.add(name, request=request, response={"text": "hello"}, provider="p", trial=1)
    recordings.close()
    result = program_in("erase", "--trace", "t-1", "--yes")
    assert "removed 2 rows" in result.output, result.output
    assert [record["key"] for record in RecordingStore(state / "recordings").records()] == ["two"]
    assert not (program_in.root / "golden/a.parquet").exists()
