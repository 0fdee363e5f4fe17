import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import select_records
from tests.traces.problems import read

ROWS = [
    {"id": "a", "messages": "[]", "reward": 1.0, "model": "m1", "tags": ["x"], "metadata": '{"k": "v"}'},
    {"id": "b", "messages": "[]", "reward": 0.0, "model": "m2", "tags": [], "metadata": "{}"},
    {"id": "c", "messages": "[]", "reward": None, "model": "m1", "tags": ["x", "y"], "metadata": None},
]


def write(path):
    """The rows as Parquet or as lines, by the name."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


@pytest.fixture(params=["log.parquet", "log.jsonl"])
def log(request, tmp_path):
    return write(tmp_path / request.param)


@pytest.mark.parametrize(
    ("where", "records"),
    [
        ("reward < 1", {2}),
        ("reward IS NULL", {3}),
        ("model = 'm1' AND metadata->>'k' = 'v'", {1}),
        ("Reward = 1 -- a comment", {1}),
        ("log.model IN ('m1', 'm3')", {1, 3}),
        ("CASE WHEN reward > 0 THEN true ELSE false END", {1}),
        ("1 = 1", {1, 2, 3}),
        ("len(list_filter([1, 2], lambda x: x > 1)) = 1", {1, 2, 3}),
        ("reward = 0 OR 'x;y' = 'z'", {2}),
        ("list_contains(tags, 'x')", {1, 3}),
        ("len(tags) = 0", {2}),
    ],
)
def test_expressions(log, where, records):
    assert select_records(str(log), where) == records


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("", "the expression is empty"),
        ("reward <", "syntax error"),
        ("rewrd < 1", "unknown column (found 'rewrd')"),
        ("rewrd < 1", "did you mean 'reward'"),
        ("modl.x = 1", "unknown column (found 'modl')"),
        ("model > 3", "explicit cast"),
        ("model::INT > 3", "Could not convert"),
        ("1 = 1; DROP TABLE log", "only one expression"),
        ("1 = 1) OR (1 = 1", "syntax error"),
        ("reward < 1 ORDER BY model", "no further clauses"),
        ("reward < 1 LIMIT 1", "no further clauses"),
        ("reward < 1 GROUP BY model HAVING true", "no further clauses"),
        ("reward < 1 UNION SELECT 1", "no further clauses"),
        ("EXISTS (SELECT * FROM '/etc/passwd')", "subquery is not allowed"),
        ("reward IN (SELECT 1)", "subquery is not allowed"),
        ("rank() OVER () = 1", "window is not allowed"),
        ("COLUMNS('r.*') = 1", "star is not allowed"),
        ("reward = ?", "parameter is not allowed"),
        ("read_text('/etc/passwd') = ''", "read_text is not allowed"),
        ("getenv('HOME') = ''", "getenv is not allowed"),
        ("ATTACH DATABASE 'x.db' AS x", "syntax error"),
        ("max(reward) = 1", "aggregates"),
    ],
)
def test_what_is_refused(log, where, reason):
    with pytest.raises(UserError) as caught:
        select_records(str(log), where)
    assert reason in str(caught.value)
    assert where in str(caught.value)


@pytest.mark.parametrize("name", ["log[1].parquet", "a*b.parquet", "what?.parquet", "it's.parquet", "a;b.jsonl"])
def test_names_of_files_are_names_and_no_patterns(tmp_path, name):
    write(tmp_path / "decoy1.parquet")
    assert {c.record for c in read(write(tmp_path / name), where="reward < 1")[0]} == {2}


def test_only_the_columns_that_are_named_are_read(tmp_path):
    """The messages of this file are damaged; a filter that does not need them works."""
    path = tmp_path / "log.parquet"
    table = pa.table({"reward": [0, 1], "messages": ["x" * 1000, "y" * 1000]})
    pq.write_table(table, path, use_dictionary=False, compression="none")
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(data)
    assert select_records(str(path), "reward = 1") == {2}
    with pytest.raises(UserError):
        select_records(str(path), "messages LIKE '%y'")


def test_lines_survive_damage_and_different_keys(tmp_path):
    rows = [
        {"id": 1, "n": 1, "only_here": True, "who": {"name": "Ann"}, "l": [1, 2.5], "mixed": ["a", 1]},
        "{broken",
        {"id": "2", "n": 2.5, "big": 2**70},
        ["not", "a", "mapping"],
        {"n": 3, "who": {"name": "Bob"}, "id": None},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    assert select_records(str(path), "n > 1") == {3, 5}
    assert select_records(str(path), "only_here") == {1}
    assert select_records(str(path), "who->>'name' = 'Bob'") == {5}
    assert select_records(str(path), "id = '1'") == {1}
    assert select_records(str(path), "list_sum(l) = 3.5 AND mixed = '[\"a\", 1]'") == {1}
    assert select_records(str(path), "big = '1180591620717411303424'") == {3}
    with pytest.raises(UserError, match="did you mean 'only_here'"):
        select_records(str(path), "only_her")


def test_a_column_that_one_of_several_files_lacks_is_reported_for_that_file(tmp_path):
    message = [{"role": "user", "content": "hi"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "a", "messages": message, "x": 1}))
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": "b", "messages": message}))
    conversations, problems = read(tmp_path, where="x = 1")
    assert [c.conversation_id for c in conversations] == ["a"]
    assert ["unknown column" in str(p) for p in problems] == [True]
    with pytest.raises(UserError, match="none of the 2 files"):
        read(tmp_path, where="y = 1")
