"""What `monitor` is asked for, and measuring it: the cases of a suite on logs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmreplay.cli.embedding import STATIC, embedder_named
from pytest_llmreplay.cli.logs import LogChoice
from pytest_llmreplay.cli.mining import open_logs, project_signals
from pytest_llmreplay.cli.progress import display
from pytest_llmreplay.cli.watching import Monitor, Seen, Watch, Window, watches_of
from pytest_llmreplay.model.errors import UserError

if TYPE_CHECKING:
    from pytest_llmreplay.config.project import Project
    from pytest_llmreplay.mine.accepted_rates import AcceptedRate
    from pytest_llmreplay.mine.monitoring import Reading
    from pytest_llmreplay.model.case import Case


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured: which logs, for which cases, and what is similar."""

    logs: LogChoice
    suite: str | None
    since: dt.datetime | None
    similar: float | None
    embedding: str
    max_cost: float

    @property
    def with_options(self) -> bool:
        """Whether more is said than the logs."""
        return self != Asked(LogChoice(self.logs.paths), None, None, None, STATIC, self.max_cost)


@dataclass(frozen=True, slots=True)
class Measured:
    """The watches, and what they measured."""

    watches: Sequence[Watch]
    unwatched: Mapping[str, str]
    similar_from: Mapping[str, float]
    readings: Mapping[str, Reading]
    seen: Seen
    embedding: str
    suite: frozenset[str]


def measure(
    project: Project, asked: Asked, before: Mapping[str, AcceptedRate], after: Mapping[str, dt.datetime]
) -> Measured:
    """Measure every watch, each only later than its time in `after`."""
    from pytest_llmreplay.mine.caches import user_caches
    from pytest_llmreplay.mine.monitoring import reading_of
    from pytest_llmreplay.mine.similar import SIMILAR_FROM
    from pytest_llmreplay.providers.budget import Budget

    known, cases = project_signals(project), cases_of(project, asked.suite)
    watches, unwatched = watches_of(cases, known)
    accepted = {case: rate.similar_from for case, rate in before.items()}
    similar = {
        watch.case_id: accepted.get(watch.case_id, SIMILAR_FROM) if asked.similar is None else asked.similar
        for watch in watches
    }
    windows = {watch.case_id: Window(asked.since, after.get(watch.case_id)) for watch in watches}
    caches, seen = user_caches(), Seen()
    embedder = embedder_named(asked.embedding, Budget(max_cost_usd=asked.max_cost))
    with display() as shown, open_logs(asked.logs, caches, shown) as table:
        monitor = Monitor(table, known, caches, embedder, shown, project.relative)
        met = monitor.measure(watches, similar, windows, seen)
    readings = {case: reading_of(found) for case, found in met.items()}
    suite = frozenset(case.case_id for case in cases)
    return Measured(watches, unwatched, similar, readings, seen, embedder.identity, suite)


def cases_of(project: Project, suite: str | None) -> list[Case]:
    """The cases of a suite, a file or a folder; without one, all.

    Raises:
        UserError: there is no such suite, or a file cannot be read.
    """
    from pytest_llmreplay.cli.golden_cases import all_cases
    from pytest_llmreplay.store.cases import golden_files, read_cases

    if suite is not None and Path(suite).exists():
        return [case for path in golden_files([Path(suite)]) for case in read_cases(path)]
    cases = [case for _, case in all_cases(project)]
    names = sorted({case.suite for case in cases})
    if suite is not None and suite not in names:
        raise UserError("there is no such suite, file or folder", key="--suite", value=suite, allowed=names)
    return [case for case in cases if suite in (None, case.suite)]
