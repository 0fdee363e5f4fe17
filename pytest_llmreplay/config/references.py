"""`file://…` and `${ENV}` in the files that people write."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pytest_llmreplay.model.errors import UserError

_SCHEME = "file://"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def is_reference(value: object) -> bool:
    """Whether a value refers to another file."""
    return isinstance(value, str) and value.startswith(_SCHEME)


def referred(value: str, *, base: Path, root: Path | None, key: str) -> Path:
    """The file that `file://PATH` in the file `base` refers to; PATH is relative to that file.

    Raises:
        UserError: there is no such file, or it lies outside `root`.
    """
    path = (base.parent / value.removeprefix(_SCHEME)).resolve()
    if root is not None and not path.is_relative_to(root.resolve()):
        raise UserError("leads out of the project", file=str(base), key=key, value=value)
    if not path.is_file():
        raise UserError("there is no such file", file=str(base), key=key, value=value)
    return path


def inside(root: Path, path: str, *, key: str) -> Path:
    """The file that a path from the project's folder names.

    Raises:
        UserError: it lies outside of the project.
    """
    found = (root / path).resolve()
    if not found.is_relative_to(root.resolve()):
        raise UserError("leads out of the project", key=key, value=path)
    return found


def fill_environment(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Replace each `${NAME}` by the environment variable of that name.

    Raises:
        UserError: a variable is not set.
    """
    environ = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environ:
            raise UserError(f"the environment variable {name} is not set")
        return environ[name]

    return _VARIABLE.sub(value, text)
