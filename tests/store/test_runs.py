import json
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.outcomes import read_outcomes
from pytest_llmreplay.store.runs import RunStore


@pytest.fixture
def notices():
    return []


@pytest.fixture
def store(tmp_path, notices):
    return RunStore(tmp_path / ".pytest_llmreplay", notices.append)


def outcome(number, status="passed", **changes):
    return replace(Outcome(f"c{number}", "v1", 1, status), **changes)


def test_a_run_reads_alike_while_it_runs_and_after(store):
    run = store.start(info={"commit": "abc"})
    for number in range(3):
        run.add(outcome(number))
    run.add(outcome(0, "failed"))
    expected = [outcome(0, "failed"), outcome(1), outcome(2)]
    info, outcomes = store.load("last")
    assert outcomes == expected
    assert (info["commit"], info["sealed"], info["run_id"]) == ("abc", False, run.run_id)
    assert not run.sealed
    run.seal({"ended": "now"})
    assert run.sealed
    info, outcomes = store.load(run.run_id)
    assert outcomes == expected
    assert (info["commit"], info["sealed"], info["ended"]) == ("abc", True, "now")
    assert sorted(p.name for p in run.folder.iterdir()) == ["outcomes.parquet", "run.json"]
    assert read_outcomes(run.folder / "outcomes.parquet") == expected
    for path in (run.folder, run.folder / "run.json", run.folder / "outcomes.parquet"):
        assert store.load(path)[1] == expected


def test_a_run_gives_its_own_outcomes_back_one_after_the_other(store):
    run = store.start()
    run.add(outcome(1, answer="one"), outcome(2))
    run.add(outcome(2, "failed", answer="two"))
    assert len(run) == 2
    assert ("c1", "v1", 1) in run
    assert ("c3", "v1", 1) not in run
    assert run.outcome(("c2", "v1", 1)) == outcome(2, "failed", answer="two")
    assert run.outcome(("c3", "v1", 1)) is None
    expected = [outcome(1, answer="one"), outcome(2, "failed", answer="two")]
    assert list(run.outcomes()) == expected
    run.seal()
    assert list(run.outcomes()) == expected
    assert [(o.case_id, o.status, o.answer) for o in run.outcomes(["kind"])] == [
        ("c1", "passed", None),
        ("c2", "failed", None),
    ]
    again = store.resume(run.run_id)
    again.add(outcome(3))
    again.seal()
    assert list(again.outcomes()) == [outcome(3)]
    assert len(store.load(run.run_id)[1]) == 3


def test_a_record_that_is_damaged_meanwhile_is_told_and_the_others_are_sealed(store, notices):
    run = store.start()
    run.add(outcome(1), outcome(2))
    journal = run.folder / "outcomes.journal"
    text = journal.read_bytes()
    journal.write_bytes(text.replace(b'"c1"', b'"c9"'))
    run.seal()
    assert [o.case_id for o in store.load()[1]] == ["c2"]
    assert any("is damaged" in notice for notice in notices)


def test_the_state_is_private_and_ignored_by_git(store):
    with store.start() as run:
        run.add(outcome(1))
    assert stat.S_IMODE(store.state.stat().st_mode) == 0o700
    assert (store.state / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE((run.folder / "outcomes.journal").stat().st_mode) == 0o600


def test_reading_makes_nothing(store):
    assert store.runs() == []
    assert store.seal_abandoned() == []
    with pytest.raises(UserError, match="there is no run 'last'; none has been made"):
        store.load()
    assert not store.state.exists()


def test_an_unknown_run_is_one_sentence(store):
    run = store.start(run_id="20261122T031606.000001Z-aaaaaaaa")
    run.seal()
    with pytest.raises(UserError, match=r"did you mean '20261122T031606\.000001Z-aaaaaaaa'"):
        store.load("20261122T031606.000001Z-aaaaaaab")
    with pytest.raises(UserError, match="the newest is '2026"):
        store.load("x")
    with pytest.raises(UserError, match="exists already"):
        store.start(run_id=run.run_id)


def test_ids_sort_by_time_even_when_the_clock_jumps_back(store):
    now = datetime.now(UTC)
    ids = []
    for shift in (0, 10, -3600, 0):
        run = store.start(run_id=store.new_id(now + timedelta(seconds=shift)))
        run.close()
        ids.append(run.run_id)
    assert ids == sorted(set(ids))
    assert store.runs() == ids


def test_a_run_can_be_resumed_before_and_after_it_is_sealed(store):
    first = store.start(info={"a": 1})
    first.add(outcome(1, "error"))
    first.close()
    again = store.resume()
    again.add(outcome(1))
    again.seal()
    sealed = store.resume(first.run_id, {"b": 2})
    sealed.add(outcome(2))
    assert store.load()[1] == [outcome(1), outcome(2)]
    sealed.seal()
    info, outcomes = store.load()
    assert outcomes == [outcome(1), outcome(2)]
    assert (info["a"], info["b"]) == (1, 2)
    assert store.runs() == [first.run_id]


def test_a_live_run_is_neither_sealed_nor_resumed(store):
    run = store.start()
    run.add(outcome(1))
    assert store.seal_abandoned() == []
    with pytest.raises(UserError, match="is being written by another process"):
        store.resume()
    run.add(outcome(2))
    run.close()
    assert store.seal_abandoned() == [run.run_id]
    info, outcomes = store.load()
    assert outcomes == [outcome(1), outcome(2)]
    assert info["abandoned"]
    assert store.seal_abandoned() == []


def test_a_torn_and_a_damaged_record_are_told(store, notices):
    run = store.start()
    for number in range(4):
        run.add(outcome(number))
    run.close()
    journal = run.folder / "outcomes.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1].replace(b"passed", b"failed") + lines[2] + lines[3][:-20])
    assert store.load()[1] == [outcome(0), outcome(2)]
    assert ["damaged" in notices[0], "torn" in notices[1]] == [True, True]
    notices.clear()
    assert store.seal_abandoned() == [run.run_id]
    assert sorted("was torn" in notice for notice in notices) == [False, True]
    assert store.load()[1] == [outcome(0), outcome(2)]


def test_a_kill_between_the_parquet_file_and_the_end_of_the_journal_loses_nothing(store):
    run = store.start()
    run.add(outcome(1))
    run.add(outcome(2))
    journal = (run.folder / "outcomes.journal").read_bytes()
    run.seal()
    (run.folder / "outcomes.journal").write_bytes(journal)
    assert sorted(o.case_id for o in store.load()[1]) == ["c1", "c2"]
    assert store.seal_abandoned() == [run.run_id]
    assert sorted(o.case_id for o in store.load()[1]) == ["c1", "c2"]


def test_a_killed_start_has_no_info_and_still_reads(store):
    run = store.start()
    run.add(outcome(1))
    run.close()
    (run.folder / "run.json").unlink()
    assert store.load() == ({"run_id": run.run_id}, [outcome(1)])
    (run.folder / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run\.json: cannot be read"):
        store.load()


def test_a_state_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written") as caught:
        RunStore(tmp_path / "file" / ".pytest_llmreplay").start()
    assert "\n" not in str(caught.value)


WRITER = """
import sys
from pathlib import Path
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.runs import RunStore
run = RunStore(Path(sys.argv[1])).start()
for n in range(int(sys.argv[2])):
    run.add(Outcome(f"c{n}", "v1", 1, "passed", answer="x" * (n % 3000)))
    print(n, flush=True)
run.seal()
"""


def test_a_killed_run_is_sealed_by_the_next_command_with_all_it_wrote(store):
    command = [sys.executable, "-c", WRITER, str(store.state), "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(150):
            process.stdout.readline()
        assert store.seal_abandoned() == []
        process.send_signal(signal.SIGKILL)
        written = 150 + len([line for line in process.stdout.read().splitlines() if line])
    before = store.load()[1]
    assert len(before) >= written - 1
    assert [o.case_id for o in before] == [f"c{n}" for n in range(len(before))]
    assert len(store.seal_abandoned()) == 1
    assert store.load()[1] == before


def test_processes_on_one_project_have_runs_of_their_own(store):
    command = [sys.executable, "-c", WRITER, str(store.state), "60"]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    while any(process.poll() is None for process in processes):
        store.seal_abandoned()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(store.runs()) == 4
    for run_id in store.runs():
        info, outcomes = store.load(run_id)
        assert len(outcomes) == 60
        assert "abandoned" not in info
        assert json.loads((store.folder / run_id / "run.json").read_text())["sealed"]
