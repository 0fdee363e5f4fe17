"""The gate: may the candidate be shipped? A decision, the rule that made it, and what is red."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pytest_llmreplay.compare import rules
from pytest_llmreplay.compare.comparison import Comparison
from pytest_llmreplay.compare.policy import GatePolicy, Waiver
from pytest_llmreplay.compare.ratchet import EXIT_FAILED, EXIT_PASS, EXIT_UNMEASURABLE
from pytest_llmreplay.compare.red import Confirmation, RedItem, overdue_items, red_items, unfixed_items
from pytest_llmreplay.compare.rules import JudgeEvidence, RuleResult, Verdict
from pytest_llmreplay.compare.wording import named, plural
from pytest_llmreplay.model.errors import UserError

_EXIT_CODES: dict[Verdict, int] = {
    "pass": EXIT_PASS,
    "regression": EXIT_FAILED,
    "unmeasurable": EXIT_UNMEASURABLE,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate decided.

    `rule` is the policy's key that decided (`all` for a pass) and `sentence` says why. `red` are the cases that stand
    against the candidate, `waived` those that a waiver covers, `cleared` those that fresh trials cleared. `results` are
    all rules that were applied, in order. `notes` are to be shown with the decision.
    """

    decision: Verdict
    rule: str
    sentence: str
    red: tuple[RedItem, ...]
    waived: tuple[tuple[RedItem, Waiver], ...]
    cleared: tuple[str, ...]
    results: tuple[RuleResult, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 for a pass, 1 for a regression, 10 when it cannot be told."""
        return _EXIT_CODES[self.decision]

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain data for JSON."""
        waived = [{"item": asdict(item), "waiver": waiver.model_dump(mode="json")} for item, waiver in self.waived]
        bare = asdict(replace(self, waived=()))
        return {**bare, "waived": waived, "exit_code": self.exit_code}


def decide(
    policy: GatePolicy,
    comparison: Comparison,
    *,
    today: dt.date,
    waivers: Sequence[Waiver] = (),
    due: Mapping[str, dt.date | str] | None = None,
    confirmations: Mapping[str, Confirmation] | None = None,
    judge: JudgeEvidence | None = None,
) -> Decision:
    """Apply the policy to a comparison.

    Every rule is applied; a regression outweighs what cannot be measured, and among equals the first rule decides:
    ratchet, `must_fix`, `overdue`, the shares, `min_live`, `min_cases`, the margin, slices, budgets, judge.

    Args:
        policy: what a person wrote.
        comparison: of the first-pass trials only.
        today: the day on which waivers and due dates are looked at.
        waivers: red cases that are tolerated for a time.
        due: the day by which an open case is to be fixed, by case id (a date or ISO 8601).
        confirmations: the fresh trials of red cases; they clear a case of the ratchet and touch nothing else.
        judge: what is known of the judge's calibration; None when there is none.

    Raises:
        UserError: a due date is not a date.
    """
    red, cleared = red_items(comparison.cases, confirmations or {})
    if policy.mode == "statistical" and policy.max_regressions is None:
        red = []
    red += unfixed_items(comparison.cases, policy.must_fix, known=red)
    if policy.overdue == "fail":
        red += overdue_items(comparison.cases, _days(due or {}), today, known=red)
    valid = {waiver.case: waiver for waiver in waivers if waiver.covers(today)}
    standing = [item for item in red if item.case_id not in valid]
    results = tuple(rules.apply(policy, comparison, standing, judge))
    deciding = next((r for verdict in ("regression", "unmeasurable") for r in results if r.verdict == verdict), None)
    return Decision(
        decision=deciding.verdict if deciding else "pass",
        rule=deciding.rule if deciding else "all",
        sentence=deciding.sentence if deciding else _pass_sentence(comparison, results),
        red=tuple(standing),
        waived=tuple((item, valid[item.case_id]) for item in red if item.case_id in valid),
        cleared=tuple(cleared),
        results=results,
        notes=(*_confirmed(confirmations or {}, cleared), *_notes(comparison, waivers, today)),
    )


def _days(due: Mapping[str, dt.date | str]) -> dict[str, dt.date]:
    days = {}
    for case_id, value in due.items():
        try:
            days[case_id] = value if isinstance(value, dt.date) else dt.date.fromisoformat(value[:10])
        except ValueError as error:
            raise UserError(f"the due date of case '{case_id}' is no date", key="due", value=value) from error
    return days


def _pass_sentence(comparison: Comparison, results: Sequence[RuleResult]) -> str:
    shown = ("max_regressions", "estimate", "non_inferiority_margin")
    said = " ".join(result.sentence for result in results if result.rule in shown)
    return (
        f"{comparison.candidate} may be shipped: {plural(len(results), 'rule')} applied, none objects. {said}".strip()
    )


def _confirmed(confirmations: Mapping[str, Confirmation], cleared: Sequence[str]) -> list[str]:
    """What fresh trials said of the red cases."""
    if not confirmations:
        return []
    counts = [f"{name} failed {c.failed} of {c.failed + c.passed}" for name, c in sorted(confirmations.items())]
    told = [f"Red cases in fresh trials, which count nowhere else: {named(counts)}."]
    return [*told, *([f"Failed once and cleared by fresh trials: {named(cleared)}."] if cleared else [])]


def _notes(comparison: Comparison, waivers: Sequence[Waiver], today: dt.date) -> list[str]:
    known = {pair.case_id for pair in comparison.cases}
    notes = [f"Compared although {difference}." for difference in comparison.allowed_differences]
    for waiver in waivers:
        who = f"The waiver of {waiver.case} ({waiver.owner}: {waiver.reason})"
        if not waiver.covers(today):
            notes.append(f"{who} expired on {waiver.until}.")
        elif waiver.case not in known:
            notes.append(f"{who} names a case that was not run.")
        else:
            notes.append(f"{who} holds until {waiver.until}.")
    return [*notes, *comparison.notes]
