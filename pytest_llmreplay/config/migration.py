"""`kind: migration`: tools that got another name or other arguments."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.written import Written, parse_written


class ToolChange(Written):
    """What became of one tool."""

    name: str | None = Field(None, min_length=1, description="Its new name.")
    arguments: dict[str, str | None] = Field(
        default_factory=dict, description="Old argument to new one; null drops it."
    )
    results: dict[str, str | None] = Field(default_factory=dict, description="The same for keys of its results.")


class MigrationFile(Written):
    """`MAP.yaml` of `golden migrate-tools`."""

    tools: dict[str, ToolChange] = Field(min_length=1, description="Changes by the tool's old name.")


def load_migration(path: Path) -> MigrationFile:
    """Load the file.

    Raises:
        UserError: a mistake in the file.
    """
    return parse_written(MigrationFile, read_yaml(path, kind="migration"), file=str(path))
