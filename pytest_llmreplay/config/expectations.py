"""`kind: expectations`: one expectation for several cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_llmreplay.config.judge import load_rubric
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.expectation import parse_expectation


def load_expectations(path: Path, *, root: Path) -> dict[str, Any]:
    """The expectation in a YAML file as plain data, with its paths taken from the project's root as in a case.

    Raises:
        UserError: a mistake in the file, or a rubric that is not there, has a mistake or lies outside of the project.
    """
    data = read_yaml(path, kind="expectations")
    expect = data.get("expect")
    if set(data) != {"expect"} or not isinstance(expect, dict):
        unknown = sorted(set(data) - {"expect"})
        if unknown:
            raise UserError("unknown key", file=str(path), key=unknown[0], value=unknown[0], allowed=["expect", "kind"])
        raise UserError("must be a mapping of keys to values", file=str(path), key="expect", value=expect)
    parse_expectation(expect, file=str(path))
    rubric = expect.get("rubric")
    if isinstance(rubric, dict) and isinstance(rubric.get("file"), str):
        file = (path.resolve().parent / rubric["file"]).resolve()
        if not file.is_relative_to(root):
            raise UserError("leads out of the project", file=str(path), key="expect.rubric.file", value=rubric["file"])
        load_rubric(file)
        expect["rubric"] = {**rubric, "file": file.relative_to(root).as_posix()}
    return expect
