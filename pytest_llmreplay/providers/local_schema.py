"""A JSON schema as a grammar for the embedded model: the parts that such a schema leaves open are all it chooses. Pure.

Keys are written for it, in the order of the schema, and lists stay empty: a model this small copies no quotes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pytest_llmreplay.model.errors import InfrastructureError
from pytest_llmreplay.providers.local_grammar import literal

_TEXT = r'"\"" [^"\\\n\r\t]{0,120} "\""'


def schema_of(response_format: Any) -> Mapping[str, Any]:
    """The schema in a request's `response_format`, in OpenAI's form.

    Raises:
        InfrastructureError: it asks for something else.
    """
    inner = response_format.get("json_schema") if isinstance(response_format, Mapping) else None
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    if not isinstance(schema, Mapping):
        raise _unknown("response_format")
    return schema


def json_grammar(schema: Mapping[str, Any]) -> str:
    """The grammar of one JSON value under a schema.

    Raises:
        InfrastructureError: the schema holds more than objects, choices, texts and lists.
    """
    return f"root ::= {_rule(schema)}"


def _rule(schema: Mapping[str, Any]) -> str:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return "(" + " | ".join(literal(json.dumps(choice)) for choice in schema["enum"]) + ")"
    kind = schema.get("type")
    if kind == "object" and isinstance(schema.get("properties"), Mapping):
        members = [f"{literal(f'{json.dumps(name)}: ')} {_rule(inner)}" for name, inner in schema["properties"].items()]
        between = f" {literal(', ')} "
        return f"{literal('{')} {between.join(members)} {literal('}')}"
    if kind == "array":
        return literal("[]")
    if kind == "string":
        return _TEXT
    raise _unknown("schema")


def _unknown(what: str) -> InfrastructureError:
    return InfrastructureError(
        f"the embedded model replies under a JSON schema of objects, choices, texts and lists; this {what} is none",
        code="bad_param",
    )
