"""The process that replays: it holds the run, the recordings, the targets and the engine."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.config.environment import load_environment
from pytest_llmreplay.model.case import Case
from pytest_llmreplay.model.errors import NotRun, NotWritten
from pytest_llmreplay.model.outcome import Outcome, Reason, outcome_row
from pytest_llmreplay.model.trial import Trial
from pytest_llmreplay.model.variant import Variant
from pytest_llmreplay.providers.budget import Budget
from pytest_llmreplay.providers.litellm_process import LitellmProcess
from pytest_llmreplay.report.summary import RunSummary
from pytest_llmreplay.session.compose import Workshop, build_replayers, close_all
from pytest_llmreplay.session.engine import LocalEngine
from pytest_llmreplay.session.judging import TrialJudge, build_judging
from pytest_llmreplay.session.keeping import KeptOutcomes, start_run
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.session.plan import PlannedTrial, gravity
from pytest_llmreplay.session.power import Power
from pytest_llmreplay.session.run_info import run_info
from pytest_llmreplay.session.trials import Earlier, TrialRunner
from pytest_llmreplay.store.baseline import ACCEPTED, as_baseline, origins_of, read_baseline
from pytest_llmreplay.store.recordings import RecordingStore
from pytest_llmreplay.store.runs import RunStore

if TYPE_CHECKING:
    from pytest_llmreplay.compare.policy import GatePolicy
    from pytest_llmreplay.session.gating import GateResult
    from pytest_llmreplay.session.resolving import Resolver

# While one window of requests is under way, the next one is made ready and waits at the gate.
_WINDOWS = 2


class Host:
    """One run: everything is set up at once and taken down by `close`.

    Args:
        settings: what the session was asked to do.
        variants: the variants by name.
        power: the judge, and whether its verdicts count.
        litellm: the process of litellm, if it was started already.

    Raises:
        UserError: a target or the judge cannot be set up, or the state folder cannot be written.
    """

    def __init__(
        self, settings: Settings, variants: Mapping[str, Variant], power: Power, litellm: LitellmProcess | None = None
    ) -> None:
        self.notices: list[str] = []
        self.variants = variants
        self._power = power
        self._resolver: Resolver | None = None
        self._resolving = threading.Lock()
        environment = self._environment = load_environment(settings.environment)
        store = RunStore(settings.state, self.notices.append)
        store.seal_abandoned()
        self._recordings = RecordingStore(settings.recordings, settings.cassettes, on_notice=self.notices.append)
        self._recordings.seal_abandoned()
        self._budget = Budget(
            max_cost_usd=settings.max_cost_usd, max_tokens=settings.max_tokens, options="--llmreplay-"
        )
        workshop = Workshop(
            root=settings.root,
            environment=environment,
            recordings=self._recordings,
            record=settings.record,
            budget=self._budget,
            wait_s=settings.wait_s,
            notice=self.notices.append,
            litellm=litellm or LitellmProcess(),
        )
        replayers = build_replayers(variants, workshop)
        judging = None if power.judge is None else build_judging(power.judge, workshop)
        judge = TrialJudge(judging, power, settings.root, self.notices.append)
        measured = _measured(store, settings.resume)
        info = run_info(settings, variants, environment.digest, power)
        self._run = start_run(store, settings, info, self.notices.append)
        self._counted = RunSummary(settings.baseline)
        self._kept = KeptOutcomes(self._run, self._counted.add, self._budget.stop)
        self._settings = settings
        self._accepted = read_baseline(settings.accepted)[1] if settings.baseline == ACCEPTED else []
        earlier = Earlier(measured, self._accepted)
        self._runner = TrialRunner(variants, replayers, environment, settings.root, earlier, judge, self._with_text)
        self._planned: list[PlannedTrial] = []
        self._stopped: list[PlannedTrial] = []
        self._closed = False
        self.engine = LocalEngine(
            self._replay,
            window=_WINDOWS * max(window_of(variant) for variant in variants.values()),
            commit=self._kept.add_finished,
            cleanup=close_all([*replayers.values(), judge]),
        )

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self._run.run_id

    @property
    def run_folder(self) -> Path:
        """Where the outcomes are."""
        return self._run.folder

    def plan(self, trials: Sequence[PlannedTrial]) -> None:
        """Announce the selected trials to the engine."""
        self._planned.extend(trials)
        self.engine.plan(sorted(trials, key=gravity) if self._settings.critical_first else trials)

    def result(self, trial: PlannedTrial) -> Trial:
        """Wait for a trial.

        Raises:
            NotRun: the run was stopped first.
        """
        try:
            return self.engine.result(trial)
        except NotRun:
            self._stopped.append(trial)
            raise

    @property
    def replayed_any(self) -> bool:
        """Whether the run has any outcome."""
        return len(self._kept) > 0

    @property
    def unchanged(self) -> int:
        """How many trials were not replayed, since all that they depend on is as it was when they were accepted."""
        return self._runner.unchanged

    def summary(self) -> tuple[RunSummary, list[Outcome]]:
        """What the run came to, and its outcomes where there is a baseline to compare them with."""
        compared = [] if self._settings.baseline is None else self.compared()
        if not compared and self._kept.counted_once:
            return self._counted, compared
        summary = RunSummary(self._settings.baseline)
        for outcome in compared or self._kept.outcomes(RunSummary.COLUMNS):
            summary.add(outcome)
        return summary, compared

    def compared(self) -> list[Outcome]:
        """All outcomes of the run, with those of the accepted baseline where it is the one to compare with."""
        from pytest_llmreplay.compare.wording import changed_since_accepted

        outcomes = sorted(self._kept.outcomes(), key=lambda outcome: outcome.trial_id)
        compared = origins_of(map(outcome_row, outcomes)) if self._accepted else {}
        accepted, changed = as_baseline(self._accepted, compared)
        said = changed_since_accepted(changed)
        if changed and said not in self.notices:
            self.notices.append(said)
        return [*accepted, *outcomes]

    def decide(self, policy: GatePolicy) -> list[GateResult]:
        """Let the policy decide on every candidate; red cases may be replayed once more.

        Raises:
            UserError: the variants cannot be compared, or waivers or golden files have a mistake.
        """
        from pytest_llmreplay.session.gating import decide_on_all

        return decide_on_all(
            policy,
            self.compared(),
            settings=self._settings,
            run=self._run.info,
            planned=self._planned,
            replay=self._replayed_again,
            calibrations=self._power.calibrations,
        )

    def _replayed_again(self, trials: Sequence[PlannedTrial]) -> list[Outcome]:
        self.engine.plan(trials)
        return [self.engine.result(trial).outcome for trial in trials]

    def stop_sending(self) -> None:
        """Send nothing more; what is under way is finished."""
        self._budget.stop()

    def give_up(self) -> None:
        """Send nothing more and do not wait for what is under way."""
        self._budget.stop()
        self.engine.give_up()

    def close(self) -> None:
        """Stop, note what was never started, seal the run. Safe to call twice."""
        self._budget.stop()
        self.engine.close()
        if self._closed:
            return
        self._closed = True
        planned = chain(self._planned, self._stopped)
        for missing in dict.fromkeys(p for p in planned if (p.case_id, p.variant, p.trial) not in self._kept):
            self._kept.add(self._runner.blank(missing))
        ended = {"ended_at": datetime.now(UTC).isoformat(timespec="seconds"), "trials": len(self._kept)}
        for name, end in (("recordings", self._recordings.close), ("run", lambda: self._run.seal(ended))):
            try:
                end()
            except NotWritten as error:
                # The journal stays, and is as good a file to read.
                self.notices.insert(0, f"the {name} could not be sealed, which the next command does: {error}")

    def add_own_assertion(self, trial_id: tuple[str, str, int], message: str) -> None:
        """Add a test's own failed assertion to the outcome of its trial."""
        outcome = self._kept.outcome(trial_id)
        if outcome is not None and outcome.status in ("passed", "failed", "unmeasured"):
            reason = Reason("own_assertion", "own_assertion", message)
            self._kept.add(replace(outcome, status="failed", reasons=(*outcome.reasons, reason)))

    def _with_text(self, case: Case) -> Case:
        with self._resolving:
            if self._resolver is None:
                # Imported here: redaction is heavy, and most cases hold their text.
                from pytest_llmreplay.session.resolving import Resolver

                settings = self._settings
                self._resolver = Resolver(
                    self._environment.resolver, settings.root, settings.configs, self.notices.append
                )
        return self._resolver.with_text(case)

    async def _replay(self, planned: PlannedTrial) -> Trial:
        return await self._runner.run(planned)


def _measured(store: RunStore, resume: str | None) -> dict[tuple[str, str, int], Outcome]:
    """The outcomes of the run to go on with that need no second replay: trouble and what was never run do."""
    if resume is None:
        return {}
    _, outcomes = store.load(resume)
    return {outcome.trial_id: outcome for outcome in outcomes if outcome.status not in ("error", "not_run")}


def window_of(variant: Variant) -> int:
    """How many trials of a variant may be under way at once; a log is only read, so its number hardly matters."""
    return getattr(variant.target, "max_concurrency", 8)
