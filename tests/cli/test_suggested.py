"""`promote --ids` with what triage suggested."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.main import program
from pytest_llmreplay.mine.triage.suggestions import Suggestion, read_suggestions, write_suggestions
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

INCIDENT = Suggestion(
    "t-1", "incident", "representative", 12, "order, where, my", "tool_error", "reliability", "tool", 1, "where is it?"
)
CONTROL = Suggestion("t-2", "control", "representative", 30, "order, where, my", None, None, None, None, "where is it?")


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")


@pytest.fixture
def suggested(program_in, log):
    """A log of three conversations, of which two are suggested."""
    log(conversation("t-1"), conversation("t-2", "when is order 4418 here?"), conversation("t-3", "a third one"))
    write_suggestions(program_in.root / "s.parquet", [INCIDENT, CONTROL])
    return program_in


def test_each_becomes_the_draft_it_was_suggested_for(suggested):
    result = suggested("promote", "log.jsonl", "--ids", "s.parquet", "--out", "golden/a.parquet", "--residual", "keep")
    assert "2 cases written to golden/a.parquet: 1 draft control, 1 draft incident" in result.output
    incident, control = read_cases(suggested.root / "golden/a.parquet")
    assert (incident.kind, incident.status, incident.weight, incident.turn) == ("incident", "draft", 12.0, 1)
    assert (incident.failure_category, incident.failure_stage) == ("reliability", "tool")
    assert incident.intent == "order, where, my"
    note = {"by": "triage", "failure": "tool_error", "role": "representative"}
    assert incident.metadata["suggested"] == note
    assert (control.kind, control.weight, control.failure_category) == ("control", 30.0, None)
    assert control.metadata["suggested"] == {"by": "triage", "role": "representative"}


def test_what_is_suggested_is_redacted_and_stopped_as_all_else(suggested, log):
    log(conversation("t-1", "is Zoltanka there? zoltan@example.org"), conversation("t-2", "mail me: a.b@example.org"))
    write_suggestions(suggested.root / "s.parquet", [replace(INCIDENT, intent="a.b@example.org"), CONTROL])
    result = suggested("promote", "log.jsonl", "--ids", "s.parquet", "--out", "golden/a.parquet", code=1)
    assert "t-1: one word of the text may be a name" in result.stderr
    [case] = read_cases(suggested.root / "golden/a.parquet")
    assert case.kind == "control"
    assert "[EMAIL_" in case.messages[0].content
    redacted = ("--out", "golden/b.parquet", "--residual", "redact", "--suite", "b")
    suggested("promote", "log.jsonl", "--ids", "s.parquet", "--id", "t-1", *redacted, code=1)
    [incident] = read_cases(suggested.root / "golden/b.parquet")
    assert "example.org" not in repr(incident)
    assert incident.intent.startswith("[EMAIL_")


def test_the_intent_that_the_log_knows_stays(suggested, log):
    log(conversation("t-1", intent="shipping"))
    write_suggestions(suggested.root / "s.parquet", [INCIDENT])
    suggested("promote", "log.jsonl", "--ids", "s.parquet", "--out", "golden/a.parquet", "--residual", "keep")
    [case] = read_cases(suggested.root / "golden/a.parquet")
    assert case.intent == "shipping"


@pytest.mark.parametrize("option", [("--control",), ("--turn", "1")])
def test_what_a_suggestion_says_itself_is_no_option(suggested, option):
    assert "each suggestion says itself" in suggested.mistake("promote", "log.jsonl", "--ids", "s.parquet", *option)


def test_suggestions_are_not_taken_for_bare_ids(suggested):
    content = (suggested.root / "s.parquet").read_bytes()
    arguments = ["promote", "log.jsonl", "--ids", "-", "--out", "golden/a.parquet"]
    result = CliRunner().invoke(program, arguments, input=content)
    assert "name their file" in str(result.exception)
    assert not (suggested.root / "golden").exists()


def test_the_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "s.parquet"
    write_suggestions(path, [INCIDENT, CONTROL])
    assert read_suggestions(path) == [INCIDENT, CONTROL]
    assert pq.read_schema(path).metadata[b"llmreplay.kind"] == b"suggestions"


@pytest.mark.parametrize("wrong", [{"kind": "accident"}, {"stage": "shop"}, {"weight": 0}, {"conversation_id": None}])
def test_a_damaged_file_is_refused(tmp_path, wrong):
    path = tmp_path / "s.parquet"
    write_suggestions(path, [replace(INCIDENT, **wrong)])
    with pytest.raises(UserError, match="cannot be read as suggestions"):
        read_suggestions(path)


def test_the_rows_of_json_are_suggestions_too(suggested):
    path = suggested.root / "s.json"
    path.write_text(json.dumps([INCIDENT.as_row(), CONTROL.as_row()]))
    assert read_suggestions(path) == [INCIDENT, CONTROL]
    suggested("promote", "log.jsonl", "--ids", "s.json", "--out", "golden/a.parquet", "--residual", "keep")
    assert [case.kind for case in read_cases(suggested.root / "golden/a.parquet")] == ["incident", "control"]


@pytest.mark.parametrize(
    "text", ["t-1\n", "", "[]", "[1", "[1]", '[{"conversation_id": "t-1"}]', '{"conversation_id": "t-1"}']
)
def test_any_other_file_holds_no_suggestions(tmp_path, text):
    path = tmp_path / "ids"
    path.write_text(text)
    assert read_suggestions(path) is None
