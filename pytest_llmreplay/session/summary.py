"""The end of a session on the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.fence import fenced_on_github
from pytest_llmreplay.report.paint import Screen, plural
from pytest_llmreplay.report.text import one_line
from pytest_llmreplay.store.baseline import ACCEPTED

if TYPE_CHECKING:
    from pytest_llmreplay.session.gating import GateResult
    from pytest_llmreplay.session.host import Host
    from pytest_llmreplay.session.options import Settings

_MOST_NOTICES = 5


def write_summary(reporter: pytest.TerminalReporter, host: Host, settings: Settings) -> None:
    """Print what the run came to, where it is kept and what to do next."""
    if not host.replayed_any:
        return
    summary, compared = host.summary()
    names = [ACCEPTED, *host.variants] if settings.baseline == ACCEPTED else list(host.variants)
    reporter.section("llmreplay", sep="=")
    try:
        reporter.write_line(fenced_on_github(summary.text(names, _screen(reporter), compared)))
    except UserError as error:
        reporter.write_line(f"The variants cannot be compared: {error}")
    reporter.write_line("")
    if host.unchanged:
        trials = plural(host.unchanged, "trial")
        reporter.write_line(f"unchanged: {trials} as accepted, in all that they depend on; not replayed")
    for notice in host.notices[:_MOST_NOTICES]:
        reporter.write_line(f"notice: {one_line(notice, 200)}")
    if len(host.notices) > _MOST_NOTICES:
        reporter.write_line(f"(+{len(host.notices) - _MOST_NOTICES} more notices)")
    folder = host.run_folder
    shown = folder.relative_to(settings.root) if folder.is_relative_to(settings.root) else folder
    reporter.write_line(f"run {host.run_id}: {shown}")
    if summary.unfinished:
        reporter.write_line("next: the same command with --llmreplay-resume")
    elif summary.acceptable:
        reporter.write_line(f"next: pytest-llmreplay baseline accept {host.run_id}")


def write_gate(reporter: pytest.TerminalReporter, results: Sequence[GateResult], problem: str | None) -> None:
    """Print what the gate decided, or why it could not."""
    if problem is not None:
        reporter.write_line(f"The gate could not decide: {problem}")
    screen = _screen(reporter)
    for result in results:
        reporter.write_line("")
        reporter.write_line(fenced_on_github(result.text(screen)))


def _screen(reporter: pytest.TerminalReporter) -> Screen:
    verbosity = max(-1, min(reporter.config.get_verbosity(), 1))
    width = shutil.get_terminal_size((100, 24)).columns
    return Screen(width=width, colour=reporter.hasmarkup, verbosity=verbosity)
