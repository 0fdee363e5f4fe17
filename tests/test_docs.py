"""What the README and docs/replay.md show is what the program takes."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pytest_llmreplay.cli.main import _COMMANDS
from pytest_llmreplay.config.schemas import FILES, json_schema
from pytest_llmreplay.session.options import INI_KEYS, OPTIONS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs" / "replay.md"]
BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
]


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[f"{page}-{i}" for i, (page, _) in enumerate(BLOCKS)])
def test_every_yaml_example_fits_its_schema(page, block):
    data = yaml.safe_load(block)
    if "kind" not in data:
        data = {"kind": "variant", "name": "x", **data}
    assert data["kind"] in FILES
    jsonschema.validate(data, json_schema(data["kind"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_is_shown_exists(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"pytest-llmreplay ([a-z][a-z-]+)", text):
        assert name in _COMMANDS, name
    for option in re.findall(r"--llmreplay-[a-z-]+[a-z]", text):
        assert option in OPTIONS, option


def test_every_option_and_ini_key_is_documented():
    shown = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    for name in (*OPTIONS, *INI_KEYS):
        assert name in shown, name


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_starter_project_is_valid():
    starter = ROOT / "pytest_llmreplay" / "cli" / "starter"
    for path in starter.rglob("*.yaml"):
        jsonschema.validate(yaml.safe_load(path.read_text()), json_schema("variant"))
    for line in (starter / "logs" / "example.jsonl").read_text().splitlines():
        assert json.loads(line)["expect"]
