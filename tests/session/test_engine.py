import asyncio
import time
from types import SimpleNamespace

import pytest

from pytest_llmreplay.model.errors import NotRun, UserError
from pytest_llmreplay.session.engine import LocalEngine
from pytest_llmreplay.session.plan import PlannedTrial


def planned(count):
    return [PlannedTrial("golden/x.parquet", f"c-{i:03}", "v", 1, labels=None, row=i) for i in range(count)]


class Bench:
    """An engine with a run that says its own name, and a note of what happened in which order."""

    def __init__(self, *, window=3, commit=lambda finished: [trial for _, trial in finished]):
        self.events = []
        self.peak = self.under_way = 0
        self._commit = commit
        self.engine = LocalEngine(self._run, window=window, commit=self._committed, cleanup=self._cleanup)

    async def _run(self, trial):
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        self.events.append(trial.case_id)
        return SimpleNamespace(trial=trial)

    def _committed(self, finished):
        kept = self._commit(finished)
        self.events.append("commit")
        return kept

    async def _cleanup(self):
        self.events.append("cleanup")


def test_every_trial_is_run_once_in_order_and_many_are_committed_together():
    bench, trials = Bench(), planned(60)
    bench.engine.plan(trials)
    assert [bench.engine.result(trial).trial for trial in trials] == trials
    bench.engine.close()
    ran = [event for event in bench.events if event not in ("commit", "cleanup")]
    assert ran == [trial.case_id for trial in trials]
    assert bench.peak == 3
    assert bench.events.count("commit") < 60
    assert bench.events[-1] == "cleanup"


def test_nobody_sees_a_trial_before_it_is_committed():
    bench, [trial] = Bench(), planned(1)
    bench.engine.plan([trial])
    bench.engine.result(trial)
    assert bench.events[:2] == ["c-000", "commit"]
    bench.engine.close()


def test_what_cannot_be_kept_is_said_to_whoever_asks():
    def full(_finished):
        raise UserError("the disk is full")

    bench, [trial] = Bench(commit=full), planned(1)
    bench.engine.plan([trial])
    with pytest.raises(UserError, match="the disk is full"):
        bench.engine.result(trial)


def test_tests_that_share_a_trial_share_its_only_run():
    bench, trials = Bench(), planned(4)
    bench.engine.plan([*trials, *trials])
    for trial in [*reversed(trials), *trials]:
        assert bench.engine.result(trial).trial == trial
    bench.engine.close()
    assert sorted(bench.events[: bench.events.index("cleanup")]).count("c-003") == 1
    assert len([event for event in bench.events if event.startswith("c-")]) == 4


def test_it_runs_only_so_far_ahead_of_the_tests():
    bench, trials = Bench(window=2), planned(100)
    bench.engine.plan(trials)
    bench.engine.result(trials[0])
    time.sleep(0.2)
    assert len([event for event in bench.events if event.startswith("c-")]) <= 10
    for trial in trials[1:]:
        bench.engine.result(trial)
    bench.engine.close()


def test_a_stopped_engine_starts_nothing_more():
    bench, [trial] = Bench(), planned(1)
    bench.engine.close()
    with pytest.raises(NotRun):
        bench.engine.result(trial)
