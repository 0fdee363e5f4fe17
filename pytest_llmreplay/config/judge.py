"""`kind: rubric` and `kind: judge`."""

from __future__ import annotations

from pathlib import Path

from pytest_llmreplay.config.references import inside
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.judge import Judge
from pytest_llmreplay.model.rubric import InlineRubric, Rubric, RubricReference
from pytest_llmreplay.model.written import parse_written


def load_rubric(path: Path) -> Rubric:
    """Load a rubric.

    Raises:
        UserError: there is no such file, or a mistake in it.
    """
    if not path.is_file():
        raise UserError("there is no such rubric", file=str(path))
    return parse_written(Rubric, read_yaml(path, kind="rubric"), file=str(path))


def rubric_of(expected: RubricReference | InlineRubric, root: Path) -> Rubric:
    """The rubric that a case names, or that stands in it.

    Args:
        expected: the case's `expect.rubric`.
        root: the project's folder, from which the paths in a case are.

    Raises:
        UserError: there is no such file, it lies outside of the project, or a mistake is in it.
    """
    if isinstance(expected, RubricReference):
        return load_rubric(inside(root, expected.file, key="expect.rubric.file"))
    return expected


def load_judge(path: Path) -> Judge:
    """Load the judge.

    Raises:
        UserError: there is no such file, or a mistake in it.
    """
    if not path.is_file():
        raise UserError("there is no such judge", file=str(path), fix="see docs/judge.md for one that works")
    return parse_written(Judge, read_yaml(path, kind="judge"), file=str(path))
