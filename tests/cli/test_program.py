import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmreplay.cli.main import _COMMANDS, program
from pytest_llmreplay.model.conversation import Conversation, Message
from pytest_llmreplay.store.cases import read_cases
from pytest_llmreplay.traces import write_conversations
from tests.cli.conftest import conversation

EXPECT = {"calls": {"expected": [{"name": "order"}]}}


@pytest.fixture
def promoted(program_in, log):
    log(conversation("t-1", expect=EXPECT), conversation("t-2", expect=EXPECT))
    program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    return read_cases(program_in.root / "golden/a.parquet")


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_explains_itself(program_in, name):
    assert "Usage: " in program_in(name, "--help").output


def test_an_unknown_command_is_refused_with_a_suggestion(program_in):
    assert "there is no command 'promot'; did you mean 'promote'?" in program_in.mistake("promot")


def test_a_mistake_ends_in_one_sentence_on_stderr_and_exit_code_2(tmp_path):
    command = Path(sys.executable).parent / "pytest-llmreplay"
    done = subprocess.run(
        [command, "golden", "show", "x\x1b[31m"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("pytest-llmreplay: ")
    assert "\x1b" not in done.stderr


def test_the_program_starts_without_anything_heavy(tmp_path):
    script = (
        "import sys, pytest_llmreplay.cli.main\n"
        "print(sorted({'pyarrow', 'duckdb', 'litellm', 'pydantic', 'pytest', 'scipy', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
    assert program.name == "program"


def test_golden_show_prints_one_case_readably_and_safely(program_in, log):
    log(conversation("t-1", text="evil \x1b[31m text"))
    program_in("promote", "log.jsonl", "--out", "golden/a.parquet")
    [case] = read_cases(program_in.root / "golden/a.parquet")
    shown = program_in("golden", "show", case.case_id).output
    assert shown.startswith("# golden/a.parquet\n")
    assert f"case_id: {case.case_id}" in shown
    assert "\x1b" not in shown
    assert "did you mean" in program_in.mistake("golden", "show", case.case_id[:-1])


def test_golden_stub_adds_a_result_that_production_never_gave(program_in, promoted):
    program_in("golden", "stub", promoted[0].case_id, 'order={"status": "shipped"}')
    program_in("golden", "stub", promoted[0].case_id, 'order={"status": "lost"}')
    program_in("golden", "stub", promoted[0].case_id, "order=1", "--args", '{"b": 1, "a": 2}')
    first, second = read_cases(program_in.root / "golden/a.parquet")
    assert [(r.name, r.arguments, r.result, r.source) for r in first.recorded_results[1:]] == [
        ("order", "*", '{"status": "lost"}', "stub"),
        ("order", '{"a":2,"b":1}', "1", "stub"),
    ]
    assert second == promoted[1]


@pytest.mark.parametrize(
    ("stub", "sentence"),
    [
        ("order", "must be TOOL=JSON (found 'order')"),
        ("=1", "must be TOOL=JSON (found '=1')"),
        ("order={not json", "the result is not JSON"),
    ],
)
def test_golden_stub_refuses_what_is_no_result(program_in, promoted, stub, sentence):
    assert sentence in program_in.mistake("golden", "stub", promoted[0].case_id, stub)
    assert tuple(read_cases(program_in.root / "golden/a.parquet")) == tuple(promoted)


def test_validate_reports_every_problem_at_once(program_in, promoted):
    configs = program_in.root / "configs"
    configs.mkdir()
    (configs / "v1.yaml").write_text("kind: variant\nname: v1\ntarget: {type: modle}\n")
    (configs / "v2.yaml").write_text("kind: varaint\n")
    (configs / "environment.yaml").write_text("kind: environment\nstub: {}\n")
    (program_in.root / "golden" / "b.parquet").write_bytes((program_in.root / "golden" / "a.parquet").read_bytes())
    (program_in.root / "golden" / "c.parquet").write_bytes(b"PAR1 not really")
    result = program_in("validate", code=1)
    for words in (
        "did you mean 'model'?",
        "did you mean 'variant'?",
        "did you mean 'stubs'?",
        "is also in golden/a.parquet",
        "c.parquet",
    ):
        assert words in result.stderr, words


def test_validate_warns_of_a_suite_that_declares_no_effects(program_in, promoted):
    assert "warning: suite 'a' declares no effects" in program_in("validate").output


def test_doctor_says_what_would_be_used_and_shows_no_secret(program_in, promoted, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-planted-secret")
    (program_in.root / "configs").mkdir()
    (program_in.root / "configs" / "v1.yaml").write_text(
        "kind: variant\nname: v1\ntarget: {type: model, model: openai/gpt-x, api_key_env: MY_KEY}\n"
    )
    output = program_in("doctor").output
    assert "2 open" in output
    assert "openai/gpt-x through OpenAI's protocol, key in MY_KEY: set" in output
    assert "sk-planted" not in output


def test_init_writes_a_project_that_runs_and_touches_nothing_that_exists(program_in, monkeypatch):
    program_in("init")
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    command = [sys.executable, "-m", "pytest", "golden/", "--llmreplay-baseline", "v1", *quiet]
    done = subprocess.run(command, cwd=program_in.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 xfailed" in done.stdout
    before = {path: path.read_bytes() for path in program_in.root.rglob("*") if path.is_file()}
    again = program_in("init").output
    assert "left alone configs/v1.yaml: it exists" in again
    assert {path: path.read_bytes() for path in before} == before
    program_in("validate")


def test_validate_warns_of_a_forbidden_tool_that_nobody_offers(program_in, log):
    expect = {"calls": {"forbidden": ["delet_user"]}}
    log(conversation("t-1", expect=expect, tools=[{"name": "delete_user", "effect": "write"}]))
    program_in("promote", "log.jsonl", "--expect-column", "expect", "--out", "golden/a.parquet")
    assert "warning: tool 'delet_user' is named in 1 case(s), such as t-1-" in program_in("validate").output


@pytest.mark.parametrize(("said", "told"), [("Query interrupted", "Aborted!"), ("something else", None)])
def test_an_interruption_in_the_middle_of_a_query_is_one(program_in, monkeypatch, said, told):
    write_conversations(program_in.root / "log.parquet", [Conversation("a", (Message("user", "hi"),))])

    def interrupted(*_arguments):
        raise RuntimeError(said)  # what DuckDB makes of SIGINT while it works, when it gets to look for it

    monkeypatch.setattr("pytest_llmreplay.mine.finding.first_rows", interrupted)
    if told is None:
        with pytest.raises(RuntimeError, match=said):
            program_in("find", "log.parquet", "--where", "model = 'm'", code=1)
    else:
        assert told in program_in("find", "log.parquet", "--where", "model = 'm'", code=1).output
