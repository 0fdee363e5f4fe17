import os
import stat
from pathlib import Path

import pytest

from pytest_llmreplay.mine.caches import Caches, user_caches
from pytest_llmreplay.model.errors import UserError


class Clock:
    def __init__(self, time):
        self.time = time

    def __call__(self):
        return self.time


@pytest.fixture
def caches(tmp_path):
    return Caches(tmp_path / "home" / "caches", ttl_s=100.0)


def write_text(text):
    return lambda path: path.write_text(text)


def test_an_entry_is_found_until_its_time_is_over(tmp_path):
    clock = Clock(0.0)
    caches = Caches(tmp_path / "c", 100.0, clock)
    path = caches.write("logs", "abc.parquet", write_text("x"))
    clock.time = path.stat().st_mtime + 99
    assert caches.find("logs", "abc.parquet") == path
    assert caches.prune() == []
    clock.time += 1
    assert caches.find("logs", "abc.parquet") is None
    assert [entry.key for entry in caches.prune()] == ["abc.parquet"]
    assert caches.entries() == []


def test_only_the_owner_may_read(caches):
    old = os.umask(0)
    try:
        path = caches.write("logs", "abc", write_text("x"))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, caches.root)} == {0o700}


def test_a_folder_that_others_may_read_is_closed(caches):
    caches.root.mkdir(parents=True, mode=0o755)
    caches.write("logs", "abc", write_text("x"))
    assert stat.S_IMODE(caches.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_the_old_entry_and_nothing_else(caches, interruption):
    caches.write("logs", "abc", write_text("old"))

    def interrupted(path: Path):
        path.write_text("ha")
        raise interruption

    with pytest.raises(interruption):
        caches.write("logs", "abc", interrupted)
    assert [entry.path.read_text() for entry in caches.entries()] == ["old"]


def test_what_a_killed_command_left_is_listed_and_pruned(tmp_path):
    caches = Caches(tmp_path / "c", 0.0)
    caches.write("logs", "abc", write_text("x"))
    (caches.root / "logs" / ".abc.1.2.tmp").write_text("half")
    assert len(caches.entries()) == 2
    assert len(caches.prune()) == 2
    assert list((caches.root / "logs").iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "../x"])
def test_names_stay_inside_the_folder(caches, name):
    with pytest.raises(ValueError):
        caches.path("logs", name)
    with pytest.raises(ValueError):
        caches.path(name, "x")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the cache cannot be written"):
        Caches(tmp_path / "file" / "c", 1.0).write("logs", "abc", write_text("x"))


def test_where_the_caches_of_the_user_are(tmp_path):
    assert user_caches({"XDG_CACHE_HOME": "/x"}).root == Path("/x/pytest-llmreplay/mine")
    assert user_caches({"XDG_CACHE_HOME": "here"}).root == user_caches({}).root
    assert user_caches({}).root == Path.home() / ".cache" / "pytest-llmreplay" / "mine"
    assert user_caches({}).ttl_s == 7 * 86400
    assert user_caches({"PYTEST_LLMREPLAY_CACHE_DAYS": "0.5"}).ttl_s == 43200
    for wrong in ("x", "-1", "nan", "inf"):
        with pytest.raises(UserError, match="PYTEST_LLMREPLAY_CACHE_DAYS: must be a number of days"):
            user_caches({"PYTEST_LLMREPLAY_CACHE_DAYS": wrong})
