"""Which trials a session has: every open or fixed case, on every variant, as often as asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_llmreplay.store.cases import CaseEntry


@dataclass(frozen=True, slots=True)
class PlannedTrial:
    """One trial to run. `file` is the suite's path from the project's root, `entry` the flat columns of the case."""

    file: str
    case_id: str
    variant: str
    trial: int
    entry: CaseEntry = field(compare=False, repr=False)

    @property
    def item_id(self) -> str:
        """How pytest names it inside its file."""
        return f"{self.case_id}[{self.variant}-{self.trial}]"
