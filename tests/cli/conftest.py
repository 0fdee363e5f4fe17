"""The program, called as click's test runner calls it, in a project folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_llmreplay.cli.main import program
from pytest_llmreplay.model.errors import LlmReplayError


class Program:
    """Runs the program in a folder; a user's mistake ends as it does in `main`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(program, list(arguments))
        if isinstance(result.exception, LlmReplayError):
            assert code == 2, str(result.exception)
            return result
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def pytest(self, *arguments: str, code: int = 0) -> str:
        """What pytest prints in the folder, in a process of its own; it must end with this code."""
        command = [sys.executable, "-m", "pytest", *arguments, "-p", "no:cacheprovider"]
        wide = {**os.environ, "COLUMNS": "100"}
        done = subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, timeout=300, check=False, env=wide
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def mistake(self, *arguments: str) -> str:
        """What the program says of a mistake; it must be one."""
        result = self(*arguments, code=2)
        assert result.exception is not None
        return str(result.exception) if isinstance(result.exception, LlmReplayError) else result.output


@pytest.fixture
def program_in(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Program(tmp_path)


@pytest.fixture
def editor(program_in, monkeypatch):
    """An editor that replaces one text by another."""

    def set_up(old, new):
        script = program_in.root / "editor.sh"
        script.write_text(f"#!/bin/sh\nsed -i 's/{old}/{new}/' \"$1\"\n")
        script.chmod(0o700)
        monkeypatch.setenv("EDITOR", str(script))
        monkeypatch.delenv("VISUAL", raising=False)

    return set_up


@pytest.fixture
def replayed(program_in):
    """The project that `init` writes, replayed on its two variants."""
    program_in("init")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "golden/",
        "--llmreplay-baseline",
        "v1",
        "-q",
        "-p",
        "no:hypothesispytest",
    ]
    subprocess.run(command, cwd=program_in.root, check=True, capture_output=True)
    return program_in


def model_file(root, url, *, more=""):
    """Writes the variant of a model over loopback that is asked one thing at a time, 0.07 USD an answer; its file."""
    path = root / "configs" / "asked.yaml"
    prices = "prices: {input_per_million: 0, output_per_million: 10000}"
    path.parent.mkdir(exist_ok=True)
    target = f"{{type: model, model: openai/asked, api_base: {url}/v1, max_concurrency: 1, {prices}{more}}}"
    path.write_text(f"kind: variant\nname: asked\ntarget: {target}\n")
    return path


def conversation(conversation_id, text="where is my order 4417?", **columns):
    return {
        "conversation_id": conversation_id,
        "messages": [
            {"role": "user", "content": text},
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "function": {"name": "search", "arguments": '{"q": "x"}'}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "nothing"},
            {"role": "assistant", "content": "I found nothing."},
        ],
        **columns,
    }


@pytest.fixture
def log(tmp_path):
    def write(*rows, name="log.jsonl"):
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return name

    return write
