"""`pytest-llmreplay cassettes`: publish, merge, throw away, look."""

import json

import pytest

from pytest_llmreplay.store.recordings import RecordingStore


@pytest.fixture
def recorded(program_in):
    """Two sessions that recorded something, one answer of the first replaced by the second."""
    for numbers in ((1, 2), (2, 3)):
        store = RecordingStore(program_in.root / ".pytest_llmreplay" / "recordings")
        for number in numbers:
            request = {"model": "m", "messages": [{"role": "user", "content": f"hi {number} \x1b[31m"}]}
            store.add(f"key-{number}", request=request, response={"from": numbers[0]}, provider="p\x1b[0m", trial=1)
        store.close()
    return program_in


def parts(program_in):
    return sorted((program_in.root / ".pytest_llmreplay" / "recordings").glob("*.parquet"))


def test_show_lists_what_is_there_safely(recorded):
    shown = recorded("cassettes", "show").stdout
    assert [line.split()[0] for line in shown.splitlines() if line.startswith("key-")] == ["key-1", "key-2", "key-3"]
    assert "\x1b" not in shown
    assert shown.endswith("next: pytest-llmreplay cassettes commit\n")
    documents = [json.loads(line) for line in recorded("cassettes", "show", "--json").stdout.splitlines()]
    assert {document["key"]: document["response"]["from"] for document in documents} == {
        "key-1": 1, "key-2": 2, "key-3": 2,
    }  # fmt: skip


def test_compact_merges_and_prune_throws_away(recorded):
    assert len(parts(recorded)) == 2
    assert recorded("cassettes", "compact").stdout.startswith("2 files merged into one\nnext: ")
    assert len(parts(recorded)) == 1
    assert recorded("cassettes", "compact").stdout.startswith("there is nothing to merge\nnext: ")
    assert recorded("cassettes", "prune", "--older-than", "1").stdout.startswith("0 recordings removed\nnext: ")
    assert recorded("cassettes", "prune", "--older-than", "0").stdout.startswith("3 recordings removed\nnext: ")
    assert parts(recorded) == []


def test_commit_publishes_and_replaces_only_when_told(recorded):
    assert "3 recordings written to golden/cassettes/recorded.parquet" in recorded("cassettes", "commit").stdout
    refused = recorded.mistake("cassettes", "commit")
    assert refused == "golden/cassettes/recorded.parquet: exists already; name another file or replace it"
    recorded("cassettes", "commit", "--replace")


@pytest.mark.parametrize("command", ["show", "commit"])
def test_without_recordings_it_says_how_to_get_some(program_in, command):
    assert program_in.mistake("cassettes", command) == "nothing is recorded; run pytest golden/ first"
    assert not (program_in.root / "golden").exists()
