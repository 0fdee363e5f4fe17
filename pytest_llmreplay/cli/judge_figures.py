"""Figures of a judge or of people on the terminal or as JSON, and the floor that they are held against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.judge.measured import Measured


@dataclass(frozen=True, slots=True)
class Shown:
    """How figures are shown, and the floor that they are held against."""

    floor: float
    as_json: bool
    verbose: bool

    def say(
        self,
        measured: Measured,
        data: Mapping[str, Any] = MappingProxyType({}),
        lines: Sequence[str] = (),
        evidence: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """Print the figures, and below them what belongs to them alone as plain data or as paragraphs."""
        from pytest_llmreplay.cli.terminal import echo, screen_of
        from pytest_llmreplay.report.calibration import measured_data, measured_text

        if self.as_json:
            everything = {**measured_data(measured, self.floor, evidence), **data}
            click.echo(json.dumps(everything, indent=2, allow_nan=False))
            return
        screen = screen_of(quiet=False, verbose=self.verbose)
        echo("\n\n".join([measured_text(measured, screen, self.floor, evidence), *map(screen.paragraph, lines)]))


def floor_of(project: Project, min_kappa: float | None) -> float:
    """The floor that was asked for, else that of the project's gate."""
    from pytest_llmreplay.config.gate import judge_rule

    return judge_rule(project.configs / "gate.yaml").min_kappa if min_kappa is None else min_kappa
