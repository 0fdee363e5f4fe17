import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.ports import ConversationLog
from pytest_llmreplay.traces import open_log, write_conversations
from tests.shared_data import shared
from tests.traces.problems import read


def rows(count=6):
    return [
        {
            "task": n // 2,
            "attempt": [10, 9][n % 2],
            "good": n != 5,
            "messages": json.dumps([{"role": "user", "content": f"hello {n}"}]),
        }
        for n in range(count)
    ]


@pytest.fixture(params=["parquet", "small_groups", "jsonl", "json"])
def log(request, tmp_path):
    path = tmp_path / f"log.{'parquet' if 'groups' in request.param else request.param}"
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows()), path, row_group_size=2 if "groups" in request.param else 100)
    elif path.suffix == ".jsonl":
        path.write_text("{bad\n" + "\n".join(json.dumps(row) for row in rows()), encoding="utf-8")
    else:
        path.write_text(json.dumps(rows(), indent=1))
    return str(path)


def text(conversation):
    return conversation and conversation.messages[0].content


def unexpected(problem):
    raise AssertionError(problem)


def test_trials_are_numbered_by_size_not_by_text(log):
    opened: ConversationLog = open_log(log, on="task", trial="attempt", on_problem=unexpected)
    assert [text(opened.lookup("1", n)) for n in (1, 2, 3, 0)] == ["hello 3", "hello 2", None, None]
    assert opened.lookup("9", 1) is None
    assert opened.lookup("1", 1) is opened.lookup("1", 1)


def test_where_narrows_the_rows_and_the_trials(log):
    opened = open_log(log, on="task", where="attempt = 9 AND good", on_problem=unexpected)
    assert text(opened.lookup("0", 1)) == "hello 1"
    assert opened.lookup("0", 2) is None
    assert opened.lookup("2", 1) is None


def test_several_rows_for_a_key_are_refused(log):
    opened = open_log(log, on="task", on_problem=unexpected)
    with pytest.raises(UserError, match=r"2 rows .* \(trial:\) or narrow the log \(where:\)"):
        opened.lookup("1", 1)
    opened = open_log(log, on="task", trial="good", on_problem=unexpected)
    with pytest.raises(UserError, match="narrow the log"):
        opened.lookup("1", 2)


def test_unknown_columns_are_named(log):
    with pytest.raises(UserError, match="did you mean 'task'"):
        open_log(log, on="tsk", on_problem=unexpected)
    with pytest.raises(UserError, match="did you mean 'attempt'"):
        open_log(log, on="task", trial="atempt", on_problem=unexpected)
    with pytest.raises(UserError, match="unknown column"):
        open_log(log, on="task", where="nothing = 1", on_problem=unexpected)


def test_a_row_without_a_trial_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [*rows(2), {"task": 5, "attempt": None, "messages": "[]"}]))
    with pytest.raises(UserError, match=r"record 3 has no value in the trial column 'attempt'"):
        open_log(str(path), on="task", trial="attempt", on_problem=unexpected)
    opened = open_log(str(path), on="task", trial="attempt", where="attempt IS NOT NULL", on_problem=unexpected)
    assert text(opened.lookup("0", 2)) == "hello 0"


def test_keys_are_compared_as_text(tmp_path):
    path = tmp_path / "log.jsonl"
    keys = [1, "2", 3.0, None, "x"]
    path.write_text("\n".join(json.dumps({"k": key, "messages": "[]"}) for key in keys))
    opened = open_log(str(path), on="k", on_problem=unexpected)
    assert [opened.lookup(key, 1) is not None for key in ("1", "2", "3", "x", "None")] == [True] * 4 + [False]


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
@pytest.mark.parametrize("name", ["trace_id", "id", "session_id", None])
def test_the_id_of_a_plain_log_is_found_whatever_it_is_called(tmp_path, kind, name):
    path = tmp_path / f"log.{kind}"
    named = [{**({name: f"t-{n}"} if name else {}), **row} for n, row in enumerate(rows())]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(named), path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in named))
    conversations, _ = read(str(path))
    opened = open_log(str(path), on="conversation_id", trial="good", where="task = 2", on_problem=unexpected)
    assert text(opened.lookup(conversations[4].conversation_id, 2)) == "hello 4"
    opened = open_log(str(path), on="conversation_id", on_problem=unexpected)
    assert [text(opened.lookup(one.conversation_id, 1)) for one in conversations] == [f"hello {n}" for n in range(6)]


def test_canonical_parquet_is_joined_by_its_columns_and_by_metadata(tmp_path, log):
    conversations, _ = read(log)
    path = tmp_path / "canonical.parquet"
    write_conversations(path, conversations)
    opened = open_log(str(path), on="task", trial="attempt", on_problem=unexpected)
    assert text(opened.lookup("1", 1)) == "hello 3"
    opened = open_log(str(path), on="conversation_id", on_problem=unexpected)
    assert text(opened.lookup(conversations[4].conversation_id, 1)) == "hello 4"


def test_the_four_trials_of_the_real_log():
    path = str(shared("data", "traces_airline_tau1.parquet"))
    opened = open_log(path, on="task_id", trial="trial", on_problem=unexpected)
    for task in range(50):
        found = [opened.lookup(str(task), trial) for trial in (1, 2, 3, 4)]
        assert [c.metadata["trial"] for c in found if c] == [0, 1, 2, 3]
        assert {c.metadata["task_id"] for c in found if c} == {str(task)}
    opened = open_log(
        str(shared("data", "traces_airline_tau2.parquet")),
        on="task_id",
        where="run_id = 'tau2_airline_claude-sonnet-4-5'",
        on_problem=unexpected,
    )
    assert {opened.lookup(str(task), 1).model for task in range(50)} == {"claude-sonnet-4-5"}
