"""Variants: YAML files in `configs/`, each of which may extend another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from pytest_llmreplay.config.references import is_reference, referred
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.conversation import Message, Tool
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.variant import ReplaySettings, TargetConfig, Variant
from pytest_llmreplay.model.written import Written, parse_written

_MERGED = ("target", "replay")
T = TypeVar("T")


class VariantFile(Written):
    """A variant as it is written; `extends` is already followed when it is validated."""

    name: str = Field(pattern=r"^[A-Za-z0-9][\w.+-]*$", description="Shown everywhere; unique in a run.")
    extends: str | None = Field(None, description="Another variant file, relative to this one.")
    target: TargetConfig
    system_prompt: str | None = Field(None, description="Text or file://PATH; a Jinja2 template with the case's vars.")
    tools: str | list[dict[str, Any]] | None = Field(None, description="A list of tools or file://PATH.")
    examples: str | list[dict[str, Any]] | None = Field(None, description="Earlier messages, or file://PATH.")
    replay: ReplaySettings = Field(default_factory=ReplaySettings)


class ToolsFile(Written):
    """`kind: tools`: tool schemas, in OpenAI's form or flat, with an optional `effect: read|write`."""

    tools: list[dict[str, Any]]


class MessagesFile(Written):
    """`kind: messages`: OpenAI chat messages; the arguments of tool calls may be written as mappings."""

    messages: list[dict[str, Any]]


def load_variant(path: Path, *, root: Path | None = None) -> Variant:
    """Load a variant with everything that it extends and refers to.

    Args:
        path: the YAML file.
        root: the project's folder; files outside of it are refused. None allows any.

    Raises:
        UserError: a mistake in one of the files.
    """
    data = _merged(path, root, seen=())
    written = parse_written(VariantFile, data, file=str(path))
    return Variant(
        name=written.name,
        target=written.target,
        system_prompt=written.system_prompt,
        tools=None if written.tools is None else _tools(written.tools, path),
        examples=_each(written.examples or [], path, "examples", Message.from_openai),
        replay=written.replay,
        file=str(path),
    )


def _merged(path: Path, root: Path | None, seen: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve() if seen else path
    if path.resolve() in seen:
        raise UserError("extends itself", file=str(path), key="extends")
    data = _with_files_read(read_yaml(path, kind="variant"), path, root)
    parent = data.pop("extends", None)
    if parent is None:
        return data
    if not isinstance(parent, str):
        raise UserError("must be the path of a variant file", file=str(path), key="extends", value=parent)
    base = _merged(referred(parent, base=path, root=root, key="extends"), root, (*seen, path.resolve()))
    base.pop("name", None)
    for key in _MERGED:
        if isinstance(base.get(key), dict) and isinstance(data.get(key), dict):
            data[key] = _overlaid(base[key], data[key])
    return {**base, **data}


def _overlaid(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`change` over `base`; a target of another type shares nothing with the one that it replaces."""
    if change.get("type", base.get("type")) != base.get("type"):
        return change
    params = {"params": {**base["params"], **change["params"]}} if "params" in base and "params" in change else {}
    return {**base, **change, **params}


def _with_files_read(data: dict[str, Any], path: Path, root: Path | None) -> dict[str, Any]:
    if is_reference(data.get("system_prompt")):
        file = referred(data["system_prompt"], base=path, root=root, key="system_prompt")
        data["system_prompt"] = file.read_text(encoding="utf-8")
    if is_reference(data.get("tools")):
        file = referred(data["tools"], base=path, root=root, key="tools")
        data["tools"] = parse_written(ToolsFile, read_yaml(file, kind="tools"), file=str(file)).tools
    if is_reference(data.get("examples")):
        file = referred(data["examples"], base=path, root=root, key="examples")
        data["examples"] = parse_written(MessagesFile, read_yaml(file, kind="messages"), file=str(file)).messages
    return data


def _tools(written: str | list[dict[str, Any]], path: Path) -> tuple[Tool, ...]:
    tools = _each(written, path, "tools", Tool.from_openai)
    names = [tool.name for tool in tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"tool '{twice[0]}' is defined twice", file=str(path), key="tools")
    return tools


def _each(
    written: str | list[dict[str, Any]], path: Path, key: str, read: Callable[[dict[str, Any]], T]
) -> tuple[T, ...]:
    if isinstance(written, str):
        raise UserError(f"must be a list of {key} or file://PATH", file=str(path), key=key, value=written)
    found = []
    for index, item in enumerate(written):
        try:
            found.append(read(item))
        except ValueError as error:
            raise UserError(str(error), file=str(path), key=f"{key}[{index}]") from error
    return tuple(found)
