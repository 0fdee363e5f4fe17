import json
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.mine.caches import user_caches
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.cases import read_cases
from pytest_llmreplay.store.recordings import RecordingStore
from pytest_llmreplay.store.runs import RunStore
from tests.cli.conftest import conversation

PERSONAL = "I am asking again about my parcel, please write to mia.li@example.org about it"


@pytest.fixture(autouse=True)
def key(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")


@pytest.fixture
def kept(program_in, log):
    """A project that kept two customers everywhere: cases, a run, recordings, a text being edited."""
    log(conversation("t-1", PERSONAL, user_id="mia_li_3668"), conversation("t-2", "a question of another person"))
    program_in("promote", "log.jsonl", "--out", "golden/a.parquet", "--suite", "s")
    mine, other = read_cases(program_in.root / "golden/a.parquet")
    state = program_in.root / ".pytest_llmreplay"
    with RunStore(state).start({}) as run:
        for case in (mine, other):
            run.add(Outcome(case.case_id, "v1", 1, "passed", answer="hello"))
        run.seal()
    recordings = RecordingStore(state / "recordings")
    for name, case in (("one", mine), ("two", other)):
        request = {"messages": [message.to_openai() for message in case.messages]}
        recordings.add(name, request=request, response={"text": "hello"}, provider="p", trial=1)
    recordings.close()
    (state / "edits").mkdir()
    (state / "edits" / "mine.yaml").write_text(f"case_id: {mine.case_id}\n")
    (state / "edits" / "other.yaml").write_text(f"case_id: {other.case_id}\n")
    return mine, other


@pytest.mark.parametrize("whom", [("--user", "mia_li_3668"), ("--user", "MIA.LI@example.org"), ("--trace", "t-1")])
def test_one_customer_goes_from_everything_and_the_other_stays(program_in, kept, whom):
    mine, other = kept
    assert "mia_li" not in repr(mine)
    result = program_in("erase", *whom, "--yes")
    root, state = program_in.root, program_in.root / ".pytest_llmreplay"
    assert read_cases(root / "golden/a.parquet") == [other]
    assert [outcome.case_id for outcome in RunStore(state).load("last")[1]] == [other.case_id]
    assert [record["key"] for record in RecordingStore(state / "recordings").records()] == ["two"]
    assert [path.name for path in (state / "edits").iterdir()] == ["other.yaml"]
    assert "removed 3 rows and 1 files" in result.output
    [receipt] = (state / "erasures").iterdir()
    written = json.loads(receipt.read_text())
    assert written["rows"]["golden/a.parquet"] == 1
    assert whom[1] not in receipt.read_text()
    assert "nothing is kept here of it" in program_in("erase", *whom, "--yes").output


def test_the_caches_of_mining_are_listed_and_emptied(program_in, kept):
    program_in("find", "log.jsonl", "--where", "user_id IS NOT NULL")
    caches = user_caches()
    assert len(caches.entries()) == 2
    listed = program_in("doctor", "--data").output
    assert all(str(entry.path) in listed for entry in caches.entries())
    assert "the caches of mining: all 2 files" in program_in("erase", "--user", "nobody", "--dry-run").output
    assert len(caches.entries()) == 2
    assert "there is no terminal to ask on" in program_in.mistake("erase", "--user", "nobody")
    assert len(caches.entries()) == 2
    program_in("erase", "--user", "nobody", "--yes")
    assert caches.entries() == []


def test_nothing_is_removed_without_a_yes_or_in_a_dry_run(program_in, kept):
    before = {path: path.read_bytes() for path in program_in.root.rglob("*") if path.is_file()}
    assert "golden/a.parquet: 1 rows" in program_in("erase", "--user", "mia_li_3668", "--dry-run").output
    assert "add --yes" in program_in.mistake("erase", "--user", "mia_li_3668")
    assert {path: path.read_bytes() for path in program_in.root.rglob("*") if path.is_file()} == before


def test_a_part_of_another_id_is_not_this_customer(program_in, kept):
    assert "nothing is kept here" in program_in("erase", "--trace", "t", "--yes").output
    assert "nothing is kept here" in program_in("erase", "--user", "mia_li_366", "--yes").output


def test_the_commits_that_still_hold_it_are_listed(program_in, kept):
    def git(*arguments):
        options = ("-c", "user.name=n", "-c", "user.email=e@x.example", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *options, *arguments], cwd=program_in.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", "golden")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")
    (program_in.root / "golden" / "note").write_text("x")
    git("add", "golden")
    git("commit", "-qm", "two")
    result = program_in("erase", "--user", "mia_li_3668", "--yes")
    assert f"still in the history: {commit}" in result.output
    assert result.output.count("still in the history") == 1
    assert "rewrite the history" in result.output


def test_whom_to_erase_must_be_said(program_in):
    for arguments in ((), ("--user", " "), ("--user", "a", "--trace", "b")):
        assert "--user ID or --trace ID" in program_in.mistake("erase", *arguments)


def test_without_a_key_it_says_what_it_cannot_find(program_in, kept, monkeypatch, tmp_path):
    monkeypatch.delenv("PYTEST_LLMREPLAY_REDACTION_KEY")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    result = program_in("erase", "--user", "mia_li_3668", "--yes")
    assert "no redaction key is here" in result.stderr
    assert not (tmp_path / "nothing").exists()


def test_doctor_lists_every_place_with_customer_text(program_in, kept):
    output = program_in("doctor", "--data").output
    assert "golden/a.parquet" in output
    assert "2 cases, all redacted" in output
    for place in ("outcomes.parquet", "recordings/", "edits/mine.yaml"):
        assert place in output


def test_copies_of_logs_in_the_users_cache_go_whoever_is_in_them(program_in, kept):
    """A table of turns has no users and a vector no words, so that nobody can tell whose they are."""
    folder = Path(os.environ["XDG_CACHE_HOME"]) / "pytest-llmreplay" / "mine" / "turns"
    folder.mkdir(parents=True)
    for name, text in (("mine", PERSONAL), ("other", "hello")):
        pq.write_table(pa.table({"conversation_id": ["t"], "text": [text]}), folder / name)
    (folder / "vectors").write_bytes(b"who can tell")
    (folder / "damaged").write_bytes(b"PAR1 and no more")
    listed = program_in("doctor", "--data").output
    assert all(str(folder / name) in listed for name in ("mine", "other", "vectors", "damaged"))
    assert "all 4 files" in program_in("erase", "--user", "mia_li_3668", "--dry-run").output
    assert (folder / "mine").exists()
    program_in("erase", "--user", "mia_li_3668", "--yes")
    assert list(folder.iterdir()) == []
    [receipt] = (program_in.root / ".pytest_llmreplay" / "erasures").iterdir()
    assert str(folder / "mine") in json.loads(receipt.read_text())["files"]
