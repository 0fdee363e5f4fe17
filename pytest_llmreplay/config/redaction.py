"""`kind: redaction`: what a project wants redacted beside what is always looked for, and what may stay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.written import Written, parse_written

_KIND = r"^[a-z][a-z0-9_]*$"


def _regex(pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if compiled.match(""):
        raise ValueError("matches the empty text, so it would match everywhere")
    return pattern


Regex = Annotated[str, AfterValidator(_regex)]
Kind = Annotated[str, Field(pattern=_KIND)]


class RedactionFile(Written):
    """`configs/redaction.yaml`."""

    patterns: dict[Kind, list[Regex]] = Field(
        default_factory=dict, description="Regular expressions by kind; the group `value`, else the whole, is replaced."
    )
    allow: list[str] = Field(default_factory=list, description="Texts that may stay.")
    allow_patterns: list[Regex] = Field(default_factory=list, description="Regular expressions of texts that may stay.")
    places: dict[str, Kind | None] = Field(
        default_factory=dict, description="Names of arguments, results and columns with their kind; null: none."
    )
    words: list[str] = Field(default_factory=list, description="Product words, which name no person.")
    languages: list[str] = Field(
        default_factory=lambda: ["en"], min_length=1, description="Whose words are no names, as in `de`."
    )
    regions: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = Field(
        default_factory=lambda: ["US", "GB", "DE"], description="Where national telephone numbers come from."
    )
    detectors: list[Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]] = Field(
        default_factory=list, description="module:function that takes a text and yields (start, stop, kind)."
    )


def load_redaction(path: Path) -> RedactionFile:
    """Load the file; one that is not there says nothing.

    Raises:
        UserError: a mistake in the file.
    """
    if not path.exists():
        return RedactionFile()
    return parse_written(RedactionFile, read_yaml(path, kind="redaction"), file=str(path))
