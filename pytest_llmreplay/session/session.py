"""The plugin's state in one pytest process: settings, variants, and the engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.compare.ratchet import ItemVerdict, item_verdict
from pytest_llmreplay.model.variant import TracesTarget
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.session.plan import PlannedTrial
from pytest_llmreplay.session.variants import load_policy, load_variants
from pytest_llmreplay.store.cases import BadRow, CaseEntry, KeptIndex, golden_files

if TYPE_CHECKING:
    from pytest_llmreplay.model.trial import Trial
    from pytest_llmreplay.session.engine import Engine
    from pytest_llmreplay.session.power import Power

RUNNING_STATUSES = ("open", "fixed")


class ReplaySession:
    """Settings and variants of this process, and the engine that answers for its trials.

    Raises:
        UserError: a variant has a mistake.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.variants = load_variants(settings)
        self.policy = None if settings.gate is None else load_policy(settings)
        self.engine: Engine | None = None

    @cached_property
    def power(self) -> Power:
        """Who judges, and whether it counts.

        Raises:
            UserError: a mistake in the judge's file, its calibrations or the gate.
        """
        from pytest_llmreplay.session.power import load_power

        return load_power(self.settings, dt.datetime.now(dt.UTC).date())

    def planned_in(self, path: Path) -> Iterator[PlannedTrial | BadRow]:
        """The trials of a suite, sorted by case, variant and trial; rows that are no case as they are met.

        Raises:
            UserError: the file cannot be read.
        """
        file = self.relative(path)
        entries = KeptIndex(self.settings.state, writes=not self.settings.plan_only).read(path)
        yield from (entry for entry in entries if isinstance(entry, BadRow))
        names = sorted(self.variants)
        cases = [entry for entry in entries if isinstance(entry, CaseEntry) and entry.labels.status in RUNNING_STATUSES]
        for entry in sorted(cases, key=lambda entry: entry.case_id):
            for variant in names:
                for trial in range(1, self.trials_of(variant) + 1):
                    yield PlannedTrial(file, entry.case_id, variant, trial, entry.labels, entry.row)

    def trials_of(self, variant: str) -> int:
        """How many trials a variant has; a log without a column that numbers them holds one answer to each case."""
        target = self.variants[variant].target
        return 1 if isinstance(target, TracesTarget) and target.trial is None else self.settings.trials

    def planned_everywhere(self) -> list[PlannedTrial]:
        """The trials of the suites that the fixture runs over."""
        paths = golden_files([path for path in self.settings.golden if path.exists()])
        return [planned for path in paths for planned in self.planned_in(path) if isinstance(planned, PlannedTrial)]

    def relative(self, path: Path) -> str:
        """A path as it is stored and shown."""
        root = self.settings.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()

    def start_engine(self, engine: Engine) -> None:
        """Take the engine that answers for this session's trials."""
        self.engine = engine

    def plan(self, trials: Sequence[PlannedTrial]) -> None:
        """Announce the selected trials to the engine."""
        if trials and self.engine is not None:
            self.engine.plan(trials)

    def result(self, planned: PlannedTrial) -> Trial:
        """Wait for a trial.

        Raises:
            NotRun: the run was stopped first.
        """
        if self.engine is None:
            raise RuntimeError("a trial was asked for before the engine was started")
        return self.engine.result(planned)

    def left_to_the_gate(self, verdict: ItemVerdict) -> bool:
        """Whether a red item is only counted, because the policy decides by the statistics alone."""
        if self.policy is None:
            return False
        from pytest_llmreplay.report.gating import left_to_the_gate

        return left_to_the_gate(self.policy, verdict)

    def is_baseline(self, variant: str) -> bool:
        """Whether a variant is the baseline."""
        return variant == self.settings.baseline

    def verdict(self, planned: PlannedTrial, status: str) -> ItemVerdict:
        """What pytest shows for a trial with this outcome."""
        labels = planned.labels
        return item_verdict(
            kind=labels.kind, case_status=labels.status, status=status, baseline=self.is_baseline(planned.variant)
        )
