"""Where a run is kept, and what becomes of it when the disk is full or the project is read-only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import NotWritten
from pytest_llmreplay.model.outcome import Outcome, Reason
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.session.plan import PlannedTrial
from pytest_llmreplay.store.runs import Run, RunStore, TrialId

NOT_WRITTEN = "not_written"


def start_run(store: RunStore, settings: Settings, info: Mapping[str, Any], notice: Callable[[str], None]) -> Run:
    """Start the run, or go on with the one that is to be resumed.

    Where the project cannot be written, a run that is answered from recordings is kept in a temporary folder; one that
    would pay for answers that cannot be kept is refused.

    Raises:
        UserError: there is no run to go on with, or the project cannot be written.
    """
    try:
        return store.start(info) if settings.resume is None else store.resume(settings.resume, info)
    except NotWritten as error:
        if settings.record != "none" or settings.resume is not None:
            fix = "nothing could be kept; with --llmreplay-record none recordings answer and nothing is sent"
            raise NotWritten(error.problem, file=error.file, fix=fix) from error
        folder = Path(tempfile.mkdtemp(prefix="llmreplay-"))
        notice(f"this run is kept in {folder}: {error}")
        return RunStore(folder, notice).start(info)


class KeptOutcomes:
    """The outcomes of a run: on the disk, and in memory only those that could not be written.

    Args:
        run: where they are written.
        count: called with every outcome as it is kept.
        stop: called with a sentence and `code` once something could not be written: what is answered from then on
            would be paid for and lost.
    """

    def __init__(self, run: Run, count: Callable[[Outcome], None], stop: Callable[..., None]) -> None:
        self._run = run
        self._count = count
        self._stop = stop
        self._unwritten: dict[TrialId, Outcome] = {}

    def __len__(self) -> int:
        return len(self._run) + sum(trial_id not in self._run for trial_id in self._unwritten)

    def __contains__(self, trial_id: TrialId) -> bool:
        return trial_id in self._run or trial_id in self._unwritten

    def add(self, outcome: Outcome) -> Outcome:
        """Write an outcome; what is left of it when it cannot be written."""
        try:
            self._run.add(outcome)
            self._unwritten.pop(outcome.trial_id, None)
        except NotWritten as error:
            outcome = not_kept(outcome, error)
            self._unwritten[outcome.trial_id] = outcome
        self._count(outcome)
        self._stop_where_nothing_is_written(outcome)
        return outcome

    def add_finished(self, finished: Sequence[tuple[PlannedTrial, Trial]]) -> list[Trial]:
        """Write what trials came to, all at once, but for those that only confirm; what is left of the trials."""
        outcomes = [trial.outcome for planned, trial in finished if not planned.confirms]
        try:
            self._run.add(*outcomes)
        except NotWritten:
            # A part of them may find room.
            return [t if planned.confirms else replace(t, outcome=self.add(t.outcome)) for planned, t in finished]
        for outcome in outcomes:
            self._count(outcome)
            self._stop_where_nothing_is_written(outcome)
        return [trial for _, trial in finished]

    @property
    def counted_once(self) -> bool:
        """Whether no trial was counted twice."""
        return not (self._run.replaced_any or self._unwritten)

    def outcome(self, trial_id: TrialId) -> Outcome | None:
        """The outcome of a trial, while the run is not sealed; None when there is none."""
        return self._unwritten.get(trial_id) or self._run.outcome(trial_id)

    def outcomes(self, columns: Collection[str] | None = None) -> Iterator[Outcome]:
        """All outcomes, one after the other; see `Run.outcomes`."""
        yield from (outcome for outcome in self._run.outcomes(columns) if outcome.trial_id not in self._unwritten)
        yield from self._unwritten.values()

    def _stop_where_nothing_is_written(self, outcome: Outcome) -> None:
        if outcome.reasons and outcome.reasons[0].code == NOT_WRITTEN:
            self._stop(f"the run was stopped: {outcome.reasons[0].message}", code=NOT_WRITTEN)


def not_kept(outcome: Outcome, error: NotWritten) -> Outcome:
    """What is left of an outcome that could not be written: nothing is measured that is not kept."""
    if outcome.status == "not_run":
        return outcome
    return replace(outcome, status="error", reasons=(Reason("replay", NOT_WRITTEN, str(error)),))
