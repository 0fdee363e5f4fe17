"""`configs/gate.yaml`: the policy that turns a comparison into a decision."""

from __future__ import annotations

from pathlib import Path

from pytest_llmreplay.compare.policy import GatePolicy, JudgeRule
from pytest_llmreplay.config.yaml_file import read_yaml
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.written import parse_written


def load_gate(path: Path) -> GatePolicy:
    """Load a gate policy.

    Raises:
        UserError: there is no such file, or a mistake in it.
    """
    if not path.is_file():
        raise UserError(
            "there is no gate policy", file=str(path), fix="the smallest one is the line 'kind: gate'; see docs/gate.md"
        )
    return parse_written(GatePolicy, read_yaml(path, kind="gate"), file=str(path))


def judge_rule(path: Path) -> JudgeRule:
    """What a gate policy asks of the judge; a project without a policy asks what is asked by default.

    Raises:
        UserError: a mistake in the file.
    """
    return load_gate(path).judge if path.is_file() else JudgeRule()
