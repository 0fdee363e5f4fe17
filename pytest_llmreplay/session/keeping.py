"""Where a run is kept, and what becomes of it when the disk is full or the project is read-only."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmreplay.model.errors import NotWritten
from pytest_llmreplay.model.outcome import Outcome, Reason
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.store.runs import Run, RunStore

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


def not_kept(outcome: Outcome, error: NotWritten) -> Outcome:
    """What is left of an outcome that could not be written: nothing is measured that is not kept."""
    if outcome.status == "not_run":
        return outcome
    return replace(outcome, status="error", reasons=(Reason("replay", NOT_WRITTEN, str(error)),))
