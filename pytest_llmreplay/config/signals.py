"""`kind: signals`: an application's own signals of failure, as expressions over the canonical columns."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.case import FailureCategory, FailureStage
from pytest_llmreplay.model.written import Written, parse_written


class OwnSignal(Written):
    """A signal that shows where an expression is true of a conversation."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="As `find --signal` takes it.")
    category: FailureCategory
    stage: FailureStage
    definition: str = Field(min_length=1, description="What it means, for people.")
    where: str = Field(min_length=1, description="A boolean expression over the canonical columns, as for --where.")


class SignalsFile(Written):
    """`configs/signals.yaml`."""

    signals: list[OwnSignal]


def load_signals(path: Path) -> tuple[OwnSignal, ...]:
    """Load the file; one that is not there says nothing.

    Raises:
        UserError: a mistake in the file.
    """
    if not path.exists():
        return ()
    return tuple(parse_written(SignalsFile, read_yaml(path, kind="signals"), file=str(path)).signals)
