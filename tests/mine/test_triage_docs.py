"""docs/triage.md says what is so."""

import json
import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pytest_llmreplay.cli.main import program
from pytest_llmreplay.cli.triage import triage
from pytest_llmreplay.cli.triaging import COLUMNS, STANDARD
from pytest_llmreplay.mine.triage.failures import IN_THEMSELVES
from pytest_llmreplay.mine.triage.spread import ROUTING_RULE, SPREAD_RULE
from pytest_llmreplay.mine.triage.suggestions import Suggestion
from pytest_llmreplay.mine.triage.ways import COMPLAINTS
from tests.cli.conftest import model_file
from tests.loopback import ScriptedModel, completion, serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "triage.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def section(title):
    return re.search(rf"^## {re.escape(title)}.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[0]


def in_table(title):
    """The names in the first column of a section's table."""
    rows = re.findall(r"^\| (`.*?) \|", section(title), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]


@pytest.fixture
def run(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("PYTEST_LLMREPLAY_REDACTION_KEY", "a key for the tests only")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "support.parquet").write_bytes((ROOT / "examples" / "logs" / "support.parquet").read_bytes())

    def run_(*arguments):
        result = CliRunner().invoke(program, arguments)
        assert result.exit_code == 0, (arguments, result.output, result.exception)
        return result

    with serving(ScriptedModel(completion("Orders")).routes()) as url:
        model_file(tmp_path, url).rename(tmp_path / "configs" / "namer.yaml")
        yield run_


def test_every_command_that_is_shown_runs(run, tmp_path):
    for block in blocks("bash"):
        shutil.rmtree(tmp_path / "golden", ignore_errors=True)
        for line in block.splitlines():
            name, *arguments = shlex.split(line)
            assert name == "pytest-llmreplay"
            run(*arguments)
    assert {path.name for path in tmp_path.iterdir()} >= {
        "suggestions.parquet",
        "triage.html",
        "intents.parquet",
        "golden",
    }
    assert list((tmp_path / "golden" / "triaged").glob("*.parquet"))


def test_it_says_what_is_shown(run):
    output = run("triage", "support.parquet").output
    [shown] = blocks("text")
    assert set(shown.splitlines()) <= set(output.splitlines())


def test_every_field_is_documented(run):
    data = json.loads(run("triage", "support.parquet", "--suggest", "2", "--json").stdout)
    text = section("`--json`")
    assert set(in_table("`--json`")) == set(data)
    for name in ("findings", "tools", "changes"):
        for field in data[name][0] if data[name] else ():
            assert f"`{field}`" in text, field
    for name in ("verdict", "routing", "failing"):
        assert all(re.search(rf"\b{field}\b", text) for field in data[name]), name
    suggested = in_table("What is worth promoting: `--suggest N`")
    assert suggested == [field.name for field in fields(Suggestion)] == list(data["suggestions"][0])


def test_every_option_dimension_and_signal_is_documented():
    for parameter in triage.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in PAGE or parameter.opts[0] in ("--format", "--id-column")
    for name in (*COLUMNS, *STANDARD, *IN_THEMSELVES, *COMPLAINTS):
        assert f"`{name}`" in PAGE, name


def test_the_rules_are_those_that_are_printed():
    for rule in (SPREAD_RULE, ROUTING_RULE):
        assert rule in " ".join(PAGE.split())
