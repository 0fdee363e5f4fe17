"""Whether a call is valid against the tool that was offered: JSON Schema 2020-12."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llmreplay.checks.called import Call
from pytest_llmreplay.checks.coercion import json_type
from pytest_llmreplay.checks.shown import safe, typed
from pytest_llmreplay.checks.tool_schema import OfferedTools, ToolSchema, read_schema
from pytest_llmreplay.model.outcome import Reason

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_SAYS_NOTHING = frozenset({"title", "description", "default", "examples", "$comment", "deprecated", "readOnly"})
_SIMPLE_ROOT = frozenset({"type", "properties", "required", "additionalProperties", "$schema"}) | _SAYS_NOTHING
_SIMPLE_PROPERTY = frozenset({"type", "enum"}) | _SAYS_NOTHING
_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})
_CODES = {"type": "type_error", "enum": "value_error", "const": "value_error"}


class SchemaFindings(NamedTuple):
    """What the offered tools say of the calls."""

    failures: Sequence[Reason]
    unmeasured: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class _SimpleSchema:
    """An object of scalar parameters: most tools; checked without building an error tree."""

    properties: Mapping[str, tuple[str, frozenset[str] | None]]
    required: frozenset[str]

    def accepts(self, arguments: Mapping[str, Any]) -> bool:
        """Whether the arguments are valid beyond doubt."""
        if not self.required <= arguments.keys():
            return False
        for name, value in arguments.items():
            declared, allowed = self.properties.get(name, ("", None))
            kind = json_type(value)
            if kind != declared and not (kind == "integer" and declared == "number"):
                return False
            if allowed is not None and value not in allowed:
                return False
        return True


def check_against_schemas(calls: Sequence[Call], offered: OfferedTools) -> SchemaFindings:
    """Every way in which the calls are not valid against the offered tools; it never raises."""
    if offered.schemas is None:
        reason = Reason("calls", "tools_unknown", "schema: nobody says which tools were offered", "schema")
        return SchemaFindings((), (reason,))
    failures: list[Reason] = []
    unusable: dict[str, Reason] = {}
    for index, call in enumerate(calls):
        schema = offered.schemas.get(call.name)
        place = f"calls[{index}]"
        name = safe(call.name)
        if schema is None:
            known = ", ".join(sorted(map(safe, offered.schemas))) or "none"
            message = f"{name} is not among the offered tools; offered: {safe(known, 300)}"
            failures.append(Reason("calls", "unknown_tool", message, f"{place}.name", None, typed(call.name)))
        elif call.arguments is None:
            message = f"{name}: the arguments are {call.problem}: {typed(call.raw, 200)}"
            failures.append(
                Reason("calls", "malformed_arguments", message, f"{place}.arguments", None, typed(call.raw))
            )
        else:
            try:
                failures += _invalid(call, schema, place)
            except ValueError as error:
                message = f"{name}: the tool's parameters are {error}"
                unusable.setdefault(call.name, Reason("calls", "bad_tool_schema", message, f"tools.{name}"))
    return SchemaFindings(failures, tuple(unusable.values()))


def check_against_schema(value: Any, schema: str) -> str | None:
    """Why a JSON value is not valid against a JSON Schema, in a sentence; None when it is.

    Raises:
        ValueError: the schema itself cannot be used.
    """
    errors = _validation_errors(value, schema)
    return f"{safe(errors[0].json_path)}: {safe(errors[0].message, 300)}" if errors else None


def _invalid(call: Call, schema: ToolSchema, place: str) -> Sequence[Reason]:
    """Every way in which a call's arguments are not valid.

    Raises:
        ValueError: the schema cannot be used.
    """
    if schema.text is None:
        raise ValueError("not known")
    if schema.problem is not None:
        raise ValueError(schema.problem)
    arguments = call.arguments or {}
    simple = _simple(schema.text)
    if simple is not None and simple.accepts(arguments):
        return ()
    found: dict[tuple[str, str], Reason] = {}
    for code, path, message, value in _errors(arguments, schema):
        sentence = f"{safe(call.name)}: {safe(message, 300)}"
        actual = None if code == "missing_argument" else typed(value)
        found.setdefault((code, path), Reason("calls", code, sentence, safe(f"{place}.arguments{path}"), None, actual))
    return tuple(found.values())


def _errors(arguments: Mapping[str, Any], schema: ToolSchema) -> Iterator[tuple[str, str, str, Any]]:
    """Code, path, message and value of every error."""
    if _closed(schema.root):
        for name in [name for name in arguments if name not in schema.properties]:
            yield "unexpected_argument", f".{name}", f"the tool has no parameter {typed(name, 60)}", arguments[name]
    for error in _validation_errors(arguments, schema.text or ""):
        path, instance = error.json_path[1:], _instance(error)
        if error.validator == "required" and isinstance(error.validator_value, list):
            for name in [name for name in error.validator_value if name not in instance]:
                yield "missing_argument", f"{path}.{name}", f"the required {typed(name, 60)} is missing", None
        elif error.validator == "additionalProperties" and error.validator_value is False:
            for name in _additional(error):
                yield "unexpected_argument", f"{path}.{name}", f"{typed(name, 60)} is not allowed", instance[name]
        else:
            yield _code(error), path, f"{path[1:] or 'the arguments'}: {error.message}", instance


def _validation_errors(value: Any, schema: str) -> list[ValidationError]:
    from referencing.exceptions import Unresolvable

    try:
        return list(_validator(schema).iter_errors(value))
    except (Unresolvable, RecursionError, re.error, OverflowError) as fault:
        raise ValueError(f"a schema that cannot be followed: {safe(str(fault))}") from fault


def _code(error: ValidationError) -> str:
    if error.validator in ("anyOf", "oneOf") and error.context:
        return "type_error" if all(inner.validator == "type" for inner in error.context) else "schema_error"
    return _CODES.get(str(error.validator), "schema_error")


def _additional(error: ValidationError) -> list[str]:
    declared = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    patterns = error.schema.get("patternProperties", {}) if isinstance(error.schema, Mapping) else {}
    return [n for n in _instance(error) if n not in declared and not any(re.search(p, n) for p in patterns)]


def _instance(error: ValidationError) -> Any:
    return error.instance


def _closed(root: Mapping[str, Any]) -> bool:
    """Whether a parameter that is not declared is unexpected: always, unless the schema opens itself."""
    opened = root.get("additionalProperties") not in (None, False)
    composed = any(word in root for word in ("patternProperties", "anyOf", "oneOf", "allOf", "if", "$ref"))
    return "properties" in root and not opened and not composed


@lru_cache(maxsize=4096)
def _simple(text: str) -> _SimpleSchema | None:
    """The schema, if it is a simple one."""
    root = read_schema(text).root
    properties = root.get("properties", {})
    required = root.get("required", [])
    if root.get("type") != "object" or not root.keys() <= _SIMPLE_ROOT or not isinstance(properties, dict):
        return None
    if root.get("additionalProperties", False) is not False or not _all_text(required):
        return None
    if not all(isinstance(schema, dict) and _is_simple_property(schema) for schema in properties.values()):
        return None
    allowed = {n: frozenset(schema["enum"]) if "enum" in schema else None for n, schema in properties.items()}
    return _SimpleSchema({n: (schema["type"], allowed[n]) for n, schema in properties.items()}, frozenset(required))


def _is_simple_property(schema: Mapping[str, Any]) -> bool:
    if not schema.keys() <= _SIMPLE_PROPERTY or schema.get("type") not in _SCALARS:
        return False
    return "enum" not in schema or (schema["type"] == "string" and _all_text(schema["enum"]))


def _all_text(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


@lru_cache(maxsize=1024)
def _validator(text: str) -> Draft202012Validator:
    """The compiled validator. Its registry is empty, so that no reference leads to the network or the disk.

    Raises:
        ValueError: the text is no JSON Schema 2020-12.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = read_schema(text)
    if schema.problem is not None:
        raise ValueError(schema.problem)
    try:
        Draft202012Validator.check_schema(schema.root)
    except SchemaError as error:
        raise ValueError(f"no JSON Schema 2020-12: {safe(error.json_path)}: {safe(error.message, 200)}") from error
    except (RecursionError, re.error) as error:
        raise ValueError(f"no usable JSON Schema: {safe(str(error))}") from error
    return Draft202012Validator(schema.root, registry=EMPTY_REGISTRY)
