"""Canonical Parquet as one table, and the files that are read in place or converted."""

import json
import os
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.traces import TableFile, is_numbered, open_table, parse_expression, portions, write_conversations
from pytest_llmreplay.traces.locked import locked_database


def talk(named, **fields):
    return Conversation(named, (Message("user", f"hello from {named}"),), **fields)


def written(path, *talks):
    write_conversations(path, talks)
    return path


def ids(table):
    return sorted(row[0] for row in table.connection.execute("SELECT conversation_id FROM log").fetchall())


def of(*paths, **options):
    return portions([str(path) for path in paths], on_problem=lambda problem: pytest.fail(str(problem)), **options)


def test_several_files_are_one_table_and_each_row_is_found_again(tmp_path):
    first = written(tmp_path / "a.parquet", talk("a"), talk("b"))
    second = written(tmp_path / "b.parquet", talk("c"))
    with open_table([TableFile(first), TableFile(second)]) as table:
        rows = dict(table.connection.execute("SELECT conversation_id, llmreplay_row FROM log").fetchall())
        assert rows["c"] == table.row(second, 0)
        assert [c.conversation_id for c in table.conversations([rows["c"], rows["b"]]).values()] == ["c", "b"]
        assert table.size() == 3


def test_files_whose_conversations_are_called_alike_are_counted(tmp_path):
    logged = [
        *(("chat-1", "14/chat.jsonl"), ("chat-2", "14/chat.jsonl"), ("chat-1", "15/chat.jsonl.gz")),
        *(("a", "14/b.jsonl"), ("a", "15/b.jsonl"), ("c-1", "c.jsonl"), ("d", None)),
    ]
    talks = [talk(named, source_file=file) for named, file in logged]
    with open_table([TableFile(written(tmp_path / "a.parquet", *talks))], parse_expression("false")) as table:
        assert table.files_sharing_ids() == 2
    with open_table([TableFile(written(tmp_path / "b.parquet", talk("a"), talk("a")))]) as table:
        assert table.files_sharing_ids() == 0


@pytest.mark.parametrize(
    ("named", "file", "numbered"),
    [
        ("chat-1", "14/chat.jsonl", True),
        ("chat-12", "s3://logs/15/chat.jsonl.gz", True),
        ("stdin-3", "-", True),
        ("chat-1", "14/other.jsonl", False),
        ("chat-one", "14/chat.jsonl", False),
        ("chat", "14/chat.jsonl", False),
        ("chat-1", None, False),
    ],
)
def test_ids_made_of_the_name_of_a_file_are_known(named, file, numbered):
    assert is_numbered(talk(named, source_file=file)) is numbered


def test_expressions_and_records_filter_their_own_files(tmp_path):
    one = written(tmp_path / "a.parquet", talk("a", model="m"), talk("b"))
    other = written(tmp_path / "b.parquet", talk("c", record=1), talk("d", record=2), talk("e", record=2))
    files = [TableFile(other, frozenset({2})), TableFile(one)]
    with open_table(files, parse_expression("model = 'm' -- only this")) as table:
        assert ids(table) == ["a", "d", "e"]
        assert table.size() == 5
    with open_table([TableFile(other, frozenset())]) as table:
        assert ids(table) == []


def test_the_database_opens_nothing_else(tmp_path):
    path = written(tmp_path / "a.parquet", talk("a"))
    other = written(tmp_path / "b.parquet", talk("b"))
    with open_table([TableFile(path)]) as table:
        for sql in (
            f"SELECT * FROM read_parquet('{other}')",
            "SELECT * FROM read_text('/etc/hostname')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            f"ATTACH '{tmp_path / 'x.db'}'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SELECT * FROM read_parquet('https://example.org/x.parquet')",
        ):
            with pytest.raises(duckdb.Error):
                table.connection.execute(sql)
        with table.narrowed([0]) as narrow, pytest.raises(duckdb.Error):
            narrow.connection.execute(f"SELECT * FROM read_parquet('{other}')")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet"]


def test_nothing_is_drawn_on_standard_output():
    with locked_database() as connection:
        [(drawn,)] = connection.execute("SELECT current_setting('enable_progress_bar_print')").fetchall()
        assert drawn is False


def test_canonical_parquet_stays_where_it_is(tmp_path):
    [portion] = of(written(tmp_path / "a.parquet", talk("a")))
    assert portion.in_place == (tmp_path / "a.parquet").resolve()


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet", "what?.parquet"])
def test_a_name_that_duckdb_takes_for_a_pattern_is_converted(tmp_path, name):
    [portion] = of(written(tmp_path / name, talk("a")))
    assert portion.in_place is None
    assert portion.convert(tmp_path / "out.parquet", print) == 1


def test_canonical_columns_of_other_types_are_converted(tmp_path):
    path = written(tmp_path / "a.parquet", talk("a", started_at="2026-01-01"))
    table = pq.read_table(path)
    index = table.schema.get_field_index("latency_s")
    pq.write_table(table.set_column(index, "latency_s", table["latency_s"].cast("float32")), path)
    [portion] = of(path)
    assert portion.in_place is None


def test_a_name_for_the_content(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"id": "a", "messages": []}))
    [portion] = of(path)
    key = portion.key()
    assert of(path)[0].key() == key
    assert of(path, id_column="id")[0].key() != key
    about = path.stat()
    path.write_text(json.dumps({"id": "b", "messages": []}))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert of(path)[0].key() != key


def test_calls_of_several_files_are_converted_together(tmp_path):
    samples = Path(__file__).parent / "captures"
    if not samples.is_dir():
        pytest.skip("no captures")
    plain = tmp_path / "a.jsonl"
    plain.write_text(json.dumps({"id": "a", "messages": [{"role": "user", "content": "x"}]}))
    found = portions([str(plain), str(samples)], on_problem=lambda _problem: None)
    assert sum(not portion.plain for portion in found) == 1


def test_nothing_that_can_be_read(tmp_path):
    (tmp_path / "x.txt").write_text("no log")
    with pytest.raises(UserError):
        portions([str(tmp_path / "x.txt")], on_problem=print)
    with pytest.raises(UserError, match="unknown format"):
        portions([str(tmp_path)], format="nope", on_problem=print)


def test_how_far_a_log_was_read_is_told(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = [{"id": str(i), "messages": [{"role": "user", "content": "x" * 4000}]} for i in range(300)]
    path.write_text("\n".join(map(json.dumps, rows)))
    told = []
    [portion] = of(path)
    portion.convert(tmp_path / "out.parquet", print, lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {path.stat().st_size}
    done = [reached for reached, _ in told]
    assert done == sorted(done)
    assert done[-1] > path.stat().st_size / 2
