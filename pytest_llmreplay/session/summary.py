"""The end of a session on the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from pytest_llmreplay.compare.ratchet import accept
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.fence import fenced_on_github
from pytest_llmreplay.report.paint import Screen
from pytest_llmreplay.report.summary import RunView, summary_text
from pytest_llmreplay.report.text import one_line
from pytest_llmreplay.session.gating import GateResult
from pytest_llmreplay.session.host import Host
from pytest_llmreplay.session.options import Settings
from pytest_llmreplay.store.baseline import ACCEPTED

_MOST_NOTICES = 5


def write_summary(reporter: pytest.TerminalReporter, host: Host, settings: Settings) -> None:
    """Print what the run came to, where it is kept and what to do next."""
    outcomes = host.compared()
    if not outcomes:
        return
    names = [ACCEPTED, *host.variants] if settings.baseline == ACCEPTED else list(host.variants)
    variants = [name for name in names if any(outcome.variant == name for outcome in outcomes)]
    reporter.section("llmreplay", sep="=")
    try:
        reporter.write_line(fenced_on_github(summary_text(RunView(outcomes, variants, settings.baseline))))
    except UserError as error:
        reporter.write_line(f"The variants cannot be compared: {error}")
    reporter.write_line("")
    for notice in host.notices[:_MOST_NOTICES]:
        reporter.write_line(f"notice: {one_line(notice, 200)}")
    if len(host.notices) > _MOST_NOTICES:
        reporter.write_line(f"(+{len(host.notices) - _MOST_NOTICES} more notices)")
    folder = host.run_folder
    shown = folder.relative_to(settings.root) if folder.is_relative_to(settings.root) else folder
    reporter.write_line(f"run {host.run_id}: {shown}")
    if accept([outcome for outcome in outcomes if outcome.variant != settings.baseline]):
        reporter.write_line(f"next: pytest-llmreplay baseline accept {host.run_id}")


def write_gate(reporter: pytest.TerminalReporter, results: Sequence[GateResult], problem: str | None) -> None:
    """Print what the gate decided, or why it could not."""
    if problem is not None:
        reporter.write_line(f"The gate could not decide: {problem}")
    screen = Screen(width=shutil.get_terminal_size().columns, colour=reporter.hasmarkup)
    for result in results:
        reporter.write_line("")
        reporter.write_line(fenced_on_github(result.text(screen)))
