import datetime as dt
import decimal
import gzip
import io
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from tests.shared_data import shared
from tests.traces.problems import read

CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1'}}
MESSAGES = [
    {"role": "user", "content": "hi"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [CALL, {**CALL, "function": {"name": "other", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "x"},
    {"role": "assistant", "content": ""},
]


def write_lines(path, *rows):
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(("name", "count"), [("airline_tau1", 200), ("airline_tau2", 190), ("sgd", 128)])
def test_every_message_and_call_of_the_real_logs_is_kept(name, count):
    path = shared("data", f"traces_{name}.parquet")
    conversations, problems = read(path)
    rows = pq.read_table(path).to_pylist()
    assert (len(conversations), problems) == (count, [])
    for conversation, row in zip(conversations, rows, strict=True):
        raw = json.loads(row["messages"])
        assert conversation.conversation_id == row["trace_id"]
        assert [(m.role, m.content, m.tool_call_id) for m in conversation.messages] == [
            (m["role"], m.get("content"), m.get("tool_call_id")) for m in raw
        ]
        assert [(c.id, c.name, c.arguments) for m in conversation.messages for c in m.tool_calls] == [
            (c["id"], c["function"]["name"], c["function"]["arguments"]) for m in raw for c in m.get("tool_calls") or ()
        ]
        assert len(conversation.tools or ()) == len(json.loads(row["tools"]))
        assert conversation.metadata["expected_actions"] == row["expected_actions"]


def test_repeated_ids_null_content_and_broken_arguments_stay(tmp_path):
    (conversation,), problems = read(write_lines(tmp_path / "log.jsonl", {"id": 7, "messages": MESSAGES}))
    assert problems == []
    assert conversation.conversation_id == "7"
    assert [(c.id, c.name, c.arguments) for c in conversation.messages[1].tool_calls] == [
        ("c1", "find", '{"a": 1'),
        ("c1", "other", "{}"),
    ]
    assert [m.content for m in conversation.messages] == ["hi", None, "x", ""]
    assert conversation.tools is None


def test_messages_and_tools_may_be_json_text_or_nested(tmp_path):
    tool = {"name": "find", "description": "d", "parameters": {"type": "object"}}
    openai_tool = {"type": "function", "function": tool}
    nested = write_lines(tmp_path / "nested.jsonl", {"id": "a", "messages": MESSAGES, "tools": [openai_tool]})
    text = write_lines(
        tmp_path / "text.jsonl", {"id": "a", "messages": json.dumps(MESSAGES), "tools": json.dumps([tool])}
    )
    (one,), _ = read(nested)
    (two,), _ = read(text)
    assert one.messages == two.messages
    calls_as_text = [m | ({"tool_calls": json.dumps(m["tool_calls"])} if "tool_calls" in m else {}) for m in MESSAGES]
    (three,), _ = read(write_lines(tmp_path / "calls.jsonl", {"id": "a", "messages": calls_as_text}))
    assert three.messages == one.messages
    assert one.tools == two.tools
    assert one.tools[0].parameters == '{"type": "object"}'


@pytest.mark.parametrize("tool", [{"type": "function", "parameters": "get_order"}, {"name": "f", "parameters": "{"}])
def test_a_schema_that_is_not_json_is_said(tmp_path, tool):
    conversations, problems = read(
        write_lines(tmp_path / "a.jsonl", {"id": "a", "messages": MESSAGES, "tools": [tool]})
    )
    assert conversations == []
    assert "tool 1: the parameters of tool 'f" in str(problems[0])


def test_nulls_that_structs_fill_in_are_dropped(tmp_path):
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "https://e/x.png"}}]
    rows = [
        {"id": "a", "messages": [{"role": "user", "content": parts}, {"role": "assistant", "tool_calls": calls}]},
        {"id": "b", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    (one, two), problems = read(tmp_path / "log.parquet")
    assert problems == []
    assert json.loads(one.messages[0].content_parts) == parts
    assert (one.messages[1].content, one.messages[1].tool_calls[0].name) == (None, "f")
    assert (two.messages[0].content, two.messages[0].content_parts) == ("hi", None)


def test_known_columns_fill_fields_and_the_rest_is_metadata(tmp_path):
    time = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
    table = pa.table(
        {
            "conversation_id": ["c"],
            "trace_id": ["t"],
            "messages": [json.dumps(MESSAGES)],
            "model": ["m"],
            "prompt_tokens": [12],
            "completion_tokens": [3],
            "latency_s": [0.5],
            "cost_usd": [decimal.Decimal("0.10")],
            "started_at": pa.array([time], pa.timestamp("ns", "UTC")),
            "feedback": ['{"thumb": 0}'],
            "seen": pa.array([1_700_000_000_000_000_001], pa.timestamp("ns")),
            "blob": [b"ab"],
            "score": [float("nan")],
            "price": [decimal.Decimal("1.25")],
            "extra": ['{"k": 1}'],
            "nested": [{"a": [1, None]}],
            "segment": pa.array([None], pa.string()),
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    (conversation,), problems = read(tmp_path / "log.parquet")
    assert problems == []
    assert (conversation.conversation_id, conversation.model, conversation.segment) == ("c", "m", None)
    assert (conversation.input_tokens, conversation.output_tokens) == (12, 3)
    assert (conversation.latency_s, conversation.cost_usd) == (0.5, 0.1)
    assert conversation.started_at == "2026-03-01T12:00:00+00:00"
    assert conversation.feedback == {"thumb": 0}
    assert conversation.metadata == {
        "trace_id": "t",
        "seen": "2023-11-14T22:13:20",
        "blob": "ab",
        "score": None,
        "price": 1.25,
        "extra": '{"k": 1}',
        "nested": {"a": [1, None]},
    }
    json.dumps(conversation.metadata, allow_nan=False)


def test_a_value_that_does_not_fit_its_field_is_kept_in_metadata(tmp_path):
    row = {"id": "a", "messages": MESSAGES, "latency_s": "fast", "model": {"name": "m"}, "input_tokens": 2.5}
    (conversation,), problems = read(write_lines(tmp_path / "log.jsonl", row))
    assert problems == []
    assert (conversation.latency_s, conversation.model, conversation.input_tokens) == (None, None, None)
    assert conversation.metadata == {"latency_s": "fast", "model": {"name": "m"}, "input_tokens": 2.5}


def test_ids(tmp_path):
    path = write_lines(
        tmp_path / "log.jsonl",
        {"session_id": "s", "id": "i", "messages": MESSAGES},
        {"session_id": "s", "trace_id": "t", "messages": MESSAGES},
        {"messages": MESSAGES, "ticket": 12.0},
    )
    conversations, _ = read(path)
    assert [c.conversation_id for c in conversations] == ["i", "t", "log-3"]
    assert [c.record for c in conversations] == [1, 2, 3]
    assert conversations[0].session_id == "s"
    chosen, _ = read(path, id_column="id")
    assert [c.conversation_id for c in chosen] == ["i", "log-2", "log-3"]
    with pytest.raises(UserError, match="did you mean 'session_id'"):
        read(path, id_column="sesion_id")
    pq.write_table(pa.Table.from_pylist([{"id": "a", "messages": "[]"}]), tmp_path / "log.parquet")
    with pytest.raises(UserError, match="no such column for the id"):
        read(tmp_path / "log.parquet", id_column="ids")


def test_a_bad_record_is_reported_and_the_rest_is_read(tmp_path):
    path = write_lines(
        tmp_path / "log.jsonl",
        {"id": "a", "messages": MESSAGES},
        '{"id": "b", "messages": [{"ro',
        {"id": "c", "messages": [{"content": "no role"}]},
        "",
        "3",
        {"id": "d"},
        {"id": "e", "messages": MESSAGES, "tools": "{"},
        "[" * 200_000,
        {"id": "f", "messages": MESSAGES, "x": "\ud800"},
    )
    conversations, problems = read(path)
    assert [c.conversation_id for c in conversations] == ["a", "f"]
    assert conversations[1].metadata == {"x": "\ufffd"}
    assert [p.record for p in problems] == [2, 3, 5, 6, 7, 8]
    assert str(problems[1]) == f"{path}: record 3: message 1: a message has no role"
    assert all("\n" not in str(p) for p in problems)


def test_a_file_that_cannot_be_read_at_all(tmp_path):
    good = write_lines(tmp_path / "good.jsonl", {"id": "a", "messages": MESSAGES})
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1" + b"\0" * 64)
    for path, reason in [(bad, "not readable as Parquet"), (tmp_path / "none.jsonl", "no such file")]:
        with pytest.raises(UserError, match=reason):
            read(path)
        conversations, problems = read(good, path)
        assert [c.conversation_id for c in conversations] == ["a"]
        assert [p.record for p in problems] == [None]


def test_places_compression_and_standard_input(tmp_path, monkeypatch):
    folder = tmp_path / "logs" / "day"
    folder.mkdir(parents=True)
    row = json.dumps({"messages": MESSAGES}) + "\n"
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(row.encode()))
    (folder / "a.jsonl").write_text(row)
    (folder / ".hidden.jsonl").write_text(row)
    (folder / "note.txt").write_text("hello")
    conversations, problems = read(tmp_path / "logs")
    assert [c.conversation_id for c in conversations] == ["a-1", "b-1"]
    assert [p.file for p in problems] == [(folder / "note.txt").as_posix()]
    assert "no reader knows this file" in str(problems[0])
    conversations, _ = read(tmp_path / "logs" / "**" / "*.jsonl*", folder / "a.jsonl")
    assert [c.conversation_id for c in conversations] == ["a-1", "b-1"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(row.encode() * 2)))
    conversations, problems = read("-", where="len(messages) > 0")
    assert ([c.conversation_id for c in conversations], problems) == (["stdin-1", "stdin-2"], [])


def test_an_array_in_a_file_counts_as_its_elements(tmp_path):
    rows = [{"id": str(n), "messages": MESSAGES} for n in range(3)]
    for text in (json.dumps(rows), json.dumps(rows, indent=1), "\n".join(json.dumps(r, indent=2) for r in rows)):
        (tmp_path / "log.json").write_text(text)
        conversations, problems = read(tmp_path / "log.json")
        assert ([(c.conversation_id, c.record) for c in conversations], problems) == (
            [("0", 1), ("1", 2), ("2", 3)],
            [],
        )
    (tmp_path / "log.json").write_text(json.dumps(rows, indent=1)[:-30])
    conversations, problems = read(tmp_path / "log.json")
    assert [c.conversation_id for c in conversations] == ["0", "1"]
    assert [p.record for p in problems] == [3]


def test_the_order_of_the_paths_is_kept_and_an_unknown_format_is_refused(tmp_path):
    one = write_lines(tmp_path / "one.jsonl", {"messages": MESSAGES})
    two = write_lines(tmp_path / "two.jsonl", {"messages": MESSAGES})
    assert [c.conversation_id for c in read(two, one)[0]] == ["two-1", "one-1"]
    with pytest.raises(UserError, match="did you mean 'plain'"):
        read(one, format="plian")


def test_a_damaged_row_group_does_not_hide_the_others(tmp_path):
    rows = [{"id": str(n), "messages": json.dumps(MESSAGES), "pad": str(n) * 500} for n in range(40)]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10, compression="zstd", use_dictionary=False)
    group = pq.ParquetFile(path).metadata.row_group(1).column(1)
    data = bytearray(path.read_bytes())
    start = group.data_page_offset
    data[start : start + group.total_compressed_size] = b"\xff" * group.total_compressed_size
    path.write_bytes(data)
    conversations, problems = read(path)
    assert [c.conversation_id for c in conversations] == [str(n) for n in (*range(10), *range(20, 40))]
    assert [p.record for p in problems] == [11]
    assert "rows 11 to 20 cannot be decoded" in str(problems[0])
