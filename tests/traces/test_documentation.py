"""`docs/traces.md` is true: its commands run, its expressions are answered, its formats are those that there are."""

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.main import program
from pytest_llmreplay.traces import format_gaps, select_records, write_conversations
from tests.traces.problems import read

PAGE = (Path(__file__).parents[2] / "docs" / "traces.md").read_text(encoding="utf-8")
CAPTURES = Path(__file__).parent / "captures"
ROWS = [
    {
        "id": "a",
        "messages": [{"role": "user", "content": "Can I speak to a human?"}],
        "model": "gpt-4o",
        "reward": 0.0,
        "tags": ["refund", "urgent"],
        "started_at": "2026-03-02T10:00:00",
    },
    {
        "id": "b",
        "messages": [{"role": "user", "content": "Thanks"}],
        "model": "claude",
        "reward": 1.0,
        "tags": [],
        "started_at": "2026-02-02T10:00:00",
    },
]


def blocks(kind):
    return [line for block in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


def test_the_formats_are_those_that_there_are():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.split("## Formats")[1].split("## `--where`")[0], re.MULTILINE)
    aliases = {"langsmith_wrap", "langsmith_langchain", "openinference_openai", "openinference_litellm"}
    assert set(rows) | aliases == set(format_gaps())
    assert all(alias in PAGE for alias in aliases)
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("command", blocks("bash"))
def test_the_commands_run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    shutil.copytree(CAPTURES / "openai_chat_logs", tmp_path / "logs" / "chat")
    (tmp_path / "logs" / "support.jsonl").write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    import shlex

    name, *arguments = shlex.split(command)
    assert name == "pytest-llmreplay"
    result = CliRunner().invoke(program, arguments, catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout


@pytest.mark.parametrize("where", blocks("where-plain"))
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_expressions_on_plain_logs(where, suffix, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / f"log.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    assert select_records(str(path), where) == {1}


@pytest.mark.parametrize("where", blocks("where-canonical"))
def test_the_expressions_on_canonical_columns(where, tmp_path):
    conversations, _ = read(CAPTURES / "openai_chat_logs")
    path = tmp_path / "canonical.parquet"
    write_conversations(path, conversations)
    assert len(select_records(str(path), where)) == len(read(CAPTURES / "openai_chat_logs", where=where)[0])
    expected = "get_order" in where or "m.role" in where or "tool_calls) > 1" in where
    assert (select_records(str(path), where) == {1}) == expected
