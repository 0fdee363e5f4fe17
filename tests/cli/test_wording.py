"""What people write about golden cases passes through the redaction that the cases passed through."""

from dataclasses import replace

import pytest

from pytest_llmreplay.promote.redact.pseudonym import PSEUDONYM
from pytest_llmreplay.store.cases import read_cases
from tests.cli.conftest import conversation

SAID = "I am Mia Li (mia.li@example.org), where is my order?"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")


@pytest.fixture
def golden(program_in, log):
    """A promoted case whose customer is hidden."""
    log(conversation("t-1", SAID, expect={"calls": {"expected": [{"name": "order"}]}}))
    options = ("--expect-column", "expect", "--residual", "redact", "--title", "Where is it")
    program_in("promote", "log.jsonl", *options, "--out", "golden/a.parquet")

    def case():
        [one] = read_cases(program_in.root / "golden/a.parquet")
        return one

    return case


def bytes_of(program_in):
    return (program_in.root / "golden/a.parquet").read_bytes()


def test_the_reason_of_a_retirement_is_redacted_as_the_case_was(program_in, golden):
    reason = "Mia Li wrote from mia.li@example.org that it came"
    result = program_in("golden", "retire", golden().case_id, "--reason", reason, "--residual", "redact")
    kept = golden().metadata["retired_because"]
    assert len(PSEUDONYM.findall(kept)) == 3
    assert PSEUDONYM.findall(kept) == PSEUDONYM.findall(golden().messages[0].content)
    assert kept.endswith(" that it came")
    assert f"redacted, so that it is kept as: {kept}" in result.output
    for word in ("Mia", "Li ", "mia.li"):
        assert word not in result.output
        assert word.encode() not in bytes_of(program_in)


def test_the_reason_of_a_waiver_is_redacted_as_the_case_was(program_in, golden):
    because = ("--reason", "Mia Li is told on Tuesday", "--residual", "redact")
    result = program_in("waive", golden().case_id, "--until", "2099-12-31", "--owner", "ann", *because)
    written = (program_in.root / "configs/waivers.yaml").read_text()
    [pseudonym, *_] = PSEUDONYM.findall(golden().messages[0].content)
    assert pseudonym in written
    assert "is told on Tuesday" in written
    assert "redacted, so that it is kept as: " in result.output
    assert not any(word in told for word in ("Mia", "Li ") for told in (written, result.output))


def test_without_a_terminal_a_possible_name_is_refused_and_nothing_changes(program_in, golden):
    before = bytes_of(program_in)
    said = program_in.mistake("golden", "retire", golden().case_id, "--reason", "Zoltan asked for it")
    assert "one word of the text may be a name, and there is no terminal to ask on; say --residual redact" in said
    assert "Zoltan" not in said
    assert bytes_of(program_in) == before
    program_in("golden", "retire", golden().case_id, "--reason", "Zoltan asked for it", "--residual", "keep")
    assert golden().metadata["retired_because"] == "Zoltan asked for it"


def test_a_reason_without_anything_personal_is_kept_as_it_is(program_in, golden):
    result = program_in("golden", "retire", golden().case_id, "--reason", "the tool is gone")
    assert golden().metadata["retired_because"] == "the tool is gone"
    assert "redacted" not in result.output


def test_a_case_that_is_stored_as_logged_takes_the_reason_as_it_is(program_in, log):
    log(conversation("t-1", SAID))
    program_in("promote", "log.jsonl", "--store-personal-data", "a test", "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    program_in("golden", "retire", case.case_id, "--reason", "Mia Li is content")
    assert read_cases(program_in.root / "golden/a.parquet")[0].metadata["retired_because"] == "Mia Li is content"


def test_a_label_that_is_edited_is_redacted_and_the_others_stay(program_in, golden, editor):
    before = golden()
    editor("Where is it", "Mia Li, call 415-555-2671")
    result = program_in("golden", "edit", before.case_id)
    after = golden()
    assert after == replace(before, title=after.title)
    assert after.title.startswith("[NAME_")
    assert len(PSEUDONYM.findall(after.title)) == 3
    assert f"redacted, so that it is kept as: {after.title}" in result.output
    for word in ("Mia", "2671"):
        assert word.encode() not in bytes_of(program_in)


def test_an_edit_that_is_refused_for_a_possible_name_keeps_the_text(program_in, golden, editor):
    case_id = golden().case_id
    editor("Where is it", "Zoltan asked")
    said = program_in.mistake("golden", "edit", case_id)
    assert "say --residual redact or keep" in said
    kept = f".pytest_llmreplay/edits/{case_id}.yaml"
    assert f"--from {kept}" in said
    program_in("golden", "edit", case_id, "--from", kept, "--residual", "redact")
    assert golden().title.startswith("[NAME_")


@pytest.mark.parametrize("field", ["title", "tags"])
def test_a_label_that_is_imported_over_a_case_is_redacted(program_in, golden, field):
    text = program_in("golden", "export", golden().case_id).output
    changed = {
        "title": text.replace("title: Where is it", "title: ask mia.li@example.org"),
        "tags": text.replace("suite: a\n", "suite: a\ntags: [vip, mia.li@example.org]\n"),
    }[field]
    assert changed != text
    (program_in.root / "one.yaml").write_text(changed)
    result = program_in("golden", "import", "one.yaml")
    assert "redacted, so that it is kept as: " in result.output
    assert "[EMAIL_" in str(getattr(golden(), field))
    assert b"mia.li" not in bytes_of(program_in)
    (program_in.root / "one.yaml").write_text(program_in("golden", "export", golden().case_id).output)
    again = program_in("golden", "import", "one.yaml").output
    assert "1 as they were" in again
    assert "redacted" not in again
