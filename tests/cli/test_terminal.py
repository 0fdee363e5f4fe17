"""What a CI runner reads along with."""

import json

import pytest

from pytest_llmreplay.cli.terminal import echo, echo_json


@pytest.mark.parametrize("on_github", [True, False])
def test_json_stays_json_and_holds_no_command(capsys, monkeypatch, on_github):
    monkeypatch.setenv("GITHUB_ACTIONS", str(on_github).lower())
    hostile = {"text": "hi\n::error::no\n##[error]no ###[x]"}
    echo_json(json.dumps(hostile, indent=2))
    printed = capsys.readouterr().out
    assert json.loads(printed) == hostile
    assert "##[" not in printed
    assert not any(line.lstrip().startswith("::") for line in printed.splitlines())


def test_text_is_fenced_on_github(capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    echo("::error::no")
    first, text, last = capsys.readouterr().out.splitlines()
    assert first == f"::stop-commands::{last.strip(':')}"
    assert text == "::error::no"
