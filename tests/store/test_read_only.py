"""A project that may not be written: reading works, writing is one sentence."""

import os
import shutil
import tempfile
import traceback
from pathlib import Path

import pytest

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.conversation import Message
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import Outcome
from pytest_llmreplay.store.cases import write_cases
from pytest_llmreplay.store.recordings import RecordingStore
from pytest_llmreplay.store.runs import RunStore

NOBODY = 65534


def work(root):
    notices = []
    runs = RunStore(root / "state", notices.append)
    recordings = RecordingStore(root / "state" / "recordings", on_notice=notices.append)
    assert [o.case_id for o in runs.load()[1]] == ["c1"]
    assert runs.seal_abandoned() == []
    assert recordings.seal_abandoned() == 0
    assert len(notices) == 2
    assert all("could not be sealed" in notice and "Permission denied" in notice for notice in notices), notices
    assert [o.case_id for o in runs.load()[1]] == ["c1"]
    assert recordings.find("k") == {"a": 1}
    case = Case("c", "s", "control", "fixed", (Message("user", "hi"),), 1)
    for write in (
        runs.start,
        lambda: recordings.add("n", request={}, response={}, provider="p"),
        lambda: write_cases(root / "golden" / "x.parquet", [case]),
    ):
        with pytest.raises(UserError, match="cannot be written: Permission denied") as caught:
            write()
        assert "\n" not in str(caught.value)
    recordings.close()


@pytest.fixture
def project():
    root = Path(tempfile.mkdtemp())
    run = RunStore(root / "state").start()
    run.add(Outcome("c1", "v1", 1, "passed"))
    run.close()
    store = RecordingStore(root / "state" / "recordings")
    store.add("k", request={}, response={"a": 1}, provider="p")
    store._own.journal.close()
    (root / "golden").mkdir()
    places = [root, *root.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    yield root
    for place in places:
        place.chmod(0o755)
    store._own = None
    store.close()
    shutil.rmtree(root)


def in_child(project):
    """Do the work in a child that may not write, for permissions do not bind root; return what went wrong."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work(project)
            os.write(writer, b"as it should be")
        except BaseException:  # noqa: BLE001 - the parent reports it
            os.write(writer, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        text = said.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")
def test_a_read_only_project(project):
    pytest.importorskip("pyarrow.parquet")
    said = in_child(project)
    assert said == "as it should be", said
