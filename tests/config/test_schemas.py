import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from pytest_llmreplay.config.schemas import FILES, json_schema

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("kind", sorted(FILES))
def test_the_committed_schemas_are_those_that_the_models_give(kind):
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))
    assert json.loads((CONFIGS / "schemas" / f"{kind}.json").read_text()) == json_schema(kind)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_config_names_its_schema_and_fits_it(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = path.parent / first.partition("=")[2]
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(schema.read_text()))
