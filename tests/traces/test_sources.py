"""Object stores, through pyarrow's file systems: a folder of this machine plays the store, or a server over loopback."""

import json

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import open_log
from tests.loopback import serving
from tests.traces.object_store import ObjectStore
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


def test_globs_name_files_and_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for day in ("2026-03-01", "2026-03-02", "2026-04-01"):
        (tmp_path / day / "eu").mkdir(parents=True)
        (tmp_path / day / "eu" / "a.jsonl").write_text(json.dumps({"id": day, "messages": MESSAGES}))
    (tmp_path / "2026-03-gone").symlink_to(tmp_path / "nowhere")
    for pattern in ("2026-03-*", "2026-03-*/", "2026-03-*/eu", "2026-03-*/**", "2026-03-*/**/*.jsonl"):
        assert [c.conversation_id for c in read(pattern)[0]] == ["2026-03-01", "2026-03-02"], pattern
    with pytest.raises(UserError, match="no such file or folder"):
        read("2027-*")


def test_what_is_not_there(bucket):
    with pytest.raises(UserError, match="no such object or folder"):
        read("s3://bucket/none.parquet")
    with pytest.raises(UserError, match="cannot be reached: no such store"):
        read("gcs://bucket/x")


PARQUET = pa.BufferOutputStream()
pq.write_table(
    pa.Table.from_pylist([{"id": str(n), "messages": json.dumps(MESSAGES), "reward": n} for n in range(3)]), PARQUET
)
CALL = {
    "conversation_id": "b",
    "request": {"messages": MESSAGES},
    "response": {"choices": [{"message": {"role": "assistant", "content": "ho"}}]},
}


@pytest.fixture
def store(monkeypatch):
    """An S3 of two days and a note, reached as a person would: by environment variables."""
    objects = {
        "our-logs/2026-03-01/a.parquet": PARQUET.getvalue().to_pybytes(),
        "our-logs/2026-03-02/b.jsonl": json.dumps(CALL).encode(),
        "our-logs/2026-03-02/notes.txt": b"hello",
    }
    store = ObjectStore(objects)
    with serving(store.routes()) as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        yield store


def test_s3_over_the_network(store):
    assert [c.conversation_id for c in read("s3://our-logs/2026-03-01/a.parquet")[0]] == ["0", "1", "2"]
    assert store.ranges, "a Parquet file is read in parts"
    conversations, problems = read("s3://our-logs")
    assert [c.conversation_id for c in conversations] == ["0", "1", "2", "b"]
    assert [str(problem) for problem in problems] == [
        (
            "s3://our-logs/2026-03-02/notes.txt: no reader knows this file: not JSON (Expecting value at character 1 of "
            "the record); what follows it cannot be read"
        )
    ]
    assert [c.conversation_id for c in read("s3://our-logs/2026-03-02/*.jsonl")[0]] == ["b"]
    assert [c.conversation_id for c in read("s3://our-logs/2026-03-0*/", where="format = 'openai_chat_logs'")[0]] == [
        "b"
    ]
    with pytest.raises(UserError, match="no such object or folder"):
        read("s3://our-logs/none.parquet")
