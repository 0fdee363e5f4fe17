"""What a judge may reply, and how a reply is read: exactly one JSON object from the menu, or none. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.rubric import Criterion, Rubric

PASS, FAIL = "pass", "fail"
SIDES = ("first", "second", "tie")

_FENCED = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)


class OffMenuError(Exception):
    """A reply that is not one of those on the menu; the message never repeats any of it."""


def verdict_schema(rubric: Rubric) -> dict[str, Any]:
    """The JSON schema of a verdict: evidence, then a decision a criterion, then confidence."""
    ids = [criterion.id for criterion in rubric.criteria]
    return _object(
        evidence=_list_of(_object(criterion={"type": "string", "enum": ids}, quote={"type": "string"})),
        decisions=_object(**{criterion.id: _decision(criterion) for criterion in rubric.criteria}),
        confidence={"type": "string", "enum": ["low", "medium", "high"]},
    )


def pair_schema() -> dict[str, Any]:
    """The JSON schema of a choice between two."""
    return _object(
        evidence=_list_of(_object(side={"type": "string", "enum": list(SIDES[:2])}, quote={"type": "string"})),
        preferred={"type": "string", "enum": list(SIDES)},
    )


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as OpenAI-compatible endpoints take it."""
    return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": dict(schema)}}


def read_reply(text: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The one JSON object that a reply consists of, with or without a code fence around it.

    Raises:
        OffMenuError: it is something else, or not valid under the schema.
    """
    from jsonschema import Draft202012Validator

    written = (text or "").strip()
    fenced = _FENCED.fullmatch(written)
    try:
        value = json.loads(fenced[1] if fenced else written, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise OffMenuError("it is not one JSON object") from None
    error = next(Draft202012Validator(schema).iter_errors(value), None)
    if error is not None:
        raise OffMenuError(f"at {error.json_path} the schema's '{error.validator}' does not hold")
    reply: dict[str, Any] = value
    if list(reply) != schema["required"]:
        raise OffMenuError(f"its keys are not in the order {', '.join(schema['required'])}")
    return reply


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _decision(criterion: Criterion) -> dict[str, Any]:
    if criterion.scale == "pass_fail":
        return {"type": "string", "enum": [PASS, FAIL]}
    return {"type": "integer", "enum": [1, 2, 3, 4, 5]}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
