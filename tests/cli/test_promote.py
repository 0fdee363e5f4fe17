import json
import re

import pytest

from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

PERSONAL = {"user_id": "mia_li_3668", "email": "mia.li@example.org", "name": "Mia Li"}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")


EXPECT = {"calls": {"expected": [{"name": "order", "args": {"order_id": "4417"}}]}}


def test_a_conversation_becomes_a_case_with_all_that_a_replay_needs(program_in, log):
    log(conversation("t-1", model="m-1", segment="gold", started_at="2026-03-01T10:00:00", expect=EXPECT))
    result = program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/support.parquet")
    assert "1 case written to golden/support.parquet: 1 open incident" in result.output
    assert "next: pytest golden/support.parquet" in result.output
    [case] = read_cases(program_in.root / "golden/support.parquet")
    assert case.case_id.startswith("t-1-")
    assert (case.suite, case.kind, case.status, case.turn) == ("support", "incident", "open", 1)
    assert case.expect == EXPECT
    assert case.occurred_at == "2026-03-01T10:00:00"
    assert [(r.turn, r.name, r.arguments, r.result) for r in case.recorded_results] == [
        (1, "search", '{"q":"x"}', "nothing")
    ]
    assert {name: case.metadata[name] for name in ("model", "segment")} == {"model": "m-1", "segment": "gold"}
    assert set(case.metadata) == {"model", "segment", "proof"}
    assert (case.provenance.trace_id, case.provenance.source_file, case.provenance.row) == ("t-1", "log.jsonl", 1)
    assert case.provenance.source_sha256
    assert case.tools is None


def personal(conversation_id="t-1", **columns):
    row = conversation(conversation_id, "I am Mia Li, write to MIA.LI@example.org", **columns)
    row["messages"][1]["tool_calls"][0]["function"]["arguments"] = json.dumps(PERSONAL)
    return row


def test_what_a_customer_wrote_does_not_reach_the_file(program_in, log):
    log(personal(user_id="mia_li_3668", expect={"calls": {"expected": [{"name": "order", "args": PERSONAL}]}}))
    result = program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    stored = repr(case) + result.output + result.stderr
    assert not [word for word in ("Mia", "mia", "3668", "@example.org") if word in stored]
    assert "[EMAIL_" in case.messages[0].content
    assert case.provenance.redactor_version == "1"
    assert case.metadata["redaction"]["counts"]["email"] >= 2
    arguments = json.loads(case.messages[1].tool_calls[0].arguments)
    assert arguments == case.expect["calls"]["expected"][0]["args"]
    assert case.metadata["user_id"] == arguments["user_id"]


def test_storing_personal_data_takes_a_reason_that_stays_with_the_case(program_in, log):
    log(personal())
    result = program_in("promote", "log.jsonl", "--store-personal-data", "test data", "--out", "golden/a.parquet")
    assert "Text is stored as logged in 1 of them" in result.stderr
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert case.metadata["redaction"] == {"stored": "test data"}
    assert case.messages[0].content == "I am Mia Li, write to MIA.LI@example.org"
    assert case.provenance.redactor_version is None


def test_a_possible_name_stops_the_case_where_nobody_can_be_asked(program_in, log):
    log(conversation("t-1", "is Zoltanka there?"), conversation("t-2"))
    result = program_in("promote", "log.jsonl", "--out", "golden/a.parquet", code=1)
    assert "t-1: one word of the text may be a name" in result.stderr
    assert "Zoltanka" not in result.stderr
    assert "1 case written" in result.output


@pytest.mark.parametrize(("residual", "said"), [("redact", "is [NAME_"), ("keep", "is Zoltanka there?")])
def test_the_option_decides_about_possible_names(program_in, log, residual, said):
    log(conversation("t-1", "is Zoltanka there?"))
    program_in("promote", "log.jsonl", "--residual", residual, "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert case.messages[0].content.startswith(said)
    assert case.metadata["redaction"].get("possible_names_kept", 0) == (residual == "keep")


def test_product_words_patterns_places_and_detectors_of_the_project(program_in, log):
    (program_in.root / "configs").mkdir()
    (program_in.root / "own_detector.py").write_text(
        "def find(text):\n    at = text.find('gold tier')\n    return [] if at < 0 else [(at, at + 9, 'tier')]\n"
    )
    (program_in.root / "configs/redaction.yaml").write_text(
        "kind: redaction\nwords: [Zoltanka]\npatterns: {booking: ['PNR (?P<value>[A-Z0-9]{6})']}\n"
        "places: {pet: name}\nallow: [support@acme.example]\ndetectors: ['own_detector:find']\n"
    )
    row = conversation("t-1", "Zoltanka PNR AB12CD support@acme.example gold tier, says rexo")
    row["messages"][1]["tool_calls"][0]["function"]["arguments"] = '{"pet": "Rexo"}'
    log(row)
    program_in("promote", "log.jsonl", "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    said = case.messages[0].content
    assert re.fullmatch(
        r"Zoltanka PNR \[BOOKING_\w{8}\] support@acme\.example \[TIER_\w{8}\], says \[NAME_\w{8}\]", said
    ), said


def test_an_expectation_file_serves_all_cases_and_controls_are_fixed_at_once(program_in, log):
    log(conversation("t-1"), conversation("t-2"))
    (program_in.root / "e.yaml").write_text("kind: expectations\nexpect: {answer: {contains_any: [nothing]}}\n")
    result = program_in("promote", "log.jsonl", "--expect", "e.yaml", "--control", "--out", "golden/a.parquet")
    assert "2 cases written to golden/a.parquet: 2 fixed controls" in result.output
    assert {case.status for case in read_cases(program_in.root / "golden/a.parquet")} == {"fixed"}


def test_without_an_expectation_a_case_is_a_draft_and_says_so(program_in, log):
    log(conversation("t-1"))
    result = program_in("promote", "log.jsonl", "--out", "golden/a.parquet")
    assert "1 draft incident" in result.output
    assert "Drafts do not run" in result.output


def test_selection_by_id_and_by_expression(program_in, log):
    log(conversation("t-1", score=1), conversation("t-2", score=5), conversation("t-3", score=5))
    program_in("promote", "log.jsonl", "--id", "t-3", "--id", "t-1", "--out", "golden/a.parquet")
    program_in("promote", "log.jsonl", "--where", "score = 5 AND conversation_id <> 't-3'", "--out", "golden/b.parquet")
    traces = [[c.provenance.trace_id for c in read_cases(program_in.root / f"golden/{n}.parquet")] for n in "ab"]
    assert traces == [["t-1", "t-3"], ["t-2"]]


def test_without_out_a_new_file_of_its_own_is_written_so_that_branches_merge(program_in, log):
    log(conversation("t-1"), name="support.jsonl")
    program_in("promote", "support.jsonl")
    [path] = (program_in.root / "golden" / "support").glob("*.parquet")
    assert len(read_cases(path)) == 1


def test_a_conversation_that_is_already_a_case_is_not_promoted_again(program_in, log):
    log(conversation("t-1"), conversation("t-2"))
    program_in("promote", "log.jsonl", "--id", "t-1", "--out", "golden/a.parquet")
    result = program_in("promote", "log.jsonl", "--out", "golden/b.parquet", code=1)
    assert "not promoted: t-1: it is already a case: t-1-" in result.stderr
    assert "1 case written to golden/b.parquet" in result.output


def test_what_is_stopped_does_not_stop_the_others(program_in, log):
    log(
        conversation("t-1", expect=json.dumps(EXPECT)),
        conversation("t-2", expect={"calls": {"expectd": []}}),
        conversation("t-3", expect="{not json"),
        conversation("t-4"),
        {"conversation_id": "t-5", "messages": [{"role": "assistant", "content": "hello?"}], "expect": EXPECT},
        "this is not JSON",
    )
    result = program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet", code=1)
    assert "1 case written" in result.output
    assert "did you mean 'expected'?" in result.stderr
    assert "t-3: its column 'expect' is not JSON" in result.stderr
    assert "t-4: its column 'expect' is empty" in result.stderr
    assert "t-5: the conversation has no user message" in result.stderr
    assert "log.jsonl: record 6" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--id", "t-9"], "no conversation has the id 't-9' (1 were read); did you mean 't-1'?"),
        (["--where", "scor = 1"], "did you mean 'score'"),
        (["--where", "false"], "no conversation was selected, so nothing is written"),
        (["--expect", "no.yaml"], "no.yaml: cannot be read"),
        (["--expect", "e.yaml", "--expect-column", "x"], "exclude each other"),
        (["--id-column", "key"], "key"),
        (["--format", "parquets"], "parquets"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(program_in, log, arguments, sentence):
    log(conversation("t-1", score=1))
    assert sentence in program_in.mistake("promote", "log.jsonl", "--out", "golden/a.parquet", *arguments)
    assert not (program_in.root / "golden" / "a.parquet").exists()


def test_an_existing_file_is_never_touched(program_in, log):
    log(conversation("t-1"), conversation("t-2"))
    program_in("promote", "log.jsonl", "--id", "t-1", "--out", "golden/a.parquet")
    before = (program_in.root / "golden/a.parquet").read_bytes()
    assert "exists" in program_in.mistake("promote", "log.jsonl", "--id", "t-2", "--out", "golden/a.parquet")
    assert (program_in.root / "golden/a.parquet").read_bytes() == before


def test_the_failing_turn_can_be_named(program_in, log):
    row = conversation("t-1")
    row["messages"] += [{"role": "user", "content": "thanks"}, {"role": "assistant", "content": "bye"}]
    log(row)
    program_in("promote", "log.jsonl", "--turn", "1", "--out", "golden/a.parquet")
    program_in("promote", "log.jsonl", "--out", "golden/b.parquet")
    turns = [read_cases(program_in.root / f"golden/{name}.parquet")[0].turn for name in "ab"]
    assert turns == [1, 2]
    result = program_in("promote", "log.jsonl", "--turn", "7", "--out", "golden/c.parquet", code=1)
    assert "there is no turn 7; the conversation has 2" in result.stderr


def test_an_expectation_that_production_meets_guards_against_nothing(program_in, log):
    log(conversation("t-1", expect={"calls": {"expected": [{"name": "search"}]}}))
    arguments = ("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    assert "does not fail on what production did" in program_in(*arguments, code=1).stderr
    assert not (program_in.root / "golden/a.parquet").exists()
    result = program_in(*arguments, "--allow-passing")
    assert "1 expectations are met by production itself" in result.output
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert case.metadata["proof"]["production"] == {"fails": False}


def test_the_proof_names_the_mutants_that_survive(program_in, log):
    log(conversation("t-1", expect=EXPECT))
    result = program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert case.metadata["proof"] == {
        "production": {"fails": True, "codes": ["wrong_name"]},
        "mutants": 5,
        "survivors": ["another_tool added", "empty answer"],
    }
    assert "fails 3 of 5 mutants; survivors: another_tool added, empty answer" in result.output
    assert f"golden stub {case.case_id} order='JSON'" in result.output


def test_a_result_is_borrowed_from_another_conversation_and_redacted_alike(program_in, log):
    log(personal(expect={"calls": {"expected": [{"name": "order", "args": {"email": "mia.li@example.org"}}]}}))
    other = conversation("t-7")
    other["messages"][1]["tool_calls"][0]["function"] = {
        "name": "order",
        "arguments": '{"email": "mia.li@example.org"}',
    }
    other["messages"][2]["content"] = '{"owner": "mia.li@example.org", "n": 1}'
    log(other, name="other.jsonl")
    result = program_in(
        "promote", "log.jsonl", "--expect-column", "expect", "--borrow", "other.jsonl", "--out", "golden/a.parquet"
    )
    [case] = read_cases(program_in.root / "golden/a.parquet")
    lent = case.recorded_results[-1]
    email = case.expect["calls"]["expected"][0]["args"]["email"]
    assert lent.source == "borrowed from t-7"
    assert (json.loads(lent.arguments), json.loads(lent.result)) == ({"email": email}, {"owner": email, "n": 1})
    assert email.startswith("[EMAIL_")
    assert "missing" not in result.output


def test_a_stub_answers_whatever_the_arguments(program_in, log):
    log(conversation("t-1", expect=EXPECT))
    arguments = ("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    assert "TOOL=JSON" in program_in.mistake(*arguments, "--stub", "order")
    assert "missing" not in program_in(*arguments, "--stub", 'order={"status": "sent"}').output
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert (case.recorded_results[-1].name, case.recorded_results[-1].source) == ("order", "stub")


def test_the_calls_of_a_conversation_that_went_well_are_proposed_and_a_draft(program_in, log):
    good = conversation("t-2", "where is my order 4417, please?")
    good["messages"][1]["tool_calls"][0]["function"] = {"name": "order", "arguments": '{"order_id": "4417"}'}
    log(conversation("t-1"), good)
    result = program_in("promote", "log.jsonl", "--id", "t-1", "--like-trace", "t-2", "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert case.status == "draft"
    assert case.expect == {
        "calls": {"expected": [{"name": "order", "args": {"order_id": {"equals": "4417"}}}], "forbidden": ["search"]}
    }
    assert f"golden approve {case.case_id}" in result.output


def test_of_two_conversations_with_one_id_the_first_is_promoted_and_named(program_in, log):
    log(conversation("t-1"), conversation("t-1", user="something else"))
    result = program_in("promote", "log.jsonl", "--residual", "keep", code=1)
    assert "1 case written to " in result.output
    assert re.search(
        r"not promoted: t-1: it is already a case: t-1-\w+ in this promotion, log.jsonl, record 1\n", result.stderr
    )


def test_duplicates_of_the_suite(program_in, log):
    log(
        conversation("t-1"),
        conversation("t-2", "Where is MY order 4417"),
        conversation("t-3", "something else entirely"),
    )
    program_in("promote", "log.jsonl", "--id", "t-1", "--suite", "s", "--out", "golden/a.parquet")
    options = ("promote", "log.jsonl", "--id", "t-2", "--id", "t-3", "--suite", "s")
    result = program_in(*options, "--out", "golden/b.parquet", "--on-duplicate", "link")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert f"duplicate: t-2 says what {case.case_id} says; linked to it" in result.stderr
    assert case.weight == 2.0
    assert [c.provenance.trace_id for c in read_cases(program_in.root / "golden/b.parquet")] == ["t-3"]
    result = program_in("promote", "log.jsonl", "--id", "t-2", "--suite", "s", "--out", "golden/c.parquet")
    assert "left out" in result.stderr
    assert not (program_in.root / "golden/c.parquet").exists()
    program_in(
        "promote", "log.jsonl", "--id", "t-2", "--suite", "s", "--on-duplicate", "add", "--out", "golden/c.parquet"
    )
    assert len(read_cases(program_in.root / "golden/c.parquet")) == 1


def test_a_near_duplicate_is_named_with_its_likeness_and_added(program_in, log):
    text = (
        "hello there, I would like to know where my order with the number 4417 is at the moment, it was sent last week"
    )
    log(conversation("t-1", text), conversation("t-2", text + " or so"))
    program_in("promote", "log.jsonl", "--id", "t-1", "--suite", "s", "--out", "golden/a.parquet")
    result = program_in("promote", "log.jsonl", "--id", "t-2", "--suite", "s", "--out", "golden/b.parquet")
    assert re.search(r"near duplicate: t-2 is much like t-1-\w+ \(\d\d% alike; from 80% on", result.stderr)
    assert "1 case written" in result.output


def test_labels_are_given_or_proposed_with_their_evidence(program_in, log):
    tools = [{"name": "order", "parameters": {"type": "object"}}]
    log(conversation("t-1", tools=tools, feedback={"score": -1}), conversation("t-2", "another question", tools=tools))
    program_in("promote", "log.jsonl", "--id", "t-1", "--out", "golden/a.parquet")
    given = ("--severity", "critical", "--owner", "ann", "--due", "2026-12-01", "--tag", "x", "--category", "safety")
    program_in("promote", "log.jsonl", "--id", "t-2", *given, "--out", "golden/b.parquet")
    [first], [second] = (read_cases(program_in.root / f"golden/{name}.parquet") for name in "ab")
    assert (first.failure_category, first.failure_stage, first.severity) == ("reliability", "tool", "high")
    assert first.metadata["label_evidence"]["negative feedback"] == "score: -1"
    assert "search is not among the offered tools" in first.metadata["label_evidence"]["unknown tool"]
    assert first.expect == {"calls": {"schema": True}}
    assert first.status == "draft"
    assert (second.failure_category, second.severity, second.owner, second.due, second.tags) == (
        "safety", "critical", "ann", "2026-12-01", ("x",)
    )  # fmt: skip


def test_what_a_person_writes_about_a_case_is_redacted_as_the_case_is(program_in, log):
    log(personal())
    given = ("--summary", "Mia wrote from mia dot li at example dot org", "--title", "mia_li_3668 again", "--tag", "li")
    program_in("promote", "log.jsonl", *given, "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    assert re.fullmatch(r"\[NAME_\w{8}\] wrote from \[EMAIL_\w{8}\]", case.summary), case.summary
    assert re.fullmatch(r"\[USER_ID_\w{8}\] again", case.title)
    assert case.tags[0].startswith("[NAME_")
    log(conversation("t-2"))
    options = ("promote", "log.jsonl", "--summary", "Zoltanka complained", "--out", "golden/b.parquet")
    assert "t-2: one word of the text may be a name" in program_in(*options, code=1).stderr


def test_a_dry_run_shows_the_case_and_writes_nothing(program_in, log):
    log(conversation("t-1", expect=EXPECT))
    result = program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet", "--dry-run")
    assert "1 case would be written to golden/a.parquet" in result.output
    assert "production: search(" in result.output
    assert not (program_in.root / "golden").exists()


def test_ids_come_from_a_file_of_ids_or_of_json_lines_and_samples_are_even(program_in, log):
    log(*(conversation(f"t-{i}", f"question {i}") for i in range(4)))
    log(*(conversation(f"s-{i}", f"question {i}", intent="ab"[i % 2]) for i in range(8)), name="good.jsonl")
    (program_in.root / "ids").write_text('t-3\n{"conversation_id": "t-1", "score": 0.5}\n\n')
    program_in("promote", "log.jsonl", "--ids", "ids", "--out", "golden/a.parquet")
    program_in("promote", "good.jsonl", "--control", "--sample", "4", "--by", "intent", "--out", "golden/b.parquet")
    first, second = (read_cases(program_in.root / f"golden/{name}.parquet") for name in "ab")
    assert [case.provenance.trace_id for case in first] == ["t-1", "t-3"]
    assert sorted(case.intent for case in second) == ["a", "a", "b", "b"]


def test_a_file_that_no_reader_knows_is_named_and_skipped(program_in, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "notes.txt").write_text("bought milk\n")
    row = conversation("t-1", expect=EXPECT)
    (folder / "log.jsonl").write_text(json.dumps(row) + "\n")
    result = program_in("promote", "logs", "--expect-column", "expect", "--out", "golden/a.parquet")
    assert "1 case written" in result.output
    assert "notes.txt" in result.stderr
