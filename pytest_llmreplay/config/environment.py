"""`configs/environment.yaml`: what answers tool calls that production never made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.variant import Environment, ResolverConfig
from pytest_llmreplay.model.written import Written, parse_written


class EnvironmentFile(Written):
    """`kind: environment`, shared by all variants."""

    stubs: dict[str, Any] = Field(default_factory=dict, description="Tool name to the JSON value that it returns.")
    functions: dict[str, str] = Field(default_factory=dict, description="Tool name to module:function.")
    resolver: ResolverConfig | None = Field(None, description="Brings back the text of cases that hold references.")


def load_environment(path: Path) -> Environment:
    """Load the environment; a file that is not there is an empty environment.

    Raises:
        UserError: a mistake in the file.
    """
    if not path.exists():
        return Environment()
    written = parse_written(EnvironmentFile, read_yaml(path, kind="environment"), file=str(path))
    for tool, function in written.functions.items():
        if function.count(":") != 1:
            raise UserError("must be module:function", file=str(path), key=f"functions.{tool}", value=function)
    both = sorted(set(written.stubs) & set(written.functions))
    if both:
        raise UserError(f"tool '{both[0]}' has both a stub and a function", file=str(path), key="stubs")
    return Environment(stubs=written.stubs, functions=written.functions, resolver=written.resolver)
