import json
import os
import time
from dataclasses import replace

import pytest

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.store import kept_index
from pytest_llmreplay.store.cases import BadRow, KeptIndex, read_index, write_cases
from tests.store.test_cases import spoil


def cases(*names, **changes):
    case = Case("", "s", "control", "fixed", (Message("user", "hi"),), 1)
    return [replace(case, case_id=name, **changes) for name in names]


@pytest.fixture
def golden(tmp_path):
    path = tmp_path / "golden.parquet"
    write_cases(path, [*cases("a", "b", tags=("x", "naïve")), *cases("c", severity="high", intent="human")])
    return path


@pytest.fixture
def later(monkeypatch):
    """A clock that is past the moment in which a file may be written again unnoticed."""
    monkeypatch.setattr(kept_index.time, "time", lambda now=time.time: now() + 60)


@pytest.fixture
def kept(tmp_path):
    return KeptIndex(tmp_path / "state")


@pytest.fixture
def no_arrow(monkeypatch):
    """Reading a golden file fails from here on."""
    monkeypatch.setattr(kept_index, "read_index", lambda path: pytest.fail(f"{path} was read"))


@pytest.mark.usefixtures("later")
def test_what_was_read_once_is_not_read_again(golden, kept, monkeypatch, request):
    read = kept.read(golden)
    assert list(read) == list(read_index(golden))
    request.getfixturevalue("no_arrow")
    assert kept.holds(golden)
    assert kept.read(golden) == read


def test_nothing_is_held_before_it_was_read(golden, kept):
    assert not kept.holds(golden)
    assert not kept.holds(golden.with_name("missing.parquet"))


@pytest.mark.usefixtures("later")
def test_a_file_that_changed_is_read_again(golden, kept):
    kept.read(golden)
    write_cases(golden, cases("other"), replace=True)
    assert not kept.holds(golden)
    assert [entry.case_id for entry in kept.read(golden)] == ["other"]
    assert len(list(golden.parent.glob("state/collected/*.json"))) == 1


@pytest.mark.usefixtures("later")
def test_a_file_that_changed_in_place_with_its_times_put_back_is_read_again(golden, kept):
    kept.read(golden)
    before, content = golden.stat(), golden.read_bytes()
    golden.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(golden, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert golden.stat().st_mtime_ns == before.st_mtime_ns
    assert not kept.holds(golden)


def test_a_file_that_was_written_just_now_is_not_kept(golden, kept):
    kept.read(golden)
    assert not kept.holds(golden)


@pytest.mark.usefixtures("later")
def test_a_file_with_a_bad_row_is_not_kept(golden, kept):
    spoil(golden, "status", ["fixed", "fixd", "fixed"])
    assert [entry for entry in kept.read(golden) if isinstance(entry, BadRow)]
    assert not kept.holds(golden)


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"case_ids": 1}', "\x00", '{"case_ids": ["a"], "labels": [[1]]}'])
def test_damage_is_no_trouble(golden, kept, damage):
    whole = kept.read(golden)
    [file] = golden.parent.glob("state/collected/*.json")
    file.write_text(damage)
    assert list(kept.read(golden)) == list(whole)
    assert json.loads(file.read_text())["case_ids"] == ["a", "b", "c"]


@pytest.mark.usefixtures("later")
def test_a_project_that_cannot_be_written_is_read_all_the_same(golden):
    not_a_folder = golden.with_name("file")
    not_a_folder.write_text("")
    kept = KeptIndex(not_a_folder / "state")
    assert [entry.case_id for entry in kept.read(golden)] == ["a", "b", "c"]
