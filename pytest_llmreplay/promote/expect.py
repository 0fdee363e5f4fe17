"""The step that gives a case its expectation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.promote.pipeline import Step, StoppedError


def expect_from_file(expect: Mapping[str, Any]) -> Step:
    """Every case gets the same expectation, which has been validated."""

    def step(case: Case) -> Case:
        return replace(case, expect=expect)

    return step


def expect_from_column(column: str) -> Step:
    """Every case gets the expectation in its own row: an object or its JSON text; the column is then left out."""

    def step(case: Case) -> Case:
        value = case.metadata.get(column)
        if value in (None, "", {}):
            raise StoppedError(f"its column '{column}' is empty")
        expect = _unwrapped(_as_mapping(value, column))
        try:
            parse_expectation(expect, file=f"column '{column}'")
        except UserError as error:
            raise StoppedError(str(error)) from error
        metadata = {name: kept for name, kept in case.metadata.items() if name != column}
        return replace(case, expect=expect, metadata=metadata)

    return step


def _as_mapping(value: Any, column: str) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise StoppedError(f"its column '{column}' is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise StoppedError(f"its column '{column}' holds {type(value).__name__}, not an object")
    return value


def _unwrapped(expect: Mapping[str, Any]) -> dict[str, Any]:
    inner = expect.get("expect")
    return dict(inner if isinstance(inner, Mapping) else expect)
