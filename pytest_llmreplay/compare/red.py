"""The red list: the cases that stand against a candidate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_llmreplay.compare.pairs import CasePair

RedRule = Literal["max_regressions", "must_fix", "overdue"]


@dataclass(frozen=True, slots=True)
class RedItem:
    """One case that stands against the candidate; `trials` are the candidate's failing trials."""

    case_id: str
    rule: RedRule
    severity: str | None
    trials: tuple[int, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The fresh trials of one red case; the trial that made it red is not among them."""

    passed: int
    failed: int

    @property
    def clears(self) -> bool:
        """Whether the case is no regression: trials were measured and no strict majority of them failed."""
        return self.passed + self.failed > 0 and 2 * self.failed <= self.passed + self.failed


def red_items(pairs: Sequence[CasePair], confirmations: Mapping[str, Confirmation]) -> tuple[list[RedItem], list[str]]:
    """The cases that must pass and failed in any trial of the candidate, and the ids that fresh trials cleared."""
    red, cleared = [], []
    for pair in pairs:
        if not (pair.must_pass and pair.candidate.failed):
            continue
        confirmation = confirmations.get(pair.case_id)
        if confirmation is not None and confirmation.clears:
            cleared.append(pair.case_id)
        else:
            red.append(_item(pair, "max_regressions", pair.reason or "failed"))
    return red, cleared


def unfixed_items(pairs: Sequence[CasePair], must_fix: Sequence[str], *, known: Sequence[RedItem]) -> list[RedItem]:
    """The cases of `must_fix` that failed in any trial of the candidate; `known` are red already."""
    wanted = set(must_fix) - {item.case_id for item in known}
    return [
        _item(pair, "must_fix", pair.reason or "still fails")
        for pair in pairs
        if pair.case_id in wanted and pair.candidate.failed
    ]


def overdue_items(
    pairs: Sequence[CasePair], due: Mapping[str, dt.date], today: dt.date, *, known: Sequence[RedItem]
) -> list[RedItem]:
    """The open cases past their due date that failed in any trial of the candidate; `known` are red already."""
    late = {case_id for case_id, day in due.items() if day < today} - {item.case_id for item in known}
    return [
        _item(pair, "overdue", f"was due on {due[pair.case_id]} and still fails")
        for pair in pairs
        if pair.case_id in late and pair.case_status == "open" and pair.candidate.failed
    ]


def _item(pair: CasePair, rule: RedRule, message: str) -> RedItem:
    return RedItem(pair.case_id, rule, pair.severity, pair.failed_trials, message)
