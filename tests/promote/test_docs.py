"""What the pages on promotion, golden cases and redaction show is what the program takes."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pytest_llmreplay.cli.golden import golden
from pytest_llmreplay.cli.promote import promote
from pytest_llmreplay.config.schemas import json_schema

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("promote", "golden", "redaction")}
BLOCKS = [(name, block) for name, page in PAGES.items() for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[f"{page}-{i}" for i, (page, _) in enumerate(BLOCKS)])
def test_every_yaml_example_fits_its_schema(page, block):
    data = yaml.safe_load(block)
    assert list(jsonschema.Draft202012Validator(json_schema(data["kind"])).iter_errors(data)) == []


def options_of(command):
    return {option for parameter in command.params for option in parameter.opts if option.startswith("-")}


def test_every_option_that_the_page_on_promotion_names_exists():
    named = set(re.findall(r"(?<![\w-])--(?!llmreplay-)[a-z][a-z-]+", PAGES["promote"]))
    of_golden = {option for command in golden.commands.values() for option in options_of(command)}
    assert named - options_of(promote) - of_golden == set()


def test_every_option_of_promote_is_on_a_page():
    told = {"--help", "--out", "--suite", "--id-column", "--format", "--by-whom"}
    shown = {option for page in PAGES.values() for option in re.findall(r"--[a-z][a-z-]+", page)}
    assert options_of(promote) - shown - told == set()


def test_every_command_of_golden_is_on_its_page():
    for name, command in golden.commands.items():
        assert f"golden {name}" in PAGES["golden"] or f"`{name}`" in PAGES["golden"], name
        assert command.help
    for name in re.findall(r"`golden ([a-z-]+)", PAGES["golden"]):
        assert name in golden.commands, name
