"""Why an item is red: the errors that items raise, and what pytest shows for them instead of a traceback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmreplay.model.errors import LlmReplayError
from pytest_llmreplay.report.text import printable

if TYPE_CHECKING:
    from pytest_llmreplay.model.trial import Trial


class TrialFailedError(Exception):
    """A trial failed its checks; pytest shows the trial and no traceback."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.outcome.case_id)
        self.trial = trial


class SetupError(pytest.fail.Exception):  # type: ignore[name-defined, misc]
    """An error before the test itself, for which pytest writes no traceback: that takes it 25 ms, which add up."""

    def __init__(self, message: str) -> None:
        super().__init__(message, pytrace=False)


class TrialTroubleError(SetupError):
    """A trial could not be replayed; pytest shows the trial."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.outcome.case_id)
        self.trial = trial


class BadRowError(SetupError):
    """A row of a golden file is not a case."""


def error_text(item: pytest.Item, error: BaseException) -> str | None:
    """What an item shows for an error that is ours, instead of a traceback; None for any other error."""
    if isinstance(error, TrialFailedError | TrialTroubleError):
        from pytest_llmreplay.report.failure import failure_text
        from pytest_llmreplay.report.fence import fenced_on_github

        return fenced_on_github(failure_text(error.trial, _reproduce(item, error.trial)))
    if isinstance(error, LlmReplayError | BadRowError):
        return printable(str(error))
    return None


def error_headline(error: BaseException) -> str | None:
    """A trial's outcome and the codes of its reasons, for the one line that pytest's summary has; else None.

    Codes only: this line stands outside the fence that keeps commands in a model's text from a CI runner.
    """
    if not isinstance(error, TrialFailedError | TrialTroubleError):
        return None
    outcome = error.trial.outcome
    codes = ", ".join(dict.fromkeys(reason.code for reason in outcome.reasons))
    return f"{outcome.status}: {codes}"


@dataclass(frozen=True, slots=True)
class _Headline:
    node_id: str
    message: str

    def __str__(self) -> str:
        return f"{self.node_id}: {self.message}"


@dataclass(frozen=True, slots=True)
class ShownFailure:
    """A failure as pytest shows it: the text once, and the headline where a line has to do.

    pytest repeats a plain text as a whole in its short summary when it runs in CI. `reprcrash` is where pytest and
    its JUnit report look for the short form.
    """

    text: str
    reprcrash: _Headline

    def __str__(self) -> str:
        return self.text

    def toterminal(self, out: Any) -> None:
        """Write the text to pytest's terminal."""
        for line in self.text.splitlines():
            out.line(line)


def show_headline(report: pytest.TestReport, headline: str) -> None:
    """Give a report whose failure is a text its short form; not before it came from its worker, which sends text."""
    if isinstance(report.longrepr, str):
        short = _Headline(report.nodeid, headline)
        report.longrepr = ShownFailure(report.longrepr, short)  # type: ignore[assignment]


def _reproduce(item: pytest.Item, trial: Trial) -> str:
    """The command that replays an item's trial alone."""
    from pytest_llmreplay.report.failure import reproduce_command

    root = item.config.rootpath
    file = Path(trial.variant.file)
    shown = file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
    options = ["--llmreplay-trials", str(trial.number)] if trial.number > 1 else []
    return reproduce_command(item.nodeid, shown, options)
