"""What the embedded model may write: grammars for the name of a tool and for its arguments. Pure.

The grammars are GBNF, llama.cpp's own notation. A value stands on the rest of its line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_llmreplay.model.conversation import Tool

ABSENT = "none"

_SCALARS = {
    "boolean": '("true" | "false")',
    "integer": '"-"? [0-9]{1,18}',
    "number": '"-"? [0-9]{1,15} ("." [0-9]{1,9})?',
    "null": '"null"',
}
_ID = "[A-Za-z0-9-]{1,40}"
_LINE = r"[^\n\r]{1,200}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool; `schema` is its JSON Schema, with the tool's `$defs` where it has any."""

    name: str
    schema: Mapping[str, Any]
    required: bool

    @property
    def type(self) -> str | None:
        """The declared type; the first one that is not null when there are several; None when it is not said."""
        declared = self.schema.get("type")
        if isinstance(declared, list):
            declared = next((name for name in declared if name != "null"), "null")
        return declared if isinstance(declared, str) else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of an `enum` or a `const`; empty when any value may stand."""
        if "const" in self.schema:
            return (self.schema["const"],)
        choices = self.schema.get("enum")
        return tuple(choices) if isinstance(choices, list) else ()


def parameters_of(tool: Tool) -> tuple[Parameter, ...]:
    """The parameters of a tool in the order of its schema; a schema that cannot be read has none."""
    try:
        schema = json.loads(tool.parameters or "{}")
    except ValueError:
        return ()
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return ()
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return tuple(
        Parameter(name, {**shared, **body} if isinstance(body, dict) else {}, name in names)
        for name, body in properties.items()
    )


def tool_choice(tools: Sequence[Tool]) -> str:
    """The grammar of a reply that is the name of one of the tools."""
    return "root ::= " + " | ".join(literal(f" {tool.name}") for tool in tools)


def answer_line() -> str:
    """The grammar of an answer: one line that says something."""
    return r'root ::= " "? [^ \n\r] [^\n\r]* "\n"?'


def value_constraint(parameter: Parameter) -> dict[str, Any]:
    """What bounds the value of an argument: a grammar for a line of text, or a JSON schema for lists and objects."""
    value = _value_rule(parameter)
    if value is None:
        return {"json_schema": dict(parameter.schema)}
    absent = "" if parameter.required else f" | {literal(ABSENT)}"
    return {"grammar": f'root ::= " " ({value}{absent}) "\\n"'}


def read_value(parameter: Parameter, text: str) -> Any:
    """The value that the model wrote, or None for an optional argument that it left out.

    Text that is not of the declared type is kept as text: judging it is the business of the checks.
    """
    written = text.strip()
    if not parameter.required and written == ABSENT:
        return None
    for choice in parameter.choices:
        if as_value_text(choice) == written:
            return choice
    if parameter.type == "string":
        return written
    try:
        return json.loads(written)
    except ValueError:
        return written


def as_value_text(value: Any) -> str:
    """A value as it stands on its line: text as it is, anything else as JSON, None as the word for left out."""
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


def _value_rule(parameter: Parameter) -> str | None:
    if parameter.choices:
        return " | ".join(literal(as_value_text(choice)) for choice in parameter.choices)
    if parameter.type == "string":
        return _ID if parameter.name == "id" or parameter.name.endswith("_id") else _LINE
    return _SCALARS.get(parameter.type or "")


def literal(text: str) -> str:
    """Text as it stands in a grammar."""
    escaped = "".join(
        f"\\x{ord(char):02X}" if ord(char) < 32 else f"\\{char}" if char in '"\\' else char
        for char in text.encode("utf-8", "replace").decode("utf-8")
    )
    return f'"{escaped}"'
