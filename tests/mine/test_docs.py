"""docs/signals.md and docs/find.md say what is so."""

import re
import shlex
from pathlib import Path

import click
import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from pytest_llmreplay.cli.find import find
from pytest_llmreplay.cli.main import program
from pytest_llmreplay.config.schemas import json_schema
from pytest_llmreplay.mine.signals import Signal, expression_signal
from pytest_llmreplay.traces import parse_expression, write_conversations
from tests.mine.conftest import bot, talk, user

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("signals.md", "find.md")}


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[name], re.MULTILINE | re.DOTALL)


def test_every_signal_is_documented_as_it_is(signals):
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \| (.*) \|$", PAGES["signals.md"], re.MULTILINE)
    assert rows == [
        (s.name, s.category, s.stage, "SQL" if s.find is None else "Python", s.definition) for s in signals.values()
    ]


def test_own_signals_work_as_shown(told, signals):
    [written] = blocks("signals.md", "yaml")
    data = yaml.safe_load(written)
    jsonschema.validate(data, json_schema("signals"))
    for one in data["signals"]:
        expression = parse_expression(one["where"]).text
        signals[one["name"]] = expression_signal(
            one["name"], one["category"], one["stage"], one["definition"], expression
        )
    promised = talk(user("a"), bot("You get a refund."))
    kept = talk(user("a"), bot("I refund it.", ("refund", "{}")), named="b")
    assert set(told("promised_a_refund", promised, kept, known=signals)) == {"a"}
    assert set(told("long_talk", talk(*[user("x")] * 21), kept, known=signals)) == {"a"}


def test_the_python_signal_works_as_shown(told, signals):
    [code] = blocks("signals.md", "python")
    names = {}
    exec(compile(code, "signals.md", "exec"), names)
    [signal] = [value for value in names.values() if isinstance(value, Signal)]
    [one] = told("shouting", talk(user("WHERE IS IT"), bot("x")), known={**signals, "shouting": signal})["a"]
    assert (one.turn, one.text) == (1, "WHERE IS IT")


COMMANDS = [line for name in PAGES for block in blocks(name, "bash") for line in block.splitlines()]


@pytest.fixture
def logs(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    talks = [talk(user("a human please"), bot("I cannot help with that."), named=f"t-441{i}") for i in range(9)]
    write_conversations(tmp_path / "logs.parquet", talks)


@pytest.mark.usefixtures("logs")
def test_every_command_that_is_shown_runs():
    for line in COMMANDS:
        name, *arguments = shlex.split(line)
        assert name == "pytest-llmreplay"
        result = CliRunner().invoke(program, arguments)
        assert result.exit_code == 0, (line, result.output, result.exception)


def test_every_option_is_documented():
    for parameter in find.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in PAGES["find.md"] or parameter.opts[0] in ("--format", "--id-column")
