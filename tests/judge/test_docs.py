"""What docs/judge.md shows is what the program takes and says."""

import re
from functools import partial
from pathlib import Path

import jsonschema
import pytest
import yaml

from pytest_llmreplay.cli.judge import judge
from pytest_llmreplay.config.expectations import load_expectations
from pytest_llmreplay.config.gate import load_gate
from pytest_llmreplay.config.judge import load_judge, load_rubric
from pytest_llmreplay.config.schemas import json_schema
from pytest_llmreplay.judge.agreement import Figures
from pytest_llmreplay.judge.labelled import mode_of
from pytest_llmreplay.judge.labels import labels_of
from pytest_llmreplay.store.label_files import read_columns
from tests.cli.conftest import Program

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "judge.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_file_fits_its_schema_and_loads(block, tmp_path):
    data = yaml.safe_load(block)
    assert list(jsonschema.Draft202012Validator(json_schema(data["kind"])).iter_errors(data)) == []
    path, rubric = tmp_path / "file.yaml", tmp_path / "configs" / "rubrics" / "support.yaml"
    path.write_text(block, encoding="utf-8")
    rubric.parent.mkdir(parents=True)
    rubric.write_text(blocks("yaml")[0], encoding="utf-8")
    loaders = {
        "rubric": load_rubric,
        "judge": load_judge,
        "gate": load_gate,
        "expectations": partial(load_expectations, root=tmp_path),
    }
    assert loaders[data["kind"]](path)


def test_the_example_says_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setenv("COLUMNS", "100")
    labels, verdicts = blocks("csv")
    (tmp_path / "labels.csv").write_text(labels, encoding="utf-8")
    (tmp_path / "verdicts.csv").write_text(verdicts, encoding="utf-8")
    (shown,) = [block for block in blocks("console") if "--verdicts" in block]
    command, _, output = shown.partition("\n")
    said = Program(tmp_path)(*command.removeprefix("$ pytest-llmreplay ").split())
    assert said.output == output


def test_every_command_that_is_shown_exists():
    shown = set(re.findall(r"pytest-llmreplay judge ([a-z]+)", TEXT))
    assert {"label", "agree", "calibrate"} <= shown <= set(judge.commands)


def test_every_option_that_is_shown_exists():
    known = {name for command in judge.commands.values() for option in command.params for name in option.opts}
    for name in re.findall(r"(?<![-\w])--[a-z-]+[a-z]", TEXT):
        assert name in known or name.startswith("--llmreplay-"), name


def test_every_figure_is_explained():
    explained = TEXT.partition("## The figures")[2]
    for name in Figures.__dataclass_fields__:
        assert f"`{name}`" in explained or name == "table", name


def test_the_labels_of_the_demo_are_what_its_judge_is_asked_about():
    labels = labels_of(read_columns(ROOT / "examples" / "labels.jsonl"), "labels.jsonl")
    assert mode_of(labels) == "pointwise"
    assert sorted(item.label for item in labels.items.values()) == ["fail"] * 8 + ["pass"] * 8
    load_rubric(ROOT / "configs" / "rubrics" / "support.yaml")
    assert load_judge(ROOT / "configs" / "judge.yaml").target.model == "local/smollm2"
