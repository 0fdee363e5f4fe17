"""JSON Schemas of the files that people write, so that editors complete and check them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pytest_llmreplay.compare.policy import GatePolicy, Waivers
from pytest_llmreplay.config.environment import EnvironmentFile
from pytest_llmreplay.config.migration import MigrationFile
from pytest_llmreplay.config.redaction import RedactionFile
from pytest_llmreplay.config.signals import SignalsFile
from pytest_llmreplay.config.variant import MessagesFile, ToolsFile, VariantFile
from pytest_llmreplay.model.expectation import Expectation
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.rubric import Rubric
from pytest_llmreplay.model.written import Written


class ExpectationsFile(Written):
    """`kind: expectations`: one expectation for several cases."""

    expect: Expectation


FILES: Mapping[str, type[BaseModel]] = {
    "variant": VariantFile,
    "environment": EnvironmentFile,
    "expectations": ExpectationsFile,
    "rubric": Rubric,
    "judge": Judge,
    "tools": ToolsFile,
    "messages": MessagesFile,
    "gate": GatePolicy,
    "waivers": Waivers,
    "redaction": RedactionFile,
    "migration": MigrationFile,
    "signals": SignalsFile,
}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a file of this kind."""
    schema = FILES[kind].model_json_schema(by_alias=True)
    schema["properties"] = {"kind": {"const": kind}, **schema["properties"]}
    schema["required"] = ["kind", *schema.get("required", [])]
    if kind == "variant":
        # A variant that extends another need not repeat what it takes from there.
        schema["required"] = ["kind", "name"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema to `folder`; files that are up to date are left alone. Returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in FILES:
        path = folder / f"{kind}.json"
        text = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written
