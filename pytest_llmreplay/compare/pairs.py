"""Pairs: what happened to one case under the baseline and under the candidate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pytest_llmreplay.compare.rows import (
    CaseRows,
    Row,
    case_status_of,
    kind_of,
    reasons_of,
    text,
    weight_of,
)
from pytest_llmreplay.model.case import CaseStatus, Kind

Label = Literal["fixed", "regressed", "both_pass", "both_fail", "flaky", "unmeasured"]
LABELS: tuple[Label, ...] = get_args(Label)
DIMENSIONS = ("severity", "category", "stage", "intent", "tag", "kind")
_COLUMNS = {"category": ("failure_category", "category"), "stage": ("failure_stage", "stage")}


class Counts(dict[str, int]):
    """How many cases have each label; read by key (`counts["fixed"]`) or by name (`counts.fixed`)."""

    def __getattr__(self, name: str) -> int:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class Tally:
    """The trials of one case under one variant, by outcome."""

    passed: int = 0
    failed: int = 0
    error: int = 0
    unmeasured: int = 0
    not_run: int = 0

    @property
    def measured(self) -> int:
        """Trials that passed or failed."""
        return self.passed + self.failed

    @property
    def trials(self) -> int:
        """All trials, whatever became of them."""
        return self.measured + self.error + self.unmeasured + self.not_run

    @property
    def rate(self) -> float | None:
        """Share of the measured trials that passed, from 0 to 1; None when none was measured."""
        return self.passed / self.measured if self.measured else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class CasePair:
    """One case under both variants.

    `label` looks at the measured trials of both (see `label_of`); `difference` is the candidate's pass rate minus the
    baseline's. `failed_trials` are the candidate's failing trials and `reason` the first reason of the first of them,
    or of its first trial that was not measured. `slices` are the `(dimension, value)` to which the case belongs. None
    in `kind` and `case_status` means that the rows do not say.
    """

    case_id: str
    label: Label
    baseline: Tally
    candidate: Tally
    difference: float | None
    weight: float = 1.0
    kind: Kind | None = None
    case_status: CaseStatus | None = None
    severity: str | None = None
    suite: str | None = None
    slices: tuple[tuple[str, str], ...] = ()
    failed_trials: tuple[int, ...] = ()
    reason: str | None = None

    @property
    def must_pass(self) -> bool:
        """Whether a failure on the candidate is a regression of the ratchet.

        Controls and fixed incidents must pass. Where the rows do not say what a case is, what the baseline did stands
        in for it: a case that passed in every measured trial of the baseline must pass on.
        """
        if self.kind == "control" or self.case_status == "fixed":
            return True
        return self.case_status is None and self.baseline.measured > 0 and self.baseline.failed == 0


def label_of(baseline: Tally, candidate: Tally) -> Label:
    """The label of a case, by its measured trials; trials that errored or were not measured do not count.

    `unmeasured`: one of the variants has no measured trial. `flaky`: the measured trials of a variant disagree with
    each other. Else every measured trial of a variant said the same: `both_pass`, `both_fail`, `fixed` (the baseline
    fails, the candidate passes) or `regressed` (the other way round). With one trial a case is never flaky.
    """
    if baseline.rate is None or candidate.rate is None:
        return "unmeasured"
    if baseline.rate not in (0.0, 1.0) or candidate.rate not in (0.0, 1.0):
        return "flaky"
    if baseline.rate == candidate.rate:
        return "both_pass" if candidate.rate else "both_fail"
    return "fixed" if candidate.rate else "regressed"


def pair_of(case: CaseRows, dimensions: Sequence[str] = DIMENSIONS) -> CasePair:
    """The pair that a case's rows make.

    Raises:
        UserError: the kind, the status or the weight of the case is not allowed.
    """
    baseline, candidate = tally_of(case.baseline), tally_of(case.candidate)
    measured_twice = baseline.rate is not None and candidate.rate is not None
    return CasePair(
        case_id=case.case_id,
        label=label_of(baseline, candidate),
        baseline=baseline,
        candidate=candidate,
        difference=(candidate.rate or 0.0) - (baseline.rate or 0.0) if measured_twice else None,
        weight=weight_of(case),
        kind=kind_of(case),
        case_status=case_status_of(case),
        severity=text(case.first("severity")),
        suite=text(case.first("suite")),
        slices=tuple(_slices(case, dimensions)),
        failed_trials=tuple(int(row["trial"]) for row in case.candidate if row["status"] == "failed"),
        reason=_first_reason(case.candidate),
    )


def tally_of(rows: Iterable[Row]) -> Tally:
    """The rows of one case and variant, counted by outcome."""
    return Tally(**Counter(str(row["status"]) for row in rows))


def counts_of(pairs: Iterable[CasePair]) -> Counts:
    """How many pairs have each label, in the order of the labels."""
    found = Counter(pair.label for pair in pairs)
    return Counts({label: found[label] for label in LABELS})


def _slices(case: CaseRows, dimensions: Sequence[str]) -> Iterable[tuple[str, str]]:
    for dimension in dimensions:
        if dimension == "tag":
            yield from ((dimension, tag) for tag in _tags(case))
            continue
        value = text(case.first(*_COLUMNS.get(dimension, (dimension,))))
        if value is not None:
            yield dimension, value


def _tags(case: CaseRows) -> list[str]:
    tags = case.first("tags")
    if tags is None:
        return []
    return [tags] if isinstance(tags, str) else sorted({str(tag) for tag in tags})


def _first_reason(rows: Sequence[Row]) -> str | None:
    for status in ("failed", "error", "unmeasured", "not_run"):
        for row in rows:
            if row["status"] == status:
                return next((text(reason.get("message")) for reason in reasons_of(row)), None)
    return None
