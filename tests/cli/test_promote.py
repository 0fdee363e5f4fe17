import json

import pytest

from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

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
    assert case.metadata == {"model": "m-1", "segment": "gold"}
    assert (case.provenance.trace_id, case.provenance.source_file, case.provenance.row) == ("t-1", "log.jsonl", 1)
    assert case.provenance.source_sha256
    assert case.tools is None


def test_it_says_that_nothing_is_redacted(program_in, log):
    log(conversation("t-1"))
    assert "Text is stored as logged" in program_in("promote", "log.jsonl", "--out", "golden/a.parquet").stderr


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
