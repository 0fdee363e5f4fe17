"""A golden case as YAML that a person reviews and edits, and back, without losing anything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import yaml

from pytest_llmreplay.model.case import Case, Provenance, RecordedResult
from pytest_llmreplay.model.conversation import Message, Step, Tool, ToolCall
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.yaml_loader import YamlDumper, YamlLoader
from pytest_llmreplay.store.case_rows import JSON_COLUMNS, FieldError, case_from_row, json_text, row_of

# YAML changes or refuses these unless they are escaped between double quotes.
_ODD = re.compile("[\x00-\x1f\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\uffff]")

_TOP = ("case_id", "title", "suite", "case_kind", "status")
_PARSED = {"tools": "parameters", "messages": "content_parts"}
_PARTS: Mapping[str, Any] = {
    "messages": Message,
    "tools": Tool,
    "steps": Step,
    "recorded_results": RecordedResult,
    "tool_calls": ToolCall,
}


def case_to_yaml(case: Case) -> str:
    """The case as a YAML document; what has its default is left out.

    The kind of the case is `case_kind` here, since every YAML file of the project says its own `kind`.
    """
    row = row_of(case)
    for name in JSON_COLUMNS:
        row[name] = json.loads(row[name])
    row["provenance"]["correlation_ids"] = dict(row["provenance"]["correlation_ids"])
    row["case_kind"] = row.pop("kind")
    for name, field in _PARSED.items():
        for part in row[name] or ():
            part[field] = _readable(part[field])
    ordered = {name: row.pop(name) for name in _TOP} | row
    kept = _without_defaults(ordered, Case)
    document = {"kind": "case", **kept}
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30, default_flow_style=False
    )
    return text


def case_from_yaml(text: str, file: str = "<text>") -> Case:
    """The case in a YAML document.

    Args:
        text: the document.
        file: its name, for messages.

    Raises:
        UserError: it is not YAML, a key is unknown, or a value cannot be what it says.
    """
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"is not YAML that can be read: {reason}", file=file) from None
    if not isinstance(document, dict):
        raise UserError("is not a case: the document is not a mapping", file=file)
    if document.get("kind") != "case":
        raise UserError("is another kind of file", file=file, key="kind", value=document.get("kind"), allowed=["case"])
    _known_keys(document, [*_keys_of(Case), "case_kind"], file, "")
    try:
        return case_from_row(_row(document, file))
    except FieldError as error:
        key = "case_kind" if error.field == "kind" else error.field
        raise UserError(error.reason, file=file, key=key) from None


def _row(document: dict[str, Any], file: str) -> dict[str, Any]:
    row = {**document, "kind": document.get("case_kind")}
    row.pop("case_kind", None)
    for name, noun in _PARTS.items():
        if name in row:
            _check_parts(row[name], noun, file, name)
    if isinstance(row.get("provenance"), dict):
        _known_keys(row["provenance"], _keys_of(Provenance), file, "provenance.")
    for name in JSON_COLUMNS:
        if row.get(name) is not None:
            row[name] = _as_json(row[name], name)
    for name, field in _PARSED.items():
        if isinstance(row.get(name), list):
            row[name] = [_with_text(part, field, f"{name}[{i}].{field}") for i, part in enumerate(row[name])]
    return row


def _check_parts(parts: Any, noun: Any, file: str, path: str) -> None:
    for index, part in enumerate(parts if isinstance(parts, list) else ()):
        if isinstance(part, dict):
            where = f"{path}[{index}]."
            _known_keys(part, _keys_of(noun), file, where)
            if noun is Message:
                _check_parts(part.get("tool_calls"), ToolCall, file, where + "tool_calls")


def _known_keys(mapping: Mapping[Any, Any], allowed: list[str], file: str, path: str) -> None:
    for key in mapping:
        if key not in allowed:
            raise UserError("unknown key", file=file, key=path.rstrip(".") or None, value=key, allowed=sorted(allowed))


def _keys_of(noun: Any) -> list[str]:
    return [field.name for field in fields(noun)]


def _with_text(part: Any, field: str, path: str) -> Any:
    if isinstance(part, dict) and isinstance(part.get(field), dict | list):
        return {**part, field: _as_json(part[field], path)}
    return part


def _as_json(value: Any, path: str) -> str:
    try:
        return json_text(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise FieldError(path, f"cannot be JSON: {error}") from None


def _readable(text: str | None) -> Any:
    """A JSON text as data, where the very same text can be made of it again."""
    if text is None:
        return None
    data = json.loads(text)
    return data if isinstance(data, dict | list) and data and json_text(data) == text else text


def _without_defaults(row: Mapping[str, Any], noun: Any) -> dict[str, Any]:
    kept = {}
    for name, value in row.items():
        if name in _PARTS and value is not None:
            value = [_without_defaults(part, _PARTS[name]) for part in value]  # noqa: PLW2901
        elif name == "provenance":
            value = _without_defaults(value, Provenance)  # noqa: PLW2901
        if not _is_default(noun, name, value):
            kept[name] = value
    return kept


def _is_default(noun: Any, name: str, value: Any) -> bool:
    if name == "tools" and noun is Case:
        return value is None
    for field in fields(noun):
        if field.name == name:
            if field.default is MISSING and field.default_factory is MISSING:
                return False
            empty = field.default == () or field.default is MISSING
            return not value if empty else bool(value == field.default)
    return False


class _Loader(YamlLoader):
    """Refuses what a case never needs: aliases, which a hostile file multiplies without end, and repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node that is no alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias is not allowed in a case")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Construct a mapping in which each key is said once."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None
        if repeated is not None:
            raise yaml.YAMLError(f"the key {repeated!r} is said twice: {node.start_mark}")
        return super().construct_mapping(node, deep)


class _Dumper(YamlDumper):
    """Block style; a text of several lines is a literal block where YAML would keep each of its characters."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Anchors would save a few lines and puzzle a reviewer."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists inside mappings."""
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if _ODD.search(text.replace("\n", "")):
        style = '"'
    elif "\n" in text:
        block = not text[0].isspace() and not any(line != line.rstrip() for line in text.split("\n"))
        style = "|" if block else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
