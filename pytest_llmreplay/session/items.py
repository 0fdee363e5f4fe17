"""Golden cases as pytest items: `pytest golden/` needs no test file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmreplay.model.errors import NotRun, UserError
from pytest_llmreplay.report.text import printable
from pytest_llmreplay.session.failures import BadRowError, TrialFailedError, TrialTroubleError, error_text
from pytest_llmreplay.session.plan import PlannedTrial
from pytest_llmreplay.session.session import ReplaySession
from pytest_llmreplay.store.cases import BadRow

if TYPE_CHECKING:
    from pytest_llmreplay.model.trial import Trial


class GoldenFile(pytest.File):
    """A Parquet file of golden cases; `session_of` gives settings and variants, once they are needed."""

    def __init__(self, *, session_of: Callable[[], ReplaySession], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._session_of = session_of

    @property
    def replay_session(self) -> ReplaySession:
        """Settings and variants.

        Raises:
            UserError: a variant has a mistake.
        """
        return self._session_of()

    def collect(self) -> Iterator[pytest.Item]:
        """An item for every open or fixed case, on every variant, for every trial.

        Raises:
            pytest.Collector.CollectError: the file cannot be read, or the variants have a mistake.
        """
        try:
            planned_trials = list(self.replay_session.planned_in(self.path))
        except (UserError, pytest.UsageError) as error:
            raise self.CollectError(str(error)) from error
        for planned in planned_trials:
            if isinstance(planned, BadRow):
                name = f"row-{planned.row + 1}"
                yield BadRowItem.from_parent(self, name=name, bad_row=planned)
            else:
                name = planned.item_id
                # Spelled out, since pytest takes what stands in brackets in an id for parameters.
                yield GoldenItem.from_parent(self, name=name, nodeid=f"{self.nodeid}::{name}", planned=planned)


class GoldenItem(pytest.Item):
    """One trial as a test: `setup` waits for it, `runtest` says whether it passed."""

    def __init__(self, *, planned: PlannedTrial, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        self.trial: Trial | None = None
        self.keywords_reported: Mapping[str, Any] | None = None
        labels = planned.labels
        self.add_marker(case_mark(labels.severity, labels.status, planned.variant))
        if labels.tags:
            self.extra_keyword_matches.update(labels.tags)

    @property
    def replay_session(self) -> ReplaySession:
        """The session that the item's file belongs to."""
        parent = self.parent
        if not isinstance(parent, GoldenFile):
            raise TypeError("a golden item outside of a golden file")
        return parent.replay_session

    def setup(self) -> None:
        """Wait for the trial; trouble is an error of the set-up, what was not measured is skipped.

        Raises:
            TrialTroubleError: the outcome is `error`.
        """
        self.trial = finished_trial(self.replay_session, self.planned)

    def runtest(self) -> None:
        """Say what the checks said.

        Raises:
            TrialFailedError: a check failed.
        """
        if self.trial is not None and self.trial.outcome.status == "failed":
            raise TrialFailedError(self.trial)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The trial instead of a traceback."""
        text = error_text(self, excinfo.value)
        if text is not None:
            return text
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the item is: its file and its name."""
        return self.path, None, self.name


class BadRowItem(pytest.Item):
    """A row that is not a case: an error of its own, while the other rows run."""

    def __init__(self, *, bad_row: BadRow, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bad_row = bad_row

    def setup(self) -> None:
        """Fail at once.

        Raises:
            BadRowError: always.
        """
        bad = self.bad_row
        raise BadRowError(f"{self.path.name}: row {bad.row + 1}: {bad.field}: {bad.reason}")

    def runtest(self) -> None:
        """Never reached: `setup` raises."""

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the row is."""
        return self.path, None, self.name


def finished_trial(session: ReplaySession, planned: PlannedTrial) -> Trial:
    """The trial, once it is finished; what cannot be measured skips the test.

    Raises:
        TrialTroubleError: the outcome is `error`.
    """
    try:
        trial = session.result(planned)
    except NotRun as error:
        pytest.skip(f"not run: {error}")
    outcome = trial.outcome
    if outcome.status == "error":
        raise TrialTroubleError(trial)
    if outcome.status in ("unmeasured", "not_run"):
        why = "; ".join(reason.message.splitlines()[0] for reason in outcome.reasons if reason.message)
        pytest.skip(printable(f"{outcome.status}: {why}"))
    return trial


@lru_cache(maxsize=1024)
def case_mark(severity: str | None, status: str, variant: str) -> pytest.MarkDecorator:
    """The marker of an item, shared by all items with the same labels."""
    labels = {"severity": severity, "status": status, "variant": variant}
    return pytest.mark.llmreplay(**{name: value for name, value in labels.items() if value is not None})
