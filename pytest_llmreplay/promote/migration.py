"""A change of tools, carried through a case: its id stays, its calls, results and expectations follow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_llmreplay.model.canonical import canonical_arguments
from pytest_llmreplay.model.case import ANY_ARGUMENTS, Case, RecordedResult
from pytest_llmreplay.model.conversation import Message, Tool, ToolCall

Renames = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ToolMigration:
    """What became of one tool; in the mappings None drops an argument or a key of the result."""

    name: str
    arguments: Renames = field(default_factory=dict)
    results: Renames = field(default_factory=dict)


def migrate_tools(case: Case, changes: Mapping[str, ToolMigration]) -> Case:
    """The case as if it had been recorded with the changed tools."""
    return replace(
        case,
        messages=_messages(case.messages, changes),
        tools=None if case.tools is None else tuple(_tool(tool, changes.get(tool.name)) for tool in case.tools),
        recorded_results=tuple(_result(result, changes.get(result.name)) for result in case.recorded_results),
        expect=_expect(case.expect, changes),
    )


def _messages(messages: Sequence[Message], changes: Mapping[str, ToolMigration]) -> tuple[Message, ...]:
    made: list[Message] = []
    pending: list[ToolCall] = []
    for message in messages:
        if message.tool_calls:
            pending = list(message.tool_calls)
            calls = tuple(_call(call, changes.get(call.name)) for call in message.tool_calls)
            made.append(replace(message, tool_calls=calls))
        elif message.role in ("tool", "function") and pending:
            answered = next((i for i, call in enumerate(pending) if call.id == message.tool_call_id), 0)
            change = changes.get(pending.pop(answered).name)
            made.append(message if change is None else _answer(message, change))
        else:
            made.append(message)
    return tuple(made)


def _answer(message: Message, change: ToolMigration) -> Message:
    content = message.content if message.content is None else _renamed_text(message.content, change.results)
    return replace(message, content=content, name=change.name if message.name else message.name)


def _call(call: ToolCall, change: ToolMigration | None) -> ToolCall:
    return call if change is None else ToolCall(call.id, change.name, _renamed_text(call.arguments, change.arguments))


def _result(result: RecordedResult, change: ToolMigration | None) -> RecordedResult:
    if change is None:
        return result
    arguments = result.arguments
    if arguments != ANY_ARGUMENTS and change.arguments:
        arguments = canonical_arguments(_renamed_text(arguments, change.arguments))
    return replace(result, name=change.name, arguments=arguments, result=_renamed_text(result.result, change.results))


def _tool(tool: Tool, change: ToolMigration | None) -> Tool:
    if change is None:
        return tool
    if tool.parameters is None or not change.arguments:
        return replace(tool, name=change.name)
    schema: Any = json.loads(tool.parameters)
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            schema["properties"] = _renamed(schema["properties"], change.arguments)
        if isinstance(schema.get("required"), list):
            renamed = (change.arguments.get(name, name) for name in schema["required"])
            schema["required"] = [name for name in renamed if name is not None]
    return replace(tool, name=change.name, parameters=json.dumps(schema, ensure_ascii=False))


def _expect(expect: Mapping[str, Any], changes: Mapping[str, ToolMigration]) -> Mapping[str, Any]:
    calls = expect.get("calls")
    if not isinstance(calls, Mapping):
        return expect
    changed = dict(calls)
    if isinstance(calls.get("expected"), list | tuple):
        changed["expected"] = [_expected(call, changes) for call in calls["expected"]]
    if isinstance(calls.get("forbidden"), list | tuple):
        changed["forbidden"] = [changes[name].name if name in changes else name for name in calls["forbidden"]]
    if isinstance(calls.get("called"), Mapping):
        changed["called"] = {changes[n].name if n in changes else n: bounds for n, bounds in calls["called"].items()}
    return {**expect, "calls": changed}


def _expected(call: Mapping[str, Any], changes: Mapping[str, ToolMigration]) -> Mapping[str, Any]:
    change = changes.get(str(call.get("name")))
    if change is None:
        return call
    changed = {**call, "name": change.name}
    if isinstance(call.get("args"), Mapping):
        changed["args"] = _renamed(call["args"], change.arguments)
    if isinstance(call.get("keys"), list | tuple):
        keys = (_renamed_path(path, change.arguments) for path in call["keys"])
        changed["keys"] = [key for key in keys if key is not None]
    return changed


def _renamed_path(path: str, renames: Renames) -> str | None:
    head, dot, rest = path.partition(".")
    new = renames.get(head, head)
    return None if new is None else new + dot + rest


def _renamed_text(text: str, renames: Renames) -> str:
    """JSON text of an object, or a list of objects, with its keys renamed; other text as it is."""
    if not renames:
        return text
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(data, dict):
        return json.dumps(_renamed(data, renames), ensure_ascii=False)
    if isinstance(data, list):
        return json.dumps([_renamed(i, renames) if isinstance(i, dict) else i for i in data], ensure_ascii=False)
    return text


def _renamed(data: Mapping[str, Any], renames: Renames) -> dict[str, Any]:
    pairs = ((renames.get(name, name), value) for name, value in data.items())
    return {name: value for name, value in pairs if name is not None}
