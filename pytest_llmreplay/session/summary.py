"""The end of a session on the terminal."""

from __future__ import annotations

import pytest

from pytest_llmreplay.compare.ratchet import accept
from pytest_llmreplay.model.errors import UserError
from pytest_llmreplay.report.summary import RunView, summary_text
from pytest_llmreplay.report.text import one_line
from pytest_llmreplay.session.host import Host
from pytest_llmreplay.session.options import Settings

_MOST_NOTICES = 5


def write_summary(reporter: pytest.TerminalReporter, host: Host, settings: Settings) -> None:
    """Print what the run came to, where it is kept and what to do next."""
    outcomes = sorted(host.outcomes.values(), key=lambda outcome: outcome.trial_id)
    if not outcomes:
        return
    variants = [name for name in host.variants if any(outcome.variant == name for outcome in outcomes)]
    reporter.section("llmreplay", sep="=")
    try:
        reporter.write_line(summary_text(RunView(outcomes, variants, settings.baseline)))
    except UserError as error:
        reporter.write_line(f"The variants cannot be compared: {error}")
    reporter.write_line("")
    for notice in host.notices[:_MOST_NOTICES]:
        reporter.write_line(f"notice: {one_line(notice, 200)}")
    if len(host.notices) > _MOST_NOTICES:
        reporter.write_line(f"(+{len(host.notices) - _MOST_NOTICES} more notices)")
    reporter.write_line(f"run {host.run_id}: {host.run_folder.relative_to(settings.root)}")
    if accept([outcome for outcome in outcomes if outcome.variant != settings.baseline]):
        reporter.write_line(f"next: pytest-llmreplay baseline accept {host.run_id}")
