import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.canonical import digest
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.ports import Recordings
from pytest_llmreplay.store.recording_files import recording_schema
from pytest_llmreplay.store.recording_upkeep import commit, compact, prune
from pytest_llmreplay.store.recordings import RecordingStore


@pytest.fixture
def notices():
    return []


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".pytest_llmreplay" / "recordings"


@pytest.fixture
def open_store(tmp_path, folder, notices):
    stores = []

    def make(*cassettes):
        store = RecordingStore(folder, cassettes or [tmp_path / "cassettes"], on_notice=notices.append)
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


def request(number, text=None):
    return {"model": "m", "messages": [{"role": "user", "content": text or f"hi {number}"}], "params": {"t": 0}}


def add(store, *numbers, answer="hello"):
    for number in numbers:
        store.add(f"k{number}", request=request(number), response={"text": f"{answer} {number}"}, provider="p")


def names(folder):
    return sorted(path.suffix for path in folder.iterdir() if path.name != ".lock")


def test_it_is_the_port(open_store):
    store: Recordings = open_store()
    assert store.find("k") is None
    assert not store.had_any
    assert store.nearest(request(1)) is None


def test_reading_makes_nothing(open_store, folder):
    store = open_store()
    assert store.find("k") is None
    assert store.seal_abandoned() == 0
    store.close()
    assert not folder.parent.exists()


def test_a_recording_is_found_at_once_and_after(open_store, folder):
    store = open_store()
    add(store, *range(300))
    assert store.find("k7") == {"text": "hello 7"}
    assert not store.had_any
    assert names(folder) == [".journal"]
    store.close()
    assert names(folder) == [".parquet"]
    assert store.find("k7") == {"text": "hello 7"}
    later = open_store()
    assert later.had_any
    assert len(later) == 300
    assert [later.find(f"k{n}") for n in (0, 127, 128, 299)] == [{"text": f"hello {n}"} for n in (0, 127, 128, 299)]
    assert later.find("k300") is None
    assert (folder.parent / ".gitignore").read_text() == "*\n"


def test_odd_text_survives(open_store):
    store = open_store()
    odd = {"text": "\ud83d\x00\ufdd0é\n", "n": [1.5, None, True, 2**70], "deep": {"\udfff": {}}}
    store.add("\ud800", request=odd, response=odd, provider="\udfff")
    assert store.find("\ud800") == odd
    store.close()
    assert open_store().find("\ud800") == odd
    assert next(open_store().records())["request"] == odd


def test_a_later_recording_takes_the_place_of_an_earlier_one(open_store):
    first = open_store()
    add(first, 1, 2)
    add(first, 1, answer="again")
    assert first.find("k1") == {"text": "again 1"}
    first.close()
    second = open_store()
    assert second.find("k1") == {"text": "again 1"}
    add(second, 2, answer="newer")
    assert second.find("k2") == {"text": "newer 2"}
    second.close()
    assert open_store().find("k2") == {"text": "newer 2"}
    assert len(open_store()) == 2


def test_a_clock_that_jumps_back_changes_no_order(folder):
    for year, answer in ((2030, "old"), (2020, "new")):
        store = RecordingStore(folder, now=lambda year=year: datetime(year, 1, 1, tzinfo=UTC))
        add(store, 1, answer=answer)
        store.close()
    assert RecordingStore(folder).find("k1") == {"text": "new 1"}


def test_own_recordings_come_before_cassettes(open_store, tmp_path):
    store = open_store()
    add(store, 1, 2)
    cassette = tmp_path / "cassettes" / "a.parquet"
    assert commit(store, cassette) == 2
    store.close()
    for path in (tmp_path / ".pytest_llmreplay" / "recordings").glob("*.parquet"):
        path.unlink()
    before = cassette.read_bytes()
    later = open_store()
    assert later.had_any
    assert later.find("k2") == {"text": "hello 2"}
    add(later, 2, answer="own")
    assert later.find("k2") == {"text": "own 2"}
    later.close()
    assert open_store().find("k2") == {"text": "own 2"}
    assert open_store().find("k1") == {"text": "hello 1"}
    assert open_store(cassette).find("k1") == {"text": "hello 1"}
    assert cassette.read_bytes() == before


def test_commit_takes_the_keys_it_is_given(open_store, tmp_path):
    store = open_store()
    add(store, *range(5))
    cassette = tmp_path / "cassettes" / "b.parquet"
    assert commit(store, cassette, ["k1", "k3"]) == 2
    assert pq.read_table(cassette)["key"].to_pylist() == ["k1", "k3"]
    assert pq.read_metadata(cassette).metadata[b"llmreplay.kind"] == b"recordings"
    assert pq.read_schema(cassette).names == recording_schema().names
    with pytest.raises(UserError, match="exists already"):
        commit(store, cassette)
    with pytest.raises(UserError, match="1 of 2 keys have no recording"):
        commit(store, cassette, ["k1", "k9"], replace=True)


def test_compacting_keeps_the_latest_and_readers_go_on(open_store, folder):
    for answer in ("a", "b", "c"):
        store = open_store()
        add(store, 1, *range(10, 150), answer=answer)
        store.close()
    reader = open_store()
    assert reader.find("k1") == {"text": "c 1"}
    assert compact(folder) == 3
    assert names(folder) == [".parquet"]
    assert [reader.find(f"k{n}")["text"] for n in (1, 10, 149)] == ["c 1", "c 10", "c 149"]
    assert len(open_store()) == 141
    store = open_store()
    add(store, 1, answer="d")
    store.close()
    assert open_store().find("k1") == {"text": "d 1"}
    assert compact(folder) == 2
    assert open_store().find("k1") == {"text": "d 1"}
    assert compact(folder) == 1
    assert compact(folder / "nowhere") == 0


def test_pruning_keeps_what_it_is_told(open_store, folder):
    for numbers in (range(5), range(5, 8)):
        store = open_store()
        add(store, *numbers)
        store.close()
    assert prune(folder, lambda entry: entry.key in ("k1", "k2")) == 6
    assert sorted(entry.key for entry in open_store().entries()) == ["k1", "k2"]
    assert names(folder) == [".parquet"]
    assert prune(folder, lambda entry: entry.model == "m") == 0
    assert open_store().find("k2") == {"text": "hello 2"}


def test_entries_say_what_is_there(open_store, folder):
    store = RecordingStore(folder, now=lambda: datetime(2026, 1, 2, tzinfo=UTC))
    store.add("k", request=request(1), response={}, provider="p", trial=3)
    (live,) = store.entries()
    store.close()
    (entry,) = store.entries()
    assert live[:-1] == entry[:-1] == ("k", "p", "m", 3, "2026-01-02T00:00:00.000+00:00")
    assert entry.file.suffix == ".parquet"


def test_the_nearest_recording_says_what_differs(open_store):
    store = open_store()
    add(store, 1, 2, 3)
    store.close()
    store = open_store()
    said = store.nearest({**request(2), "params": {"t": 0.5}, "tools": []})
    assert said.startswith("the nearest recording (p, recorded 20")
    assert said.endswith("differs in params.t (recorded 0, asked 0.5), tools (recorded nothing, asked [])")
    assert "the same request is recorded, for another provider or trial" in store.nearest(request(2))
    assert "messages[0].content (recorded 'hi 3', asked 'hi 4')" in store.nearest(request(4))
    long = store.nearest(request(1, "hi " + "x" * 10_000))
    assert len(long) < 300
    assert "p, recorded" in store.nearest({"model": "other", "messages": "odd"})


SECRETS = [
    "sk-planted-1234567890", "planted-cookie-value", "planted-password", "planted-token-in-url", "planted-userinfo",
    "planted-bearer-abcdef",
]  # fmt: skip


def test_planted_secrets_never_reach_a_file(open_store, folder, tmp_path):
    store = open_store()
    planted = {
        "model": "m",
        "headers": {"Authorization": "Bearer planted-bearer-abcdef", "X-Api-Key": SECRETS[0], "Accept": "json"},
        "Cookie": "planted-cookie-value",
        "params": {
            "apiKey": SECRETS[0],
            "password": "planted-password",
            "max_tokens": 5,
            "extra": {"api-key": SECRETS[0]},
        },
        "pairs": [["Set-Cookie", "planted-cookie-value"], ["Accept", "json"]],
        "api_base": "https://planted-userinfo:planted-password@host/v1?api_key=planted-token-in-url&x=1",
        "note": "curl -H 'Authorization: Bearer planted-bearer-abcdef'",
        "messages": [{"role": "user", "content": "my api_key=kept", "api_key": SECRETS[0]}],
        "tools": [{"function": {"parameters": {"properties": {"password": {"type": "string"}}}}}],
    }
    response = {"headers": {"set-cookie": "planted-cookie-value"}, "text": "https://a/?token=kept"}
    store.add(
        "k", request=planted, response=response, provider="https://planted-userinfo:x@host?key=planted-token-in-url"
    )
    assert store.find("k") == {"headers": {}, "text": "https://a/?token=kept"}
    journal = b"".join(path.read_bytes() for path in folder.iterdir())
    assert "[removed]" in store.nearest(planted) or "same request" in store.nearest(planted)
    commit(store, tmp_path / "cassettes" / "c.parquet")
    store.close()
    record = next(open_store().records())
    assert record["request"]["headers"] == {"Accept": "json"}
    assert record["request"]["params"] == {"max_tokens": 5, "extra": {}}
    assert record["request"]["api_base"] == "https://[removed]@host/v1?api_key=[removed]&x=1"
    assert record["request"]["messages"] == [{"role": "user", "content": "my api_key=kept"}]
    assert record["request"]["tools"] == planted["tools"]
    everything = [journal, str(pq.read_table(tmp_path / "cassettes" / "c.parquet").to_pylist()).encode()]
    everything += [str(pq.read_table(path).to_pylist()).encode() for path in folder.glob("*.parquet")]
    for secret in SECRETS:
        assert not any(secret.encode() in text for text in everything), secret


def test_an_abandoned_journal_is_read_and_sealed_by_the_next_command(open_store, folder, notices):
    store = open_store()
    add(store, 1, 2, 3)
    store._own.journal.close()
    journal = next(folder.glob("*.journal"))
    journal.write_bytes(journal.read_bytes()[:-10])
    reader = open_store()
    assert reader.find("k2") == {"text": "hello 2"}
    assert reader.find("k3") is None
    assert "was torn" in notices[0]
    notices.clear()
    assert reader.seal_abandoned() == 1
    assert ["was torn" in notice for notice in notices] == [True]
    assert names(folder) == [".parquet"]
    assert reader.find("k2") == {"text": "hello 2"}
    store._own = None


def test_a_live_journal_is_read_and_left_alone(open_store, folder):
    store = open_store()
    add(store, 1)
    other = open_store()
    assert other.find("k1") == {"text": "hello 1"}
    assert other.seal_abandoned() == 0
    add(other, 2)
    assert store.find("k1") == {"text": "hello 1"}
    assert names(folder) == [".journal", ".journal"]
    store.close()
    assert other.find("k1") == {"text": "hello 1"}
    other.close()
    assert len(open_store()) == 2


def test_other_parquet_is_refused_as_cassette(open_store, tmp_path):
    (tmp_path / "cassettes").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "cassettes" / "x.parquet")
    with pytest.raises(UserError, match=r"x\.parquet: holds no recordings"):
        open_store().find("k")


def test_threads_share_a_store(open_store):
    store = open_store()
    wrong = []

    def work(thread):
        for n in range(thread * 100, thread * 100 + 100):
            add(store, n)
            if store.find(f"k{n}") != {"text": f"hello {n}"}:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(store) == 400


WRITER = """
import sys
from pathlib import Path
from pytest_llmreplay.store.recordings import RecordingStore
store = RecordingStore(Path(sys.argv[1]))
name, count = sys.argv[2], int(sys.argv[3])
for n in range(count):
    store.add(f"{name}-{n}", request={"model": "m", "n": n}, response={"n": n, "text": "x" * (n % 2000)}, provider="p")
    print(n, flush=True)
store.close()
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_process_loses_no_recording(open_store, folder, seed):
    command = [sys.executable, "-c", WRITER, str(folder), "a", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(random.Random(seed).randrange(1, 200)):
            last = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        last = ([last] + [line for line in process.stdout.read().splitlines() if line.isdigit()])[-1]
    store = open_store()
    assert store.find(f"a-{int(last)}")["n"] == int(last)
    assert store.seal_abandoned() == 1
    assert all(store.find(f"a-{n}")["n"] == n for n in range(int(last) + 1))


def test_processes_on_one_folder_corrupt_nothing(open_store, folder, notices):
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name, "120"], stdout=subprocess.DEVNULL)
        for name in "abc"
    ]
    store = open_store()
    while any(process.poll() is None for process in processes):
        store.seal_abandoned()
        compact(folder)
    assert [process.returncode for process in processes] == [0, 0, 0]
    later = open_store()
    assert all(later.find(f"{name}-{n}")["n"] == n for name in "abc" for n in range(120))
    assert len(later) == 360


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    store = RecordingStore(tmp_path / "file" / "recordings")
    with pytest.raises(UserError, match="cannot be written") as caught:
        add(store, 1)
    assert "\n" not in str(caught.value)


def test_the_short_key_is_not_trusted(open_store, monkeypatch):
    monkeypatch.setattr("pytest_llmreplay.store.key_places._digest", lambda key: 7)
    store = open_store()
    add(store, 1)
    assert store.find("k1") == {"text": "hello 1"}
    assert store.find(digest("other")) is None
