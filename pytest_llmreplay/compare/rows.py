"""Outcomes as plain rows: what a row must and may hold, and how a case's rows of two variants are put side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, get_args

from pytest_llmreplay.model.case import CaseStatus, Kind
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.model.outcome import OutcomeStatus

Row = Mapping[str, Any]
"""One outcome: `case_id, variant, trial, status`, and what else is known.

That is `kind`, `case_status`, `weight`, slice columns (`severity`, `failure_category`, `failure_stage`, `intent`,
`tags`), `score`, `cost_usd`, `latency_s`, `tokens` or `input_tokens` and `output_tokens`, `reasons`, `calls`, `answer`
and digests.
"""

STATUSES: tuple[str, ...] = get_args(OutcomeStatus)
_PLAIN = frozenset({str, int, bool, type(None), list, dict, tuple})
MEASURED = frozenset({"passed", "failed"})
_DIGESTS = {
    "case_digest": "contents of the case",
    "environment_digest": "environment",
    "rubric_digest": "rubric",
    "judge_digest": "judge",
}


@dataclass(frozen=True, slots=True)
class CaseRows:
    """The rows of one case, in the order of their trials."""

    case_id: str
    baseline: tuple[Row, ...]
    candidate: tuple[Row, ...]

    def first(self, *columns: str) -> Any:
        """The first of the columns that says anything, the candidate's rows first; None when none does."""
        for column in columns:
            for row in (*self.candidate, *self.baseline):
                value = row.get(column)
                if not _absent(value):
                    return value
        return None


def measured(rows: Sequence[Row]) -> list[Row]:
    """The rows whose trial passed or failed."""
    return [row for row in rows if row["status"] in MEASURED]


def variants_of(rows: Iterable[Row]) -> list[str]:
    """The variants in the rows, in the order in which they first appear."""
    return list(dict.fromkeys(str(row.get("variant")) for row in rows))


def group_rows(rows: Iterable[Row], *, baseline: str, candidate: str) -> list[CaseRows]:
    """The rows of two variants by case, sorted by case id; a case may lack the rows of one variant.

    Raises:
        UserError: a row lacks a column or holds a value that is not allowed, a trial occurs twice, a variant does not
            occur at all, or baseline and candidate are the same.
    """
    if baseline == candidate:
        raise UserError("baseline and candidate are the same variant", value=baseline)
    found: dict[str, None] = {}
    grouped: dict[str, dict[str, dict[int, Row]]] = {}
    for number, given in enumerate(rows, start=1):
        row = plain_row(given)
        case_id, variant, trial = _identity(row, number)
        found[variant] = None
        if variant not in (baseline, candidate):
            continue
        trials = grouped.setdefault(case_id, {baseline: {}, candidate: {}})[variant]
        if trial in trials:
            raise UserError(
                f"row {number}: case '{case_id}' has trial {trial} of variant '{variant}' twice",
                fix="compare one run of a variant, or number its trials on",
            )
        trials[trial] = row
    for name, role in ((baseline, "baseline"), (candidate, "candidate")):
        if name not in found:
            raise UserError(f"no outcome belongs to the {role}", value=name, allowed=list(found))
    return [
        CaseRows(case_id, *(tuple(row for _, row in sorted(sides[name].items())) for name in (baseline, candidate)))
        for case_id, sides in sorted(grouped.items())
    ]


def plain_row(row: Row) -> Row:
    """The row with values of Python: scalars and arrays of NumPy and Arrow are converted, what is missing is None.

    Missing are not-a-number and the `NA` of pandas, with which a data frame fills the columns that a row does not have.
    """
    odd = {name: _plain(value) for name, value in row.items() if type(value) not in _PLAIN}
    return {**row, **odd} if odd else row


def _plain(value: Any) -> Any:
    for convert in ("as_py", "tolist"):
        if hasattr(value, convert):
            value = getattr(value, convert)()
    try:
        return None if value != value else value  # noqa: PLR0124
    except TypeError:
        # pandas.NA does not say whether it equals itself.
        return None


def differences_of_material(cases: Iterable[CaseRows]) -> list[str]:
    """What was not the same for both variants (case contents, environment, rubric, judge), a sentence each.

    A digest that is absent says nothing and differs from nothing.
    """
    sentences = []
    listed = list(cases)
    for column, what in _DIGESTS.items():
        different = [case.case_id for case in listed if _digests_differ(case, column)]
        if different:
            named = ", ".join(different[:3]) + (f" and {len(different) - 3} more" if len(different) > 3 else "")
            sentences.append(f"the {what} differ{'' if what.startswith('contents') else 's'} in {named}")
    return sentences


def text(row_or_value: object) -> str | None:
    """A value of a row as text; None and not-a-number are absent."""
    return None if _absent(row_or_value) else str(row_or_value)


def number(row: Row, column: str) -> float | None:
    """A figure of a row as a float; None when it is absent.

    Raises:
        UserError: the value is no number.
    """
    value = row.get(column)
    if type(value) is float and math.isfinite(value):
        return value
    if _absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, Real, Decimal)) or not math.isfinite(value):
        raise UserError(f"{column} of case '{row['case_id']}' is not a number", key=column, value=value)
    return float(value)


def reasons_of(row: Row) -> list[Row]:
    """The reasons of a trial as mappings; a reason that is only text becomes its message."""
    reasons = row.get("reasons")
    if reasons is None:
        return []
    listed = [reasons] if isinstance(reasons, (str, Mapping)) else list(reasons)
    return [reason if isinstance(reason, Mapping) else {"message": str(reason)} for reason in listed]


def kind_of(case: CaseRows) -> Kind | None:
    """Whether the case is an incident or a control; None when no row says it."""
    value: Kind | None = _word(case, "kind", get_args(Kind))
    return value


def case_status_of(case: CaseRows) -> CaseStatus | None:
    """The status of the case itself; None when no row says it."""
    value: CaseStatus | None = _word(case, "case_status", get_args(CaseStatus))
    return value


def weight_of(case: CaseRows) -> float:
    """How many production conversations the case stands for; 1 when no row says it.

    Raises:
        UserError: the weight is not a positive number.
    """
    weights = [number(row, "weight") for row in (*case.candidate, *case.baseline)]
    weight = next((weight for weight in weights if weight is not None), 1.0)
    if weight <= 0:
        raise UserError(f"the weight of case '{case.case_id}' is not positive", key="weight", value=weight)
    return weight


def _identity(row: Row, row_number: int) -> tuple[str, str, int]:
    for column in ("case_id", "variant", "trial", "status"):
        if _absent(row.get(column)):
            raise UserError(
                f"row {row_number} has no {column}", fix="every row needs case_id, variant, trial and status"
            )
    if row["status"] not in STATUSES:
        raise UserError(
            f"row {row_number} has an unknown status", key="status", value=row["status"], allowed=list(STATUSES)
        )
    trial = row["trial"]
    if isinstance(trial, bool) or not isinstance(trial, (int, float, Real)) or not float(trial).is_integer():
        raise UserError(f"row {row_number}: a trial is a whole number", key="trial", value=trial)
    return str(row["case_id"]), str(row["variant"]), int(float(trial))


def _word(case: CaseRows, column: str, allowed: Sequence[str]) -> Any:
    value = case.first(column)
    if value is not None and value not in allowed:
        raise UserError(f"case '{case.case_id}' has an unknown {column}", key=column, value=value, allowed=allowed)
    return value


def _absent(value: object) -> bool:
    if isinstance(value, str):
        return not value
    return value is None or (isinstance(value, float) and math.isnan(value))


def _digests_differ(case: CaseRows, column: str) -> bool:
    sides = [{text(row.get(column)) for row in rows} - {None} for rows in (case.baseline, case.candidate)]
    return bool(sides[0] and sides[1] and sides[0] != sides[1])
