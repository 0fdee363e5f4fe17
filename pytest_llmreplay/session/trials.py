"""One trial from beginning to end: load the case, replay it, check it, keep the outcome."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_llmreplay.checks import check_trajectory
from pytest_llmreplay.judge.applied import JudgedPart
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import InfrastructureError, NotRun, NotWritten, Unmeasurable, UserError
from pytest_llmreplay.model.expectation import Expectation, parse_expectation
from pytest_llmreplay.model.outcome import Outcome, OutcomeStatus, Reason, outcome_status
from pytest_llmreplay.model.ports import Replayer
from pytest_llmreplay.model.trajectory import Trajectory
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.model.variant import Environment, Variant
from pytest_llmreplay.providers.credentials import hidden
from pytest_llmreplay.replay.turns import offered_tools
from pytest_llmreplay.session.compose import answers_can_be_reused, digest_of
from pytest_llmreplay.session.judging import TrialJudge
from pytest_llmreplay.session.keeping import NOT_WRITTEN
from pytest_llmreplay.session.plan import PlannedTrial
from pytest_llmreplay.store.baseline import unchanged
from pytest_llmreplay.store.cases import CaseFile


@dataclass(frozen=True, slots=True)
class Earlier:
    """Outcomes of the run to go on with, and of the accepted baseline, whatever the name of its variant."""

    measured: Mapping[tuple[str, str, int], Outcome]
    accepted: Sequence[Outcome] = ()


class TrialRunner:
    """Runs trials.

    Args:
        variants: the variants by name.
        replayers: what can replay a case, by the variant's name.
        environment: what the variants share.
        root: the project's folder.
        earlier: outcomes that need no replay as long as case, variant, environment and judge are what they were.
        judge: judges the trials of cases with a rubric.
        resolve: gives a case that holds references its text.
    """

    def __init__(
        self,
        variants: Mapping[str, Variant],
        replayers: Mapping[str, Replayer],
        environment: Environment,
        root: Path,
        earlier: Earlier,
        judge: TrialJudge,
        resolve: Callable[[Case], Case] = lambda case: case,
    ) -> None:
        self._variants = variants
        self._replayers = replayers
        self._environment_digest = environment.digest
        self._root = root
        self._resolve = resolve
        self._measured = earlier.measured
        self._judge = judge
        self.unchanged = 0
        self._accepted: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in earlier.accepted:
            self._accepted[outcome.case_id].append(outcome)
        self._files: dict[str, CaseFile] = {}
        self._digests = {name: digest_of(variant) for name, variant in variants.items()}
        self._may_be_unchanged = {name for name, variant in variants.items() if answers_can_be_reused(variant)}

    async def run(self, planned: PlannedTrial) -> Trial:
        """Replay and check one trial; whatever goes wrong becomes its outcome."""
        case: Case | None = None
        whole: Case | None = None
        trajectory: Trajectory | None = None
        variant = self._variants[planned.variant]
        try:
            case = self._load(planned)
            expectation = expectation_of(case, planned.file)
            judged = self._judge.part_of(expectation)
            known = self._known(planned, case, judged)
            if known is not None:
                return Trial(known, variant, case)
            whole = await asyncio.to_thread(self._resolve, case) if case.holds_references else case
            trajectory = await self._replayers[planned.variant].replay(whole, planned.trial)
            outcome = self._checked(planned, case, expectation, trajectory)
            if judged is not None:
                outcome = self._judge.named(outcome, judged)
                outcome = await self._judge.judged(outcome, judged, whole, trajectory, variant)
        except Unmeasurable as error:
            outcome = self._without_checks(planned, case, "unmeasured", error.code, error)
        except NotRun as error:
            outcome = self._without_checks(planned, case, "not_run", error.code, error)
        except InfrastructureError as error:
            outcome = self._without_checks(planned, case, "error", error.code, error)
        except NotWritten as error:
            outcome = self._without_checks(planned, case, "error", NOT_WRITTEN, error)
        except UserError as error:
            outcome = self._without_checks(planned, case, "error", "bad_case", error)
        except Exception as error:  # noqa: BLE001 (a defect in one trial must not take the other trials with it)
            outcome = self._without_checks(planned, case, "error", "internal", _described(error))
        return Trial(outcome, variant, whole or case, trajectory)

    def blank(self, planned: PlannedTrial) -> Outcome:
        """The outcome of a trial that was planned and never started."""
        return self._without_checks(planned, None, "not_run", "interrupted", "the run was stopped before it started")

    def _known(self, planned: PlannedTrial, case: Case, judged: JudgedPart | None) -> Outcome | None:
        measured = self._measured.get((planned.case_id, planned.variant, planned.trial))
        accepted = self._accepted.get(planned.case_id, []) if planned.variant in self._may_be_unchanged else []
        candidates = [measured] if measured is not None else accepted
        if planned.confirms or not candidates:
            return None
        same = unchanged(
            candidates,
            case_digest=case.content_digest,
            variant_digest=self._digests[planned.variant],
            environment_digest=self._environment_digest,
        )
        known = next((outcome for outcome in same if outcome.trial == planned.trial), None)
        if known is None or not self._judge.stands(known, judged):
            return None
        self.unchanged += measured is None
        labels = planned.labels
        return replace(
            known,
            variant=planned.variant,
            kind=labels.kind,
            case_status=labels.status,
            live_share=0.0,
            judge_live_calls=0,
        )

    def _load(self, planned: PlannedTrial) -> Case:
        file = self._files.get(planned.file)
        if file is None:
            file = self._files[planned.file] = CaseFile(self._root / planned.file)
        return file.load(planned.row)

    def _checked(self, planned: PlannedTrial, case: Case, expectation: Expectation, trajectory: Trajectory) -> Outcome:
        variant = self._variants[planned.variant]
        report = check_trajectory(expectation, trajectory, offered_tools(variant, case))
        status = outcome_status(failures=bool(report.failures), unmeasured=bool(report.unmeasured))
        usage = trajectory.usage
        return self._outcome(
            planned,
            case,
            status,
            reasons=(*report.failures, *report.unmeasured),
            calls=tuple((call.name, call.arguments) for call in trajectory.tool_calls),
            matched=report.matched,
            answer=trajectory.answer,
            steps=usage.steps,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
            latency_s=usage.latency_s,
            live_share=usage.live_share,
            recorded_share=trajectory.recorded_share,
            tool_answers=trajectory.tool_answers,
            divergence=trajectory.divergence,
            diagnostics=report.diagnostics,
        )

    def _without_checks(
        self, planned: PlannedTrial, case: Case | None, status: OutcomeStatus, code: str, why: object
    ) -> Outcome:
        return self._outcome(planned, case, status, reasons=(Reason("replay", code, hidden(str(why))),))

    def _outcome(self, planned: PlannedTrial, case: Case | None, status: OutcomeStatus, **measured: Any) -> Outcome:
        labels = planned.labels
        return Outcome(
            case_id=planned.case_id,
            variant=planned.variant,
            trial=planned.trial,
            status=status,
            suite=labels.suite,
            kind=labels.kind,
            case_status=labels.status,
            severity=labels.severity,
            failure_category=labels.failure_category,
            failure_stage=labels.failure_stage,
            intent=labels.intent,
            tags=labels.tags,
            weight=case.weight if case else 1.0,
            case_file=planned.file,
            case_digest=case.content_digest if case else "",
            variant_digest=self._digests[planned.variant],
            environment_digest=self._environment_digest,
            **measured,
        )


def expectation_of(case: Case, file: str) -> Expectation:
    """The expectation of a case.

    Raises:
        UserError: it has a mistake.
    """
    return parse_expectation(case.expect, file=f"{file}::{case.case_id}")


def _described(error: Exception) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f" at {Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
    return f"{type(error).__name__}{place}: {error}"
