"""The ratchet: what an outcome means for the build, given what is already known of its case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_llmreplay.model.outcome import Outcome

ItemVerdict = Literal["passed", "now_passes", "known_failing", "baseline_failing", "failed", "error", "skipped"]
EXIT_PASS, EXIT_FAILED, EXIT_UNMEASURABLE = 0, 1, 10


def item_verdict(*, kind: str, case_status: str, status: str, baseline: bool) -> ItemVerdict:
    """What pytest shows for one trial.

    Args:
        kind: `incident` or `control`.
        case_status: the status of the case (`draft`, `open`, `fixed`, `retired`).
        status: the outcome of the trial.
        baseline: whether the trial belongs to the baseline; without a baseline every variant is a candidate.

    Returns:
        `passed`; `now_passes`: an open incident passes on a candidate; `known_failing`: a case that nobody has fixed
        yet fails on a candidate (xfail); `baseline_failing`: the baseline fails (xfail); `failed`: a fixed or control
        case fails on a candidate (red); `error`: infrastructure trouble (red); `skipped`: unmeasured or never run.

    Raises:
        ValueError: `status` is no outcome.
    """
    if status == "error":
        return "error"
    if status in ("unmeasured", "not_run"):
        return "skipped"
    if status == "passed":
        return "now_passes" if not baseline and _open_incident(kind, case_status) else "passed"
    if status != "failed":
        raise ValueError(f"'{status}' is no outcome")
    if baseline:
        return "baseline_failing"
    return "failed" if kind == "control" or case_status == "fixed" else "known_failing"


def exit_code(candidates: Iterable[ItemVerdict], baselines: Iterable[ItemVerdict] = ()) -> int:
    """The exit code of a session: 0 pass, 1 failed, 10 unmeasurable.

    Errors of any variant, and candidates that were not measured, make the session unmeasurable unless something
    failed. A baseline that was not measured changes nothing by itself. Without any item the code is 0: whoever
    collects nothing has to say so.
    """
    candidate_verdicts, baseline_verdicts = set(candidates), set(baselines)
    if "failed" in candidate_verdicts:
        return EXIT_FAILED
    if "error" in candidate_verdicts | baseline_verdicts or "skipped" in candidate_verdicts:
        return EXIT_UNMEASURABLE
    return EXIT_PASS


def outcome_exit_code(outcomes: Iterable[Outcome | Mapping[str, Any]], *, baseline: str | None = None) -> int:
    """The exit code (see `exit_code`) of all outcomes of a run; `baseline` is the baseline variant's name."""
    verdicts: dict[bool, set[ItemVerdict]] = {False: set(), True: set()}
    for outcome in outcomes:
        kind, case_status, status, variant = _fields(outcome, "kind", "case_status", "status", "variant")
        is_baseline = variant == baseline
        verdicts[is_baseline].add(item_verdict(kind=kind, case_status=case_status, status=status, baseline=is_baseline))
    return exit_code(verdicts[False], verdicts[True])


def accept(outcomes: Iterable[Outcome | Mapping[str, Any]], *, candidate: str | None = None) -> list[str]:
    """The ids of the cases that turn from open to fixed, sorted: open incidents of which every trial passed.

    Args:
        outcomes: the outcomes of a run.
        candidate: the variant that is accepted; None when `outcomes` holds only the accepted variant's.
    """
    passed: dict[str, bool] = {}
    for outcome in outcomes:
        case_id, kind, case_status, status, variant = _fields(
            outcome, "case_id", "kind", "case_status", "status", "variant"
        )
        if candidate not in (None, variant) or not _open_incident(kind, case_status):
            continue
        passed[case_id] = passed.get(case_id, True) and status == "passed"
    return sorted(case_id for case_id, every_trial in passed.items() if every_trial)


def _open_incident(kind: str, case_status: str) -> bool:
    return kind == "incident" and case_status == "open"


def _fields(outcome: Outcome | Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    if isinstance(outcome, Mapping):
        return tuple(outcome[name] for name in names)
    return tuple(getattr(outcome, name) for name in names)
