"""Which trials a session has: every open or fixed case, on every variant, as often as asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import get_args

from pytest_llmreplay.model.case import Severity
from pytest_llmreplay.store.cases import CaseLabels

_FIRST_CONFIRMING = 1_000_001
_SEVERITIES = get_args(Severity)


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """One trial to run.

    `file` is the suite's path from the project's root, `row` the place of the case in it, from 0. A trial that only
    `confirms` a red one is not among the outcomes of the run.
    """

    file: str
    case_id: str
    variant: str
    trial: int
    labels: CaseLabels = field(compare=False, repr=False)
    row: int = field(compare=False, repr=False)
    confirms: bool = False

    @property
    def item_id(self) -> str:
        """How pytest names it inside its file."""
        return f"{self.case_id}[{self.variant}-{self.trial}]"

    def confirming(self, count: int) -> list[PlannedTrial]:
        """Fresh trials of the same case and variant, with numbers that no trial of a run has."""
        return [replace(self, trial=_FIRST_CONFIRMING + number, confirms=True) for number in range(count)]


def gravity(trial: PlannedTrial) -> int:
    """The place of a trial where the gravest go first, from 0."""
    severity = trial.labels.severity
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
