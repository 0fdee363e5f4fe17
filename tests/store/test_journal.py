import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.store import journal as journal_module
from pytest_llmreplay.store.journal import Journal, decode_record, encode_record, read_journal, record_at


def read(path):
    notices = []
    return list(read_journal(path, notices.append)), notices


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.journal"


def write(path, *records):
    journal = Journal(path)
    offsets = [journal.append(record) for record in records]
    journal.close()
    return offsets


def test_records_come_back_in_order(path):
    records = [{"n": n, "text": "\ud800\n\x00é", "deep": [1.5, None, True]} for n in range(100)]
    offsets = write(path, *records)
    assert read(path) == (records, [])
    with path.open("rb") as file:
        assert [record_at(file.fileno(), offset) for offset in offsets] == records
        assert record_at(file.fileno(), offsets[1] + 1) is None
        assert record_at(file.fileno(), 10**9) is None


@given(st.dictionaries(st.text(st.characters()), st.none() | st.integers() | st.text(st.characters())))
def test_any_record_survives_and_no_part_of_one_does(record):
    line = encode_record(record)
    assert decode_record(line) == record
    assert line.count(b"\n") == 1
    assert all(decode_record(line[:size]) is None for size in range(len(line)))


def test_several_records_at_once_are_each_found_where_they_begin(path):
    journal = Journal(path)
    first = journal.append({"n": 0})
    places = [first, *journal.append_all({"n": n, "text": "x" * 5000} for n in (1, 2)), journal.append({"n": 3})]
    assert journal.append_all([]) == []
    assert [journal.read_at(place)["n"] for place in places] == [0, 1, 2, 3]
    journal.close()
    assert [record["n"] for record in read(path)[0]] == [0, 1, 2, 3]


def test_a_record_counts_before_the_journal_is_closed(path):
    journal = Journal(path)
    journal.append({"n": 1})
    assert read(path) == ([{"n": 1}], [])
    journal.close()
    journal.close()


@pytest.mark.parametrize("torn", [1, 5, 12])
def test_a_torn_last_record_is_cut_with_a_notice(path, torn):
    write(path, {"n": 1}, {"n": 2})
    path.write_bytes(path.read_bytes()[:-torn])
    records, notices = read(path)
    assert records == [{"n": 1}]
    assert len(notices) == 1
    assert "torn" in notices[0]
    write(path, {"n": 3})
    assert read(path) == ([{"n": 1}, {"n": 3}], [])


def test_a_damaged_middle_is_reported_and_the_rest_is_read(path):
    offsets = write(path, *({"n": n} for n in range(5)))
    damaged = bytearray(path.read_bytes())
    damaged[offsets[2] + 12] ^= 1
    path.write_bytes(damaged)
    records, notices = read(path)
    assert [r["n"] for r in records] == [0, 1, 3, 4]
    assert notices == [f"{path}: record 3 is damaged and is left out; the others are read"]


def test_garbage_is_no_record(path):
    path.write_bytes(b"\x00" * 5000 + b"\nnot a record\n" + encode_record({"n": 1}) + b"\xff\xfe")
    records, notices = read(path)
    assert records == [{"n": 1}]
    assert len(notices) == 3


def test_a_missing_journal_is_one_sentence(path):
    with pytest.raises(UserError, match=r"a\.journal: cannot be read: No such file"):
        read(path)


def test_threads_append_without_mixing(path):
    journal = Journal(path)
    text = "x" * 3000

    def append(thread):
        for n in range(200):
            journal.append({"thread": thread, "n": n, "text": text})

    threads = [threading.Thread(target=append, args=(t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    records, notices = read(path)
    assert not notices
    for t in range(4):
        assert [r["n"] for r in records if r["thread"] == t] == list(range(200))


def test_the_disk_has_a_record_within_100_ms_and_append_does_not_wait(path, monkeypatch):
    synced = threading.Event()
    fsync = os.fsync

    def slow(descriptor):
        if threading.current_thread().name == "llmreplay-fsync":
            time.sleep(0.2)
            synced.began = time.monotonic() - 0.2
            synced.set()
        fsync(descriptor)

    monkeypatch.setattr(journal_module.os, "fsync", slow)
    journal = Journal(path)
    start = time.monotonic()
    journal.append({"n": 1})
    journal.append({"n": 2})
    assert time.monotonic() - start < 0.15
    assert synced.wait(5)
    assert synced.began - start < 0.1
    journal.close()


def test_a_failing_disk_is_told_at_the_next_append(path, monkeypatch):
    journal = Journal(path)
    failed = threading.Event()

    def fail(descriptor):
        failed.set()
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "fsync", fail)
        journal.append({"n": 1})
        assert failed.wait(5)
        journal._syncer.join()
    with pytest.raises(UserError, match="Input/output error"):
        journal.append({"n": 2})
    with pytest.raises(UserError, match="Input/output error"):
        journal.close()


def test_a_full_disk_leaves_no_half_record(path, monkeypatch):
    journal = Journal(path)
    journal.append({"n": 1})
    pwrite, room = os.pwrite, [10]

    def full(descriptor, data, offset):
        if room[0] == 0:
            raise OSError(28, "No space left on device")
        count = pwrite(descriptor, data[: room[0]], offset)
        room[0] = 0
        return count

    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "pwrite", full)
        with pytest.raises(UserError, match="No space left on device"):
            journal.append({"n": 2})
    journal.append({"n": 3})
    journal.close()
    assert read(path) == ([{"n": 1}, {"n": 3}], [])


def test_two_writers_are_refused(path):
    journal = Journal(path)
    with pytest.raises(UserError, match="is being written by another process"):
        Journal(path)
    journal.close()
    write(path, {"n": 1})


APPENDER = """
import sys
from pathlib import Path
from pytest_llmreplay.store.journal import Journal
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    journal.append({"n": n, "text": "x" * (n % 5000)})
    print(n, flush=True)
    n += 1
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_loses_nothing_that_it_was_told_is_written(path, seed):
    with subprocess.Popen([sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(random.Random(seed).randrange(1, 400)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().splitlines()
    confirmed = max([int(line) for line in lines if line.isdigit()], default=0)
    records, notices = read(path)
    assert [r["n"] for r in records] == list(range(len(records)))
    assert len(records) > confirmed
    assert len(notices) <= 1
    write(path, {"n": "after"})
    assert read(path)[0][-1] == {"n": "after"}
