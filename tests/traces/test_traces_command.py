"""`pytest-llmreplay traces …`, called as a person calls it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.main import program
from pytest_llmreplay.model.errors import UserError
from tests.traces.problems import read

CAPTURES = Path(__file__).parent / "captures"
CHAT = str(CAPTURES / "openai_chat_logs")


def run(*arguments, **options):
    result = CliRunner().invoke(program, ["traces", *arguments], **options)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_show_lists_and_prints():
    listed = run("show", CHAT).stdout
    assert listed.splitlines()[0].startswith("sess-hard  2026-11-22T")
    assert "3 turns  2 calls  stop  ¿Dónde está mi pedido?" in listed
    printed = run("show", CHAT, "sess-hard").stdout
    for text in (
        "tools: get_order, update_shipping_address",
        "1 user: ¿Dónde está mi pedido?",
        'assistant: calls get_order({"order_id": "A-1"})',
        "assistant: (refusal) I'm sorry",
        "input_tokens: 338",
    ):
        assert text in printed


def test_show_says_what_the_log_does_not_hold():
    result = run("show", str(CAPTURES / "openai_agents"), "sess-hard")
    assert "1 user: (no text in the log)" in result.stdout
    assert "tools: unknown" in result.stdout
    assert "its spans hold no text" in result.stderr


def test_show_as_json_from_standard_input():
    text = (CAPTURES / "anthropic_messages" / "calls.jsonl").read_bytes()
    (line,) = run("show", "-", "--json", input=text).stdout.splitlines()
    row = json.loads(line)
    assert (row["conversation_id"], row["format"], row["source_file"]) == ("sess-hard", "anthropic_messages", "-")
    assert row["metadata"]["failed_calls"][0]["retried"] is True


def test_an_unknown_conversation_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'sess-hard'"):
        run("show", CHAT, "sess-herd")


def test_control_characters_of_a_log_do_not_reach_the_terminal(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"id": "x", "messages": [{"role": "user", "content": "\x1b[31mred\u202e"}], "k": "\x1b"}))
    for arguments in (("show", str(log)), ("show", str(log), "x"), ("show", str(log), "--json")):
        output = run(*arguments).output
        assert "\x1b" not in output
        assert "\u202e" not in output


def test_convert_writes_canonical_parquet(tmp_path):
    out = tmp_path / "all.parquet"
    result = run("convert", CHAT, str(CAPTURES / "vercel_ai_ui"), "--out", str(out))
    assert result.stdout.splitlines()[0] == f"2 conversations in {out}"
    conversations, problems = read(out)
    assert problems == []
    assert sorted(c.format for c in conversations) == ["openai_chat_logs", "vercel_ai_ui"]
    where = run("convert", CHAT, "--out", str(out), "--where", "cost_usd > 1")
    assert "0 conversations" in where.stdout


def test_files_that_no_reader_knows_are_named_and_skipped(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "log.jsonl").write_bytes((CAPTURES / "openai_chat_logs" / "calls.jsonl").read_bytes())
    result = run("convert", str(tmp_path), "--out", str(tmp_path / "x.parquet"))
    assert "1 conversation in" in result.stdout
    assert f"{(tmp_path / 'notes.txt').as_posix()}: no reader knows this file" in result.stderr


def test_formats_lists_every_reader():
    listed = run("formats").stdout
    for name in ("plain", "langfuse", "litellm", "otel_genai_latest", "vercel_ai_ui", "sharegpt"):
        assert name in listed
