"""Checking every file in `configs/`, so that all mistakes are mended at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pytest_llmreplay.config.environment import load_environment
from pytest_llmreplay.config.expectations import load_expectations
from pytest_llmreplay.config.gate import load_gate
from pytest_llmreplay.config.judge import load_judge, load_rubric
from pytest_llmreplay.config.migration import load_migration
from pytest_llmreplay.config.redaction import load_redaction
from pytest_llmreplay.config.schemas import FILES
from pytest_llmreplay.config.variant import MessagesFile, ToolsFile, load_variant
from pytest_llmreplay.config.waivers import load_waivers
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import Problems, UserError
from pytest_llmreplay.model.variant import Variant
from pytest_llmreplay.model.written import parse_written


def check_configs(folder: Path, root: Path) -> tuple[list[Variant], list[UserError]]:
    """Load every YAML file below a folder.

    Returns:
        The variants, and every mistake that was found.
    """
    variants: list[Variant] = []
    problems: list[UserError] = []
    checks: Mapping[str, Callable[[Path], object]] = {
        "variant": lambda path: variants.append(load_variant(path, root=root)),
        "environment": load_environment,
        "expectations": lambda path: load_expectations(path, root=root),
        "tools": lambda path: parse_written(ToolsFile, read_yaml(path, kind="tools"), file=str(path)),
        "messages": lambda path: parse_written(MessagesFile, read_yaml(path, kind="messages"), file=str(path)),
        "rubric": load_rubric,
        "judge": load_judge,
        "gate": load_gate,
        "waivers": load_waivers,
        "redaction": load_redaction,
        "migration": load_migration,
    }
    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        try:
            checks[_kind(path)](path)
        except Problems as error:
            problems.extend(error.problems)
        except UserError as error:
            problems.append(error)
    return variants, [*problems, *_shared_names(variants)]


def _kind(path: Path) -> str:
    kind = read_yaml(path).get("kind")
    if kind not in FILES:
        problem = "is missing" if kind is None else "unknown value"
        raise UserError(problem, file=str(path), key="kind", value=kind, allowed=list(FILES))
    return str(kind)


def _shared_names(variants: list[Variant]) -> Iterator[UserError]:
    first: dict[str, str] = {}
    for variant in variants:
        if variant.name in first:
            yield UserError(f"the name is taken by {first[variant.name]}", file=variant.file, key="name")
        first.setdefault(variant.name, variant.file)
