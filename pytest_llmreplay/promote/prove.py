"""The proof that a case is worth its place: its expectation fails on what production did, and it bites."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.expectation import parse_expectation
from pytest_llmreplay.model.outcome import CheckReport
from pytest_llmreplay.promote.good import good_trajectory
from pytest_llmreplay.promote.mutants import mutants
from pytest_llmreplay.promote.pipeline import Step, StoppedError
from pytest_llmreplay.promote.recorded import recorded_trajectory

PROOF = "proof"
"""The key of the case's metadata that keeps what was proven."""


def prove(*, allow_passing: bool) -> Step:
    """The step that proves a case and keeps the proof with it; a case without an expectation has nothing to prove.

    An incident whose expectation does not fail on what production did is stopped, unless `allow_passing`. A control is
    meant to pass there.
    """

    def step(case: Case) -> Case:
        if not case.expect:
            return case
        report = production_report(case)
        if case.kind == "incident" and not report.failures and not allow_passing:
            raise StoppedError(_does_not_fail(report))
        proof: dict[str, Any] = {"production": _said(report)}
        proof.update(bites(case))
        return replace(case, metadata={**case.metadata, PROOF: proof})

    return step


def production_report(case: Case) -> CheckReport:
    """What the case's checks say of what production did."""
    trajectory = recorded_trajectory(case.messages, case.turn)
    return check_trajectory(parse_expectation(case.expect), trajectory, case.tools)


def bites(case: Case) -> dict[str, Any]:
    """How many mutants of a good trajectory the expectation fails, and which survive."""
    expectation = parse_expectation(case.expect)
    good = good_trajectory(expectation, case.tools)
    if good is None:
        return {"mutants": 0, "survivors": [], "no_mutants": "no good trajectory could be made from the expectation"}
    survivors = []
    count = 0
    forbidden = expectation.calls.forbidden if expectation.calls else ()
    for name, mutant in mutants(good, case.tools, forbidden):
        count += 1
        report = check_trajectory(expectation, mutant, case.tools)
        if not report.failures:
            survivors.append(name)
    return {"mutants": count, "survivors": survivors}


def _said(report: CheckReport) -> dict[str, Any]:
    codes = dict.fromkeys(reason.code for reason in report.failures)
    if codes:
        return {"fails": True, "codes": list(codes)}
    unmeasured = dict.fromkeys(reason.code for reason in report.unmeasured)
    return {"fails": False, **({"unmeasured": list(unmeasured)} if unmeasured else {})}


def _does_not_fail(report: CheckReport) -> str:
    if report.unmeasured:
        why = "; ".join(dict.fromkeys(reason.message for reason in report.unmeasured))
        return (
            f"its expectation cannot be shown to fail on what production did ({why}); --allow-passing writes it anyway"
        )
    return (
        "its expectation does not fail on what production did, so it would guard against nothing; name another --turn, "
        "mend the expectation, or add --allow-passing"
    )
