"""Reading the YAML files that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.yaml_loader import load_yaml


def read_yaml(path: Path, *, kind: str | None = None) -> dict[str, Any]:
    """The mapping in a YAML file; with `kind`, the file must say that kind, and the key `kind` is taken out.

    Raises:
        UserError: the file cannot be read, is not YAML, is no mapping or says another kind.
    """
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", file=name) from error
    except UnicodeDecodeError as error:
        raise UserError("is not UTF-8 text", file=name) from error
    try:
        data = load_yaml(text)
    except yaml.MarkedYAMLError as error:
        place = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"is not YAML{place}: {error.problem or error.context}", file=name) from error
    except yaml.YAMLError as error:
        raise UserError(f"is not YAML: {error}", file=name) from error
    if not isinstance(data, dict):
        raise UserError("must be a mapping of keys to values", file=name)
    if kind is not None:
        said = data.pop("kind", None)
        if said is None:
            raise UserError(f"is missing; write 'kind: {kind}'", file=name, key="kind")
        if said != kind:
            raise UserError(f"must be '{kind}' here", file=name, key="kind", value=said, allowed=[kind])
    return data
