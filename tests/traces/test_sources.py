"""Object stores, through pyarrow's file systems; here a folder of this machine plays the store."""

import json

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import open_log
from tests.traces.problems import read

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """`s3://bucket` and `gs://bucket` are this folder."""
    root = tmp_path / "bucket"
    root.mkdir()
    local = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())

    class Stores:
        @staticmethod
        def from_uri(uri):
            scheme, _, path = uri.partition("://")
            if scheme not in ("s3", "gs"):
                raise pa.ArrowInvalid(f"no such store: {uri}")
            return local, path

    monkeypatch.setattr(pyarrow.fs, "FileSystem", Stores)
    return root


def test_objects_folders_and_patterns(bucket):
    rows = [{"id": str(n), "messages": json.dumps(MESSAGES), "reward": n} for n in range(3)]
    with (bucket / "a.parquet").open("wb") as file:
        pq.write_table(pa.Table.from_pylist(rows), file)
    (bucket / "day").mkdir()
    (bucket / "day" / "b.jsonl").write_text(json.dumps({"id": "b", "messages": MESSAGES, "reward": 5}))
    assert [c.conversation_id for c in read("s3://bucket/a.parquet")[0]] == ["0", "1", "2"]
    conversations, problems = read("gs://bucket")
    assert problems == []
    assert [c.conversation_id for c in conversations] == ["0", "1", "2", "b"]
    assert conversations[-1].source_file == "gs://bucket/day/b.jsonl"
    assert [c.conversation_id for c in read("s3://bucket/*.parquet", where="reward > 1")[0]] == ["2"]
    assert [c.conversation_id for c in read("s3://bucket/day/b.jsonl", where="reward > 1")[0]] == ["b"]
    opened = open_log("s3://bucket/a.parquet", on="id", on_problem=lambda problem: pytest.fail(str(problem)))
    assert opened.lookup("1", 1).conversation_id == "1"


def test_what_is_not_there(bucket):
    with pytest.raises(UserError, match="no such object or folder"):
        read("s3://bucket/none.parquet")
    with pytest.raises(UserError, match="cannot be reached: no such store"):
        read("gcs://bucket/x")
