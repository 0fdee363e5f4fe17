"""What a journal becomes is written while records come, and is what would be made of the journal."""

import errno
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome, Reason
from pytest_llmreplay.store import draft, journal
from pytest_llmreplay.store.outcomes import outcome_to_record, read_outcomes, write_outcome_records
from pytest_llmreplay.store.recordings import RecordingStore
from pytest_llmreplay.store.runs import RunStore

MANY = 600
OUTCOMES = [
    Outcome(
        f"c{number}", "v1", 1, "failed", reasons=(Reason("calls", "missing_call", f"no call {number} \ud83d"),),
        calls=(("order", '{"id": 1}'),), latency_s=number / 7, cost_usd=1, diagnostics={"recall": number},
    )
    for number in range(MANY)
]  # fmt: skip


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def run(tmp_path):
    return RunStore(tmp_path / "state").start()


@pytest.fixture
def recordings(tmp_path):
    return RecordingStore(tmp_path / "state" / "recordings")


@pytest.fixture
def no_journal_read(monkeypatch):
    """The journal is not read again."""
    for module in ("runs", "recordings"):
        monkeypatch.setattr(f"pytest_llmreplay.store.{module}.record_at", lambda *args: pytest.fail("read again"))
    monkeypatch.setattr(journal.Journal, "read_at", lambda *args: pytest.fail("read again"))


def sealed(run):
    run.seal()
    return run.folder / "outcomes.parquet"


def record_all(store, count=MANY, answer="hello"):
    for number in range(count):
        request = {"model": "m", "messages": [{"role": "user", "content": f"hi {number} \ud83d"}], "params": {"t": 0}}
        store.add(f"k{number}", request=request, response={"text": f"{answer} {number}"}, provider="p", trial=1)


def recorded(store):
    store.close()
    [part] = store.folder.glob("*.parquet")
    return {row["key"]: row["response"] for row in pq.read_table(part).to_pylist()}


@pytest.mark.usefixtures("no_journal_read")
@pytest.mark.parametrize("at_once", [1, 7, MANY])
def test_a_run_is_sealed_without_reading_its_journal(run, tmp_path, at_once):
    for start in range(0, MANY, at_once):
        run.add(*OUTCOMES[start : start + at_once])
    path = sealed(run)
    assert read_outcomes(path) == OUTCOMES
    write_outcome_records(tmp_path / "again.parquet", map(outcome_to_record, OUTCOMES))
    assert pq.read_table(path).equals(pq.read_table(tmp_path / "again.parquet"), check_metadata=True)


def test_a_later_outcome_takes_the_place_of_an_earlier_one(run):
    run.add(*OUTCOMES)
    run.add(replace(OUTCOMES[3], status="passed"))
    assert read_outcomes(sealed(run)) == [*OUTCOMES[:3], replace(OUTCOMES[3], status="passed"), *OUTCOMES[4:]]


def test_what_a_resumed_run_held_stays(run, tmp_path):
    run.add(*OUTCOMES[:400])
    run.close()
    resumed = RunStore(tmp_path / "state").resume(run.run_id)
    resumed.add(*OUTCOMES[400:])
    assert read_outcomes(sealed(resumed)) == OUTCOMES


@pytest.mark.usefixtures("no_journal_read")
def test_recordings_are_sealed_without_reading_their_journal(recordings):
    record_all(recordings)
    assert recorded(recordings) == {f"k{number}": f'{{"text": "hello {number}"}}' for number in range(MANY)}
    assert RecordingStore(recordings.folder).find("k7") == {"text": "hello 7"}


def test_a_later_recording_takes_the_place_of_an_earlier_one(recordings):
    record_all(recordings)
    record_all(recordings, 1, "again")
    assert recorded(recordings) == {
        **{f"k{number}": f'{{"text": "hello {number}"}}' for number in range(MANY)}, "k0": '{"text": "again 0"}',
    }  # fmt: skip


def test_recordings_of_before_are_no_matter(recordings):
    record_all(recordings)
    recordings.close()
    record_all(recordings, answer="again")
    recordings.close()
    assert RecordingStore(recordings.folder).find("k7") == {"text": "again 7"}


def no_memory(*args, **kwargs):
    raise MemoryError


@pytest.mark.parametrize("trouble", [full_disk, no_memory])
@pytest.mark.parametrize("what", ["table_of", "GroupWriter", "tempfile.TemporaryFile"])
def test_trouble_while_it_is_written_loses_nothing(run, recordings, monkeypatch, what, trouble):
    run.add(*OUTCOMES[:300])
    monkeypatch.setattr(f"{draft.__name__}.{what}", trouble)
    run.add(*OUTCOMES[300:])
    record_all(recordings)
    monkeypatch.undo()
    assert read_outcomes(sealed(run)) == OUTCOMES
    assert len(recorded(recordings)) == MANY


def test_trouble_at_the_end_loses_nothing(run, recordings, monkeypatch):
    run.add(*OUTCOMES)
    record_all(recordings)
    close_writer = draft.Draft._close_writer
    monkeypatch.setattr(
        draft.Draft, "_close_writer", lambda self, whole=True: (close_writer(self, whole=False), whole and full_disk())
    )
    assert read_outcomes(sealed(run)) == OUTCOMES
    assert len(recorded(recordings)) == MANY


def refusing(*args, **kwargs):
    raise ValueError("write to closed file")


def test_a_writer_that_cannot_be_closed_loses_nothing(run, recordings, monkeypatch):
    run.add(*OUTCOMES[:300])
    close_writer = draft.Draft._close_writer
    monkeypatch.setattr(
        draft.Draft, "_close_writer", lambda self, whole=True: (close_writer(self, whole=False), refusing())
    )
    monkeypatch.setattr(draft, "table_of", no_memory)
    run.add(*OUTCOMES[300:])
    record_all(recordings)
    assert read_outcomes(sealed(run)) == OUTCOMES
    assert len(recorded(recordings)) == MANY


def test_a_copy_that_fails_is_made_from_the_journal(run, recordings, monkeypatch):
    run.add(*OUTCOMES)
    record_all(recordings)
    monkeypatch.setattr(draft.shutil, "copyfileobj", full_disk)
    assert read_outcomes(sealed(run)) == OUTCOMES
    assert len(recorded(recordings)) == MANY


@pytest.mark.parametrize("number", [10**30, -(10**30)])
def test_a_number_that_parquet_cannot_hold_leaves_the_journal(run, number):
    run.add(*OUTCOMES, replace(OUTCOMES[0], case_id="odd", input_tokens=number))
    with pytest.raises(UserError, match="cannot be written as Parquet: "):
        run.seal()
    run.close()
    store = RunStore(run.folder.parent.parent, lambda notice: None)
    assert store.seal_abandoned() == []
    assert len(store.load()[1]) == MANY + 1


def test_a_file_that_cannot_be_written_leaves_the_journal(run, monkeypatch):
    run.add(*OUTCOMES)
    monkeypatch.setattr("pytest_llmreplay.store.atomic.sync", full_disk)
    with pytest.raises(UserError, match="No space left"):
        run.seal()
    monkeypatch.undo()
    run.close()
    assert sorted(path.name for path in run.folder.iterdir()) == ["outcomes.journal", "run.json"]
    assert RunStore(run.folder.parent.parent).load()[1] == OUTCOMES


def test_nothing_is_left_where_it_was_not_finished(run, recordings):
    run.add(*OUTCOMES)
    record_all(recordings)
    assert sorted(path.name for path in run.folder.iterdir()) == ["outcomes.journal", "run.json"]
    assert {path.suffix for path in recordings.folder.iterdir() if not path.name.startswith(".")} == {".journal"}
    run.close()
    recordings.close()
